"""The one protocol by which decoders are compared: thresholds from training data, figures from test data."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.data import MMVData, as_data
from mmvsolvers.metrics import Estimate, mse_of_errors, rate_of_counts, squared_errors
from mmvsolvers.result import ConvergenceWarning, DivergenceWarning, SolverResult
from mmvsolvers.stopping import UntilErrors, rate_until, share_with_errors
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
    sample_error_rate : Estimate
        Share of samples with a wrong decision, with an exact interval.
    missed_detection, false_alarm : Estimate or None
        Shares of the active devices called idle, and of the idle ones called active, at ``threshold``; None where the
        test data have no such device.
    threshold : float
        The best one on the training data; scores above it mean active.
    seconds_per_sample : float
        Wall time of the test problems over their number; the compilation is not in it.
    n_samples, n_unconverged, n_diverged : int
        Test problems, those of them that did not reach ``tol`` > 0, and those that diverged.

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
    sample_error_rate: Estimate
    missed_detection: Estimate | None
    false_alarm: Estimate | None
    threshold: float
    seconds_per_sample: float
    n_samples: int
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
    trial = _Trial(solver, train, options)
    trial.add(test)
    return trial.evaluation(trial.n_samples)


def evaluate_until(
    solver: Decoder, train: MMVData, batches: Iterable[MMVData], rule: UntilErrors, **options: Any
) -> Evaluation:
    """Learn the threshold on ``train``, then measure ``solver`` batch by batch until the rule, or the data, end it.

    Where the last error ended it, the estimates are over all samples but this last one, which leaves them unbiased;
    ``error_rate`` and ``sample_error_rate`` have the intervals of inverse binomial sampling.

    Parameters
    ----------
    solver : Decoder
        An entry of ``SOLVERS``, or anything with ``name`` and ``solve(data, **options)``.
    train : MMVData
        To learn the threshold on.
    batches : iterable of MMVData
        Of the same scenario and A. It is not asked for more of them than are needed.
    rule : UntilErrors
        When to stop.
    **options
        Passed to the solver.

    Returns
    -------
    Evaluation

    Examples
    --------
    >>> import numpy as np
    >>> import mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=20, L=8, M=8, activity=mmv.IndependentActivity(0.1), noise_var=0.1)
    >>> rng = np.random.default_rng(0)
    >>> train = scenario.draw(rng, 200)
    >>> batches = (scenario.draw(rng, 200, pilots=train.A) for _ in range(100))
    >>> rule = mmv.UntilErrors(n_errors=20)
    >>> found = mmv.evaluate_until(mmv.SOLVERS["ml_cd"], train, batches, rule)
    >>> found.error_rate.low < found.error_rate.mean < found.error_rate.high
    True
    """
    trial = _Trial(solver, train, options)
    for batch in batches:
        trial.add(batch)
        end = rule.end(trial.n_wrong > 0)
        if end is not None:
            return trial.evaluation(end, stopped=bool(np.count_nonzero(trial.n_wrong[:end]) == rule.n_errors))
    return trial.evaluation(trial.n_samples)


class _Trial:
    """A solver on one A: the threshold that it learned, and what is counted sample by sample from then on."""

    def __init__(self, solver: Decoder, train: MMVData, options: dict[str, Any]) -> None:
        if not callable(getattr(solver, "solve", None)):
            raise TypeError(f"solver must be an entry of SOLVERS, or have solve(data, **options); got {solver!r}")
        self.solver, self.options, self.N = solver, options, as_data("train", train).N
        told = stand_in(solver)
        # The run on the training data also compiles the solver, so that the clock below sees none of that.
        result, _ = self._solve(train, told | options)
        self.threshold = best_threshold(result.score, train.activity)
        if told:
            options.setdefault("threshold", max(self.threshold, 0.0))
        self.seconds = 0.0
        self.counts: dict[str, NDArray[np.float64]] = {}

    @property
    def n_wrong(self) -> NDArray[np.float64]:
        """Wrong decisions of every sample."""
        return self.counts["missed"] + self.counts["alarms"]

    @property
    def n_samples(self) -> int:
        """Samples so far."""
        return int(self.counts["missed"].size)

    def add(self, test: MMVData) -> None:
        """Solve and count."""
        result, seconds = self._solve(as_data("test", test), self.options)
        self.seconds += seconds
        decision, truth = result.score > self.threshold, test.activity
        tolerant = self.options.get("tol", 1.0) > 0
        found = {
            "missed": (truth & ~decision).sum(axis=-1),
            "alarms": (decision & ~truth).sum(axis=-1),
            "active": truth.sum(axis=-1),
            "open": ~(result.converged | result.diverged) & tolerant,
            "diverged": result.diverged,
        }
        if result.X is not None:
            found["squared_error"] = squared_errors(result.X, test.X)
        for name, values in found.items():
            before = self.counts.get(name, np.zeros(0))
            self.counts[name] = np.concatenate([before, values.astype(np.float64)])

    def evaluation(self, n: int, stopped: bool = False) -> Evaluation:
        """Return what the first n samples say; ``stopped`` if the last of them is one with an error that ended it."""
        wrong, total = self.n_wrong[:n], self.n_samples
        # The sample that stopped it is there because it has an error: it would bias whatever is averaged.
        kept = {name: values[: n - stopped] for name, values in self.counts.items()}
        idle = self.N - kept["active"]
        n_hit = int(np.count_nonzero(wrong))
        return Evaluation(
            solver=self.solver.name,
            mse=mse_of_errors(kept["squared_error"]) if "squared_error" in kept else None,
            error_rate=rate_until(wrong, self.N) if stopped else rate_of_counts(wrong, np.full(n, float(self.N))),
            sample_error_rate=share_with_errors(n_hit, n, stopped=stopped),
            missed_detection=rate_of_counts(kept["missed"], kept["active"]) if kept["active"].any() else None,
            false_alarm=rate_of_counts(kept["alarms"], idle) if idle.any() else None,
            threshold=self.threshold,
            seconds_per_sample=self.seconds / total,
            n_samples=n,
            n_unconverged=int(self.counts["open"][:n].sum()),
            n_diverged=int(self.counts["diverged"][:n].sum()),
        )

    def _solve(self, data: MMVData, options: dict[str, Any]) -> tuple[SolverResult, float]:
        start = time.perf_counter()
        result = solve_quietly(self.solver, data, options)
        return result, time.perf_counter() - start


def stand_in(solver: Decoder) -> dict[str, float]:
    """Return what stands in for a threshold that the solver has for itself; its scores must not depend on it."""
    return {"threshold": 0.0} if "threshold" in getattr(solver, "needs", ()) else {}


def solve_quietly(solver: Decoder, data: MMVData, options: dict[str, Any]) -> SolverResult:
    """Solve without warnings of what the result says, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DivergenceWarning)
        return solver.solve(data, **options)


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
        error_rate=over_draws([draw.error_rate for draw in draws], most=1.0),
        sample_error_rate=over_draws([draw.sample_error_rate for draw in draws], most=1.0),
        missed_detection=_over_some([draw.missed_detection for draw in draws], most=1.0),
        false_alarm=_over_some([draw.false_alarm for draw in draws], most=1.0),
        threshold=sum(draw.threshold for draw in draws) / len(draws),
        seconds_per_sample=sum(draw.seconds_per_sample for draw in draws) / len(draws),
        n_samples=sum(draw.n_samples for draw in draws),
        n_unconverged=sum(draw.n_unconverged for draw in draws),
        n_diverged=sum(draw.n_diverged for draw in draws),
    )


def _over_some(draws: Sequence[Estimate | None], most: float = math.inf) -> Estimate | None:
    """Average over the draws that have the figure."""
    known = [draw for draw in draws if draw is not None]
    return over_draws(known, most) if known else None


def over_draws(draws: Sequence[Estimate], most: float = math.inf) -> Estimate:
    """Average figures from 0 to ``most`` as :func:`average` does; independent half widths add up in squares."""
    if len(draws) == 1:
        return draws[0]
    between = Estimate.of([draw.mean for draw in draws])
    below = math.hypot(*(draw.mean - draw.low for draw in draws)) / len(draws)
    above = math.hypot(*(draw.high - draw.mean for draw in draws)) / len(draws)
    low, high = min(between.low, between.mean - below), max(between.high, between.mean + above)
    return replace(between, low=max(low, 0.0), high=min(high, most))
