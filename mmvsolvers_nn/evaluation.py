"""A trained scheme in the place of a solver, for the evaluation protocol that all solvers share."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmvsolvers.bayes import Optimum
from mmvsolvers.comparison import Row
from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Decoder, Evaluation, average, evaluate
from mmvsolvers.pilots import draw_pilots
from mmvsolvers.registry import SOLVERS, Solver
from mmvsolvers.result import SolverResult
from mmvsolvers.scenario import Scenario
from mmvsolvers_nn.autoencoders import CHUNK, AutoEncoder
from mmvsolvers_nn.configuration import Configuration
from mmvsolvers_nn.schemes import find_scheme


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
    needs : tuple of str
        Nothing besides Y: all else is learned.
    recovers_signal : bool
        Whether it estimates X, or scores devices only.
    compared_with : tuple of str
        The classical solvers that it unrolls, or replaces.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, model: AutoEncoder, configuration: Configuration) -> None:
        self.model = model.eval()
        scheme = find_scheme(configuration.architecture.scheme)
        self.name, self.label, self.recovers_signal = scheme.name, scheme.label, scheme.recovers_signal
        self.compared_with = scheme.compared_with
        self.n_iter = model.decoder.approximation.U

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
        return SolverResult.unoptimised(
            torch.cat(signals).cpu().numpy() if signals else None,
            torch.cat([part.score for part in parts]).cpu().numpy(),
            self.n_iter,
        )


def compare_with_classical(
    learned: LearnedSolver,
    scenario: Scenario,
    *,
    n_train: int = 2000,
    n_test: int = 1000,
    n_draws: int = 5,
    seed: int = 1,
    optimum: bool = False,
) -> Iterator[Row]:
    """Evaluate a learned scheme beside the classical solvers that it stands on, where it was trained for.

    Parameters
    ----------
    learned : LearnedSolver
        The scheme.
    scenario : Scenario
        Of its training.
    n_train, n_test : int
        Samples, for each pilot matrix, that thresholds are learned on, and that figures are measured on.
    n_draws : int
        Gaussian pilots, i.i.d. CN(0, 1), to average a classical solver over.
    seed : int
        Of the samples and the pilots.
    optimum : bool, default False
        Whether the optimum is the last solver; where it has to be sampled it takes milliseconds a sample at N = 100.

    Yields
    ------
    Row
        The scheme; then each classical solver over the learned and over Gaussian pilots.
    """
    rng = np.random.default_rng(seed)

    def measure(solver: Decoder, pilots: NDArray[Any]) -> Evaluation:
        train, test = (scenario.draw(rng, T, pilots=pilots, dtype=np.complex64) for T in (n_train, n_test))
        return evaluate(solver, train, test)

    others: list[Solver | Optimum] = [SOLVERS[name] for name in learned.compared_with]
    if optimum:
        others.append(Optimum(scenario))
    yield Row(scenario, learned, measure(learned, learned.pilots), pilots="learned")
    draws = [draw_pilots(rng, scenario.L, scenario.N) for _ in range(n_draws)]
    for solver in others:
        yield Row(scenario, solver, measure(solver, learned.pilots), pilots="learned")
        yield Row(scenario, solver, average([measure(solver, A) for A in draws]), pilots="Gaussian")
