"""A trained scheme in the place of a solver, for the evaluation protocol that all solvers share."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmvsolvers.result import SolverResult
from mmvsolvers.scenarios import MMVData
from mmvsolvers_nn.autoencoders import CHUNK, AutoEncoder, SignalDecoder
from mmvsolvers_nn.configuration import SCHEMES, Configuration

# The classical solvers that each scheme unrolls, or replaces.
CLASSICAL = {
    "group_lasso_nn": ("group_lasso_bcd",),
    "amp_nn": ("amp_mmse",),
    "covariance_nn": ("covariance_lasso",),
    "map_nn": ("ml_cd", "map_cd"),
}


class LearnedSolver:
    """A trained auto-encoder that solves `MMVData` like an entry of ``mmvsolvers.SOLVERS``.

    Parameters
    ----------
    model : AutoEncoder
        Trained.
    configuration : Configuration
        Of its training.

    Attributes
    ----------
    name, label : str
        The scheme's, for machines and for people.
    recovers_signal : bool
        Whether it estimates X, or scores devices only.
    """

    def __init__(self, model: AutoEncoder, configuration: Configuration) -> None:
        self.model = model.eval()
        self.name = configuration.architecture.scheme
        self.label = SCHEMES[self.name]
        self.n_iter = configuration.architecture.U or 0
        self.recovers_signal = isinstance(model.decoder, SignalDecoder)

    @property
    def pilots(self) -> NDArray[Any]:
        """The pilots A, (L, N), that the decoder was trained with."""
        A: NDArray[Any] = self.model.encoder().detach().cpu().numpy()
        return A

    @torch.no_grad()
    def solve(self, data: MMVData, **options: Any) -> SolverResult:
        """Decode all samples; a decoder has no objective and is always done.

        Raises
        ------
        TypeError
            For options: there are none.
        ValueError
            If the data came over other pilots.
        """
        if options:
            raise TypeError(f"{self.label} takes no options; got {', '.join(options)}")
        if data.A.shape != self.pilots.shape or not np.allclose(data.A, self.pilots, atol=1e-5):
            raise ValueError(f"data must be received over the pilots that {self.label} was trained with")
        received = torch.from_numpy(data.Y.astype(self.pilots.dtype)).to(self.model.threshold.value.device)
        parts = [self.model.decode(chunk) for chunk in torch.split(received, CHUNK)]
        signals = [part.X for part in parts if part.X is not None]
        done = np.ones(data.T, np.bool_)
        return SolverResult(
            X=torch.cat(signals).cpu().numpy() if signals else None,
            score=torch.cat([part.score for part in parts]).cpu().numpy(),
            objective=np.full(data.T, np.nan),
            optimality=np.zeros(data.T),
            n_iter=np.full(data.T, self.n_iter),
            converged=done,
            diverged=~done,
        )
