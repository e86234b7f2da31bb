"""Unrolled solvers whose devices tell each other what they have seen: a trainable coupling in the place of a network.

Where devices wake together, the evidence for one is evidence for others. A matrix C of N×N numbers holds by how much:
known groups are ones between the devices of a group, and C = 0 is the solver without coupling.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from mmvsolvers.validation import FINITE, FRACTION, POSITIVE, as_count, as_real, as_scalar
from mmvsolvers_nn.autoencoders import (
    AutoEncoder,
    SignalDecoder,
    encoder_of,
    signal_decoder,
    support_decoder,
)
from mmvsolvers_nn.functional import Recovery, amp_mmse, conditional_mean, likelihood_ratio, map_cd
from mmvsolvers_nn.functional.amp_mmse import LARGEST_RATIO
from mmvsolvers_nn.layers import (
    ApproximationPart,
    Covariance,
    Network,
    Received,
    log_odds_of,
    probability_of,
    signals_of,
)

# Log-odds that couplings may reach between two sweeps: beyond, single precision cannot tell a probability from 1.
_LARGEST_LOG_ODDS = 10.0


class CoupledAMP(ApproximationPart):
    """U iterations of AMP with a trainable coupling of the devices, ε(n) for each and a damping for every iteration.

    Parameters
    ----------
    U : int
        Iterations.
    activity_prob : array_like of shape (N,)
        Prior activity ε(n) to start from, strictly between 0 and 1; its log-odds are the parameter.
    damping : float, default 0.9
        Share of every new iterate to start from, in (0, 1).
    coupling : array_like of shape (N, N), optional
        C to start from; zero by default.
    """

    def __init__(
        self, U: int, activity_prob: ArrayLike, *, damping: float = 0.9, coupling: ArrayLike | None = None
    ) -> None:
        super().__init__()
        self.U = as_count("U", U)
        self.log_odds = nn.Parameter(log_odds_of(activity_prob))
        self.coupling = _coupling(len(self.log_odds), coupling)
        share = torch.tensor(as_scalar("damping", damping, FRACTION))
        self.damping = nn.Parameter(torch.logit(share, eps=1e-6).repeat(U))

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Estimate X, (..., N, M), from pilots A, (L, N), and received signals Y, (..., L, M)."""
        shares = probability_of(self.damping[: self.U]).unbind()
        probability = probability_of(self.log_odds)
        return signals_of(amp_mmse(A, Y, probability, damping=shares, coupling=self.coupling, n_iter=self.U))

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values."""
        return {
            "activity_prob": probability_of(self.log_odds),
            "coupling": self.coupling,
            "damping": probability_of(self.damping),
        }


class CoupledMAP(ApproximationPart):
    """U sweeps of MAP with coupled log-odds, then every device's exact evidence, coupled once more.

    Before every sweep the log-odds of device n are logit ε(n) + Σ_m W_nm α_m, with the activities α in [0, 1] that the
    last one found. After the last sweep the exact log-likelihood ratio of every device, given the others' activities,
    is read out as logit ε(n) + LLR_n + Σ_m C_nm LLR_m, the posterior log-odds of device n.

    Parameters
    ----------
    U : int
        Sweeps.
    noise_var : float
        Noise variance σ² per complex entry, positive; not trained.
    activity_prob : array_like of shape (N,)
        Prior activity ε(n) to start from, strictly between 0 and 1; its log-odds are the parameter.
    coupling : array_like of shape (N, N), optional
        C to start from; zero by default, as W is.
    """

    def __init__(
        self, U: int, noise_var: float, activity_prob: ArrayLike, *, coupling: ArrayLike | None = None
    ) -> None:
        super().__init__()
        self.U, self.noise_var = as_count("U", U), as_scalar("noise_var", noise_var, POSITIVE)
        self.log_odds = nn.Parameter(log_odds_of(activity_prob))
        N = len(self.log_odds)
        self.prior_coupling, self.coupling = _coupling(N), _coupling(N, coupling)

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Return the posterior log-odds of every device, (..., N), for pilots A, (L, N), and signals Y, (..., L, M)."""
        activity = Y.new_zeros(*Y.shape[:-2], A.shape[1]).real
        for _ in range(self.U):
            log_odds = self.log_odds + activity @ self.prior_coupling.mT
            probability = log_odds.clamp(-_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS).sigmoid()
            activity = map_cd(A, Y, self.noise_var, probability, upper=1.0, n_iter=1, start=(activity,)).score
        ratio = likelihood_ratio(A, Y, self.noise_var, activity)
        return self.log_odds + ratio + ratio.clamp(-LARGEST_RATIO, LARGEST_RATIO) @ self.coupling.mT

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values."""
        return {
            "activity_prob": probability_of(self.log_odds),
            "prior_coupling": self.prior_coupling,
            "coupling": self.coupling,
        }


class EvidenceDecoder(SignalDecoder):
    """A signal decoder that scores devices by `CoupledMAP`, and expects of each what this evidence says.

    Before the correction part, every device's signal is its conditional mean given the evidence found for all.
    """

    approximation: CoupledMAP

    def forward(self, A: Tensor, Y: Tensor) -> Recovery:
        """Estimate X, (..., N, M), and score every device by its posterior log-odds, (..., N)."""
        log_odds = self.approximation(A, Y)
        expected = conditional_mean(A, Y, self.approximation.noise_var, log_odds.sigmoid())
        return Recovery(self.corrected(expected), log_odds, ())


def _coupling(N: int, start: ArrayLike | None = None) -> nn.Parameter:
    if start is None:
        return nn.Parameter(torch.zeros(N, N))
    value = as_real("coupling", start, FINITE)
    if value.shape != (N, N):
        raise ValueError(f"coupling must have shape {(N, N)}; got {value.shape}")
    return nn.Parameter(torch.tensor(value, dtype=torch.float32))


class CoupledAMPNN(AutoEncoder):
    """Coupled AMP-NN: learned pilots and unrolled AMP whose devices are coupled; it needs no correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    activity_prob : array_like of shape (N,)
        ε(n) to start from.
    U : int, default 12
        Iterations; with none the correction part sees the received signals.
    V : int, default 0
        Layers of the correction part.
    damping, coupling
        See `CoupledAMP`.
    width, residual, learn_pilots, correction
        As in `GroupLassoNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.CoupledAMPNN(A, np.full(20, 0.1), U=3)
    >>> sorted(model.exported())
    ['A', 'activity_prob', 'coupling', 'damping', 'threshold']
    """

    def __init__(
        self,
        A: ArrayLike,
        activity_prob: ArrayLike,
        *,
        U: int = 12,
        V: int = 0,
        damping: float = 0.9,
        coupling: ArrayLike | None = None,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = CoupledAMP(U, activity_prob, damping=damping, coupling=coupling) if U else Received()
        super().__init__(encoder_of(A, learn_pilots), signal_decoder(A, approximation, V, width, residual, correction))


class CoupledMAPNN(AutoEncoder):
    """Coupled MAP-NN: learned pilots and unrolled MAP sweeps whose devices are coupled; its scores are log-odds.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    noise_var : float
        Noise variance σ² per complex entry, positive.
    activity_prob : array_like of shape (N,)
        ε(n) to start from.
    U : int, default 3
        Sweeps; with none the correction part sees the sample covariance, as in `CovarianceNN`.
    V : int, default 0
        Layers of the correction part.
    coupling
        See `CoupledMAP`.
    width, residual, learn_pilots, correction
        As in `MAPNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.CoupledMAPNN(A, 0.1, np.full(20, 0.1), U=2)
    >>> model.exported()["coupling"].shape
    (20, 20)
    """

    def __init__(
        self,
        A: ArrayLike,
        noise_var: float,
        activity_prob: ArrayLike,
        *,
        U: int = 3,
        V: int = 0,
        coupling: ArrayLike | None = None,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = CoupledMAP(U, noise_var, activity_prob, coupling=coupling) if U else Covariance()
        super().__init__(encoder_of(A, learn_pilots), support_decoder(A, approximation, V, width, residual, correction))


class CoupledMMSENN(AutoEncoder):
    """Coupled MMSE-NN: coupled MAP-NN whose evidence estimates the signals, in the place of AMP.

    With U = 0 the correction part sees the received signals.

    Parameters
    ----------
    A, noise_var, activity_prob, U, V, coupling
        As in `CoupledMAPNN`.
    width, residual, learn_pilots, correction
        As in `GroupLassoNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_orthogonal_pilots(np.random.default_rng(0), 8, np.arange(20) // 5)
    >>> model = mmvnn.CoupledMMSENN(A, 0.1, np.full(20, 0.1), U=2)
    >>> sorted(model.exported())
    ['A', 'activity_prob', 'coupling', 'prior_coupling', 'threshold']
    """

    def __init__(
        self,
        A: ArrayLike,
        noise_var: float,
        activity_prob: ArrayLike,
        *,
        U: int = 3,
        V: int = 0,
        coupling: ArrayLike | None = None,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = CoupledMAP(U, noise_var, activity_prob, coupling=coupling) if U else Received()
        decoder = signal_decoder(A, approximation, V, width, residual, correction)
        super().__init__(
            encoder_of(A, learn_pilots), EvidenceDecoder(approximation, decoder.correction) if U else decoder
        )
