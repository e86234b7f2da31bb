"""Parallel MAP detection unrolled, with a trained share of the step for every iteration, after [1]_.

References
----------
.. [1] B. Tan, Y. Cui, "Fast MLE and MAPE-based device activity detection for grant-free access via PSCA and PSCA-Net",
   IEEE Transactions on Wireless Communications, 2025.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from mmvsolvers.validation import POSITIVE, as_count, as_scalar
from mmvsolvers_nn.autoencoders import AutoEncoder, activity_decoder, encoder_of
from mmvsolvers_nn.functional import map_psca
from mmvsolvers_nn.layers import ApproximationPart, Covariance, Network, log_odds_of, positive_of, probability_of


class ParallelMAP(ApproximationPart):
    """U parallel iterations of MAP with a trainable prior activity ε(n) a device and a trainable step an iteration.

    Parameters
    ----------
    U : int
        Iterations.
    noise_var : float
        Noise variance σ² per complex entry, positive; not trained.
    activity_prob : array_like of shape (N,)
        Prior activity ε(n) to start from, strictly between 0 and 1; its log-odds are the parameter.
    step : float, default 1
        Share of the step to the minimum of the convex approximation that every iteration starts with; the logarithms of
        the shares are parameters, so that they stay positive, and may grow beyond 1.
    """

    def __init__(self, U: int, noise_var: float, activity_prob: ArrayLike, *, step: float = 1.0) -> None:
        super().__init__()
        self.U, self.noise_var = as_count("U", U), as_scalar("noise_var", noise_var, POSITIVE)
        self.log_odds = nn.Parameter(log_odds_of(activity_prob))
        self.log_step = nn.Parameter(torch.full((U,), as_scalar("step", step, POSITIVE)).log())

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Estimate the activity α, (..., N), from pilots A, (L, N), and received signals Y, (..., L, M)."""
        steps = positive_of(self.log_step[: self.U])
        return map_psca(A, Y, self.noise_var, probability_of(self.log_odds), step=steps, n_iter=self.U).score

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values."""
        return {"activity_prob": probability_of(self.log_odds), "step": positive_of(self.log_step)}


class PSCANN(AutoEncoder):
    """PSCA-NN: learned pilots, unrolled parallel MAP with trainable ε(n) and step sizes, correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    noise_var : float
        Noise variance σ² per complex entry, positive.
    activity_prob : array_like of shape (N,)
        ε(n) to start from.
    U : int, default 15
        Iterations; with none the correction part sees the sample covariance, as in `CovarianceNN`.
    V : int, default 3
        Layers of the correction part; with none nothing is learned but pilots, ε(n) and steps.
    width, residual, learn_pilots, correction
        As in `MAPNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.PSCANN(A, 0.1, np.full(20, 0.1), U=4, V=0)
    >>> model.exported()["step"]
    array([1., 1., 1., 1.], dtype=float32)
    """

    def __init__(
        self,
        A: ArrayLike,
        noise_var: float,
        activity_prob: ArrayLike,
        *,
        U: int = 15,
        V: int = 3,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = ParallelMAP(U, noise_var, activity_prob) if U else Covariance()
        decoder = activity_decoder(A, approximation, V, width, residual, correction)
        super().__init__(encoder_of(A, learn_pilots), decoder)
