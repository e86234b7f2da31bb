"""Which pilot length suffices? Theory first, without solving a problem, then a short simulation around its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmvsolvers._blas import one_blas_thread
from mmvsolvers.activity import IndependentActivity
from mmvsolvers.comparison import Samples, compare
from mmvsolvers.identifiability import identifiable, predict_ml
from mmvsolvers.metrics import Estimate, error_rate
from mmvsolvers.pilots import draw_pilots
from mmvsolvers.registry import Solver
from mmvsolvers.scenario import Scenario
from mmvsolvers.state_evolution import state_evolution
from mmvsolvers.thresholds import best_threshold
from mmvsolvers.validation import PROBABILITY, as_scalar

# A non-negative least-squares problem of N devices takes N³ operations: the theory of ML is not asked beyond.
MOST_DEVICES = 400
# Decisions that the theory of ML draws for one pilot length, over this many draws of the pilots.
_DECISIONS, _DRAWS = 8_000, 4
# Errors that a simulation should see at the target, and samples it may take at most.
_ERRORS, _MOST_SAMPLES = 100, 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for: a scenario, whose pilot length is what is looked for, and the error rate to reach."""

    scenario: Scenario
    target_error: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Reject what cannot be meant."""
        as_scalar("target_error", self.target_error, PROBABILITY)
        if not isinstance(self.scenario.pilots, str):
            raise ValueError("pilots must be of a kind whose length can be varied; got an array")

    @property
    def N(self) -> int:
        """Devices."""
        return self.scenario.N

    @property
    def M(self) -> int:
        """Antennas."""
        return self.scenario.M

    @property
    def p(self) -> float:
        """Average activity."""
        return float(self.scenario.activity.marginal(self.N).mean())

    @property
    def activities(self) -> NDArray[np.float64]:
        """Average activities around p for a phase diagram: up to four times as much, or as little, within (0, 1)."""
        least, most = max(self.p / 4, 1 / self.N), min(4 * self.p, 0.5)
        return np.geomspace(min(least, self.p), max(most, self.p), 5)

    @property
    def noise_var(self) -> float:
        """σ² over the devices' average power at an antenna: what the theory of unit channels and pilots knows."""
        if self.scenario.snr_db is not None:
            return float(10 ** (-self.scenario.snr_db / 10))
        assert self.scenario.noise_var is not None, "one of the two is given"
        variance = self.scenario.draw_variance(np.random.default_rng(self.seed))
        return self.scenario.noise_var / float(variance.mean())


@dataclass(frozen=True, slots=True)
class Plan:
    """Error rates at the pilot lengths looked at, and the shortest that suffice; None where none up to N does.

    Attributes
    ----------
    ml, amp : dict of int to float
        Predicted error rates of maximum likelihood and of AMP. ``ml`` is empty for more than ``MOST_DEVICES`` devices.
    simulated : dict of int to Estimate
        Measured error rates of the solver.
    ml_length, amp_length, length : int or None
        The shortest pilots at which they are at most the target; ``length`` is that of the simulation. ML's theory is
        asked up to a few times √N: with few antennas its Gaussian tails leave errors at any length.
    """

    ml: dict[int, float] = field(default_factory=dict)
    amp: dict[int, float] = field(default_factory=dict)
    simulated: dict[int, Estimate] = field(default_factory=dict)
    ml_length: int | None = None
    amp_length: int | None = None
    length: int | None = None


def plan(demand: Demand, solver: Solver) -> Plan:
    """Find the shortest pilots with which ``solver`` reaches the target.

    Parameters
    ----------
    demand : Demand
        What is asked for.
    solver : Solver
        Who is to detect; its simulation starts where the theory of ML, or of AMP for solvers that recover the signal,
        says that the target is reached.

    Returns
    -------
    Plan
    """
    amp: dict[int, float] = {}
    ml: dict[int, float] = {}
    simulated: dict[int, Estimate] = {}

    def error_of_solver(L: int) -> float:
        simulated[L] = simulate(demand, L, solver)
        return simulated[L].mean

    amp_length = shortest(recorded(amp, lambda L: amp_error_rate(demand, L)), demand, demand.N // 4)
    ml_length = None
    if demand.N <= MOST_DEVICES:
        root = int(np.sqrt(2 * demand.N))
        ml_length = shortest(recorded(ml, lambda L: ml_error_rate(demand, L)), demand, root, 3 * root)
    guess = amp_length if solver.recovers_signal else ml_length or amp_length
    length = shortest(error_of_solver, demand, guess or demand.N)
    return Plan(
        dict(sorted(ml.items())), dict(sorted(amp.items())), dict(sorted(simulated.items())),
        ml_length, amp_length, length,
    )  # fmt: skip


def shortest(error_at: Callable[[int], float], demand: Demand, start: int, longest: int | None = None) -> int | None:
    """Return the least L up to ``longest``, N by default, that reaches the target, if errors fall with L.

    None if none does.

    Looks around ``start`` in growing steps until it has a length that fails and one that suffices, then halves.
    """
    longest = demand.N if longest is None else min(longest, demand.N)
    fails, suffices = 0, longest + 1
    L, step = min(max(start, 1), longest), max(start // 8, 1)
    while suffices - fails > 1:
        if error_at(L) <= demand.target_error:
            suffices = L
        else:
            fails = L
        if suffices > longest:
            L = min(L + step, longest)
        elif fails == 0:
            L = max(L - step, 1)
        else:
            L = (fails + suffices) // 2
        step *= 2
    return suffices if suffices <= longest else None


def recorded(found: dict[int, float], error_at: Callable[[int], float]) -> Callable[[int], float]:
    """Return ``error_at`` with every value that it gives kept in ``found``."""

    def error(L: int) -> float:
        found[L] = error_at(L)
        return found[L]

    return error


def ml_error_rate(demand: Demand, L: int) -> float:
    """Predict the error rate of maximum likelihood at its best threshold; see :func:`predict_ml`."""
    rng = np.random.default_rng((demand.seed, L))
    T = max(_DECISIONS // (_DRAWS * demand.N), 1)
    rates = []
    for _ in range(_DRAWS):
        A, active = draw_pilots(rng, L, demand.N), demand.scenario.activity.draw(rng, demand.N, T)
        with one_blas_thread():
            score = predict_ml(rng, A, 1.0 * active, demand.noise_var, demand.M)
        rates.append(error_rate(score > best_threshold(score, active), active).mean)
    return float(np.mean(rates))


def amp_error_rate(demand: Demand, L: int) -> float:
    """Predict the error rate of AMP at its best threshold, by state evolution with the average activity.

    Where it has converged AMP sees rows q = x + CN(0, τ²I), of which ‖q‖² is Gamma distributed, and active is best
    called what has the larger posterior probability.
    """
    from scipy.special import gammainc, gammaincc

    p, M = demand.p, demand.M
    course = state_evolution(N=demand.N, L=L, M=M, noise_var=demand.noise_var, activity_prob=p, n_iter=200)
    tau2 = float(course.tau2[-1])
    level = (np.log((1 - p) / p) + M * np.log1p(1 / tau2)) * tau2 * (tau2 + 1)
    if level <= 0:
        return 1 - p
    return float((1 - p) * gammaincc(M, level / tau2) + p * gammainc(M, level / (tau2 + 1)))


def identifiable_share(demand: Demand, L: int, T: int = 10) -> float:
    """Return the share of drawn activities that the covariance identifies, however few or many the antennas."""
    rng = np.random.default_rng((demand.seed, L))
    A, active = draw_pilots(rng, L, demand.N), demand.scenario.activity.draw(rng, demand.N, T)
    return float(identifiable(A, active).mean())


def simulate(demand: Demand, L: int, solver: Solver) -> Estimate:
    """Measure the error rate of a solver over several draws of the pilots, thresholds learned on other samples."""
    T = int(np.clip(_ERRORS / (demand.N * demand.target_error), 100, _MOST_SAMPLES)) // _DRAWS
    samples = Samples(n_train=T, n_test=T, n_draws=_DRAWS, seed=demand.seed)
    (row,) = compare([replace(demand.scenario, L=L)], samples, [solver])
    return row.evaluation.error_rate


def phase_diagram(demand: Demand, activities: NDArray[np.float64]) -> dict[str, list[int | None]]:
    """Return, for independent devices of each activity p, the shortest pilots that theory finds to suffice.

    "identifiable": with antennas without number, for half of the activities and more; "ML" and "AMP": with M antennas.
    """
    found: dict[str, list[int | None]] = {"identifiable": [], "ML": [], "AMP": []}
    for p in activities:
        scenario = replace(demand.scenario, activity=IndependentActivity(float(p)))
        here = replace(demand, scenario=scenario)

        def unseen(L: int, here: Demand = here) -> float:
            return 0.0 if identifiable_share(here, L) >= 0.5 else 1.0

        found["AMP"].append(shortest(lambda L, here=here: amp_error_rate(here, L), here, here.N // 4))  # type: ignore[misc]
        if demand.N <= MOST_DEVICES:
            start = int(np.sqrt(demand.N))
            found["identifiable"].append(shortest(unseen, here, start))
            found["ML"].append(shortest(lambda L, here=here: ml_error_rate(here, L), here, start, 4 * start))  # type: ignore[misc]
    return {name: lengths for name, lengths in found.items() if lengths}


def draw_figure(path: Path, demand: Demand, found: Plan, solver: Solver, diagram: dict[str, list[int | None]],
                activities: NDArray[np.float64], title: str) -> None:  # fmt: skip
    """Draw error rates against the pilot length, and the lengths that suffice against the activity."""
    from mmvsolvers import plotting

    with plotting.figure(2) as (canvas, (left, right)):
        for index, (label, rates) in enumerate((("ML, theory", found.ml), ("AMP, theory", found.amp))):
            colour, line = plotting.COLOURS[index], plotting.LINES[index]
            left.plot(list(rates), list(rates.values()), label=label, color=colour, linestyle=line)
        left.axhline(demand.target_error, color="black", linewidth=0.8, label="target")
        lengths = list(found.simulated)
        plotting.curve(left, lengths, [found.simulated[L] for L in lengths], solver.label, 2)
        plotting.finish(left, "pilot length L", "error rate")
        left.set_ylim(demand.target_error / 30, 1.0)
        left.legend()
        for index, (name, needed) in enumerate(diagram.items()):
            lengths_or_gaps = [np.nan if L is None else L for L in needed]
            right.plot(
                activities, lengths_or_gaps, label=name, color=plotting.COLOURS[index], linestyle=plotting.LINES[index],
                marker=plotting.MARKERS[index],
            )  # fmt: skip
        if found.length is not None:
            right.plot([demand.p], [found.length], "k*", markersize=10, label=f"{solver.label}, simulated")
        right.set_xscale("log")
        right.set_xlabel("activity p")
        right.set_ylabel("shortest L that suffices")
        right.legend()
        canvas.suptitle(title)
        plotting.save(canvas, path)
