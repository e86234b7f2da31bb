"""The one protocol by which decoders are compared: thresholds from training data, figures from test data."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mmvsolvers.data import MMVData
from mmvsolvers.metrics import Estimate, error_rate, false_alarm, missed_detection, mse
from mmvsolvers.result import ConvergenceWarning, DivergenceWarning, SolverResult
from mmvsolvers.thresholds import best_threshold


class Decoder(Protocol):
    """What ``evaluate`` asks of a solver: an entry of ``SOLVERS``, or a learned decoder."""

    @property
    def name(self) -> str:
        """Its short name."""

    def solve(self, data: MMVData, **options: Any) -> SolverResult:
        """Solve all problems of ``data``."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a solver did on test data.

    Attributes
    ----------
    solver : str
        Its name.
    mse : Estimate or None
        Mean squared error per device; None for solvers that only detect.
    error_rate : Estimate
        Share of wrong decisions at ``threshold``.
    missed_detection, false_alarm : Estimate or None
        Shares of the active devices called idle, and of the idle ones called active, at ``threshold``; None where the
        test data have no such device.
    threshold : float
        The best one on the training data; scores above it mean active.
    seconds_per_sample : float
        Wall time of the test problems over their number; the compilation is not in it.
    n_unconverged, n_diverged : int
        Test problems that did not reach ``tol`` > 0, and that diverged.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=40, L=20, M=8, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> train = scenario.draw(np.random.default_rng(0), 50)
    >>> test = scenario.draw(np.random.default_rng(1), 50, pilots=train.A)
    >>> found = mmv.evaluate(mmv.SOLVERS["ml_cd"], train, test)
    >>> found.solver, found.mse
    ('ml_cd', None)
    >>> print(found.error_rate)
    0.000 [0.000, 0.071]
    """

    solver: str
    mse: Estimate | None
    error_rate: Estimate
    missed_detection: Estimate | None
    false_alarm: Estimate | None
    threshold: float
    seconds_per_sample: float
    n_unconverged: int
    n_diverged: int


def evaluate(solver: Decoder, train: MMVData, test: MMVData, **options: Any) -> Evaluation:
    """Learn the threshold on ``train``, then measure ``solver`` on ``test``.

    A solver that needs a threshold itself (ML-MMSE) is given the learned one; its scores must not depend on it.
    Warnings of divergence and of missed tolerances are counted in the result instead of being shown.

    Parameters
    ----------
    solver : Decoder
        An entry of ``SOLVERS``, or anything with ``name`` and ``solve(data, **options)``.
    train, test : MMVData
        Drawn from one scenario, with one A.
    **options
        Passed to the solver.

    Returns
    -------
    Evaluation

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=40, L=20, M=8, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> train = scenario.draw(np.random.default_rng(0), 50)
    >>> test = scenario.draw(np.random.default_rng(1), 50, pilots=train.A)
    >>> found = mmv.evaluate(mmv.SOLVERS["ml_cd"], train, test)
    >>> round(found.error_rate.mean, 2), found.n_unconverged
    (0.0, 0)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DivergenceWarning)
        stand_in = {"threshold": 0.0} if "threshold" in getattr(solver, "needs", ()) else {}
        # The run on the training data also compiles the solver, so that the clock below sees none of that.
        threshold = best_threshold(solver.solve(train, **stand_in | options).score, train.activity)
        if stand_in:
            options.setdefault("threshold", max(threshold, 0.0))
        start = time.perf_counter()
        result = solver.solve(test, **options)
        seconds = time.perf_counter() - start
    decision, truth = result.score > threshold, test.activity
    stopped_early = ~(result.converged | result.diverged)
    return Evaluation(
        solver=solver.name,
        mse=None if result.X is None else mse(result.X, test.X),
        error_rate=error_rate(decision, truth),
        missed_detection=missed_detection(decision, truth) if truth.any() else None,
        false_alarm=false_alarm(decision, truth) if not truth.all() else None,
        threshold=threshold,
        seconds_per_sample=seconds / test.T,
        n_unconverged=int(stopped_early.sum()) if options.get("tol", 1.0) > 0 else 0,
        n_diverged=int(result.diverged.sum()),
    )


def average(draws: list[Evaluation]) -> Evaluation:
    """Average evaluations of one solver over draws of the pilots, each draw one observation of the interval.

    The interval is the wider, at each end, of Student's t over the draws and of what the samples of all draws leave
    open: a few draws without an error say little of how rare errors are. A single draw keeps its own interval, which
    is conditional on the pilots.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=20, L=10, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> draws = []
    >>> for seed in range(3):
    ...     rng = np.random.default_rng(seed)
    ...     train = scenario.draw(rng, 50)
    ...     draws.append(mmv.evaluate(mmv.SOLVERS["ml_cd"], train, scenario.draw(rng, 50, pilots=train.A)))
    ...
    >>> mmv.average(draws).error_rate.n
    3
    """
    if len(draws) == 1:
        return draws[0]
    return replace(
        draws[0],
        mse=_over_some([draw.mse for draw in draws]),
        error_rate=over_draws([draw.error_rate for draw in draws]),
        missed_detection=_over_some([draw.missed_detection for draw in draws]),
        false_alarm=_over_some([draw.false_alarm for draw in draws]),
        threshold=sum(draw.threshold for draw in draws) / len(draws),
        seconds_per_sample=sum(draw.seconds_per_sample for draw in draws) / len(draws),
        n_unconverged=sum(draw.n_unconverged for draw in draws),
        n_diverged=sum(draw.n_diverged for draw in draws),
    )


def _over_some(draws: Sequence[Estimate | None]) -> Estimate | None:
    """Average over the draws that have the figure."""
    known = [draw for draw in draws if draw is not None]
    return over_draws(known) if known else None


def over_draws(draws: Sequence[Estimate]) -> Estimate:
    """Average non-negative figures as :func:`average` does; independent half widths add up in squares."""
    if len(draws) == 1:
        return draws[0]
    between = Estimate.of([draw.mean for draw in draws])
    below = math.hypot(*(draw.mean - draw.low for draw in draws)) / len(draws)
    above = math.hypot(*(draw.high - draw.mean for draw in draws)) / len(draws)
    low, high = min(between.low, between.mean - below), max(between.high, between.mean + above)
    return replace(between, low=max(low, 0.0), high=high)
