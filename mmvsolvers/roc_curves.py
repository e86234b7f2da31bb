"""Missed detection against false alarm, solvers side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmvsolvers._versions import versions
from mmvsolvers.evaluation import solve_quietly, stand_in
from mmvsolvers.metrics import Estimate, false_alarm, missed_detection
from mmvsolvers.registry import Solver, as_solver
from mmvsolvers.scenario import Scenario
from mmvsolvers.sweep import columns_of
from mmvsolvers.thresholds import operating_points

# Points of a curve, spread evenly over the logarithm of the false alarm.
POINTS = 25


@dataclass(frozen=True, slots=True)
class Curve:
    """The trade of one solver between the two kinds of error.

    Attributes
    ----------
    solver : Solver
        Whose it is.
    threshold : list of float
        Falling; scores above it mean active.
    false_alarm, missed_detection : list of Estimate
        With 95 % intervals over the samples.
    """

    solver: Solver
    threshold: list[float]
    false_alarm: list[Estimate]
    missed_detection: list[Estimate]


def measure_curves(
    scenario: Scenario,
    solvers: Sequence[Solver | Callable[..., Any]],
    *,
    n_samples: int,
    n_draws: int = 1,
    seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Curve]:
    """Measure the curve of every solver on the same samples.

    Parameters
    ----------
    scenario : Scenario
        Where samples come from.
    solvers : sequence of Solver or callable
        Who is measured, functions as :func:`mmvsolvers.register` takes them.
    n_samples, n_draws : int
        Samples for each draw of the pilots, and these draws; the intervals take all samples for independent.
    seed : int
        Of everything random.
    options : mapping of str to mapping
        Keyword arguments for the solver of each name.

    Yields
    ------
    Curve
    """
    data = [scenario.draw(np.random.default_rng((seed, draw)), n_samples) for draw in range(n_draws)]
    activity = np.concatenate([part.activity for part in data])
    for solver in map(as_solver, solvers):
        chosen = stand_in(solver) | dict((options or {}).get(solver.name, {}))
        score = np.concatenate([solve_quietly(solver, part, chosen).score for part in data])
        threshold, _, alarms = operating_points(score, activity)
        rates = np.geomspace(1, max(alarms[-1], 1), POINTS)
        picked = np.unique(np.searchsorted(alarms, rates, side="right") - 1)
        yield Curve(
            solver,
            [float(threshold[k]) for k in picked],
            [false_alarm(score > threshold[k], activity) for k in picked],
            [missed_detection(score > threshold[k], activity) for k in picked],
        )


def records(curves: Sequence[Curve], scenario: Scenario, **drawn: Any) -> list[dict[str, Any]]:
    """Return all points as records of a table: the scenario, what was ``drawn``, both rates with their intervals."""
    found = []
    for curve in curves:
        for threshold, alarm, missed in zip(curve.threshold, curve.false_alarm, curve.missed_detection, strict=True):
            rates = {
                f"{kind}{end}": cell
                for kind, rate in (("false_alarm", alarm), ("missed_detection", missed))
                for end, cell in (("", rate.mean), ("_low", rate.low), ("_high", rate.high))
            }
            point = {"solver": curve.solver.name, "threshold": threshold} | rates
            found.append(columns_of(scenario) | drawn | point | {"versions": versions()})
    return found


def draw_figure(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Draw missed detection, with its intervals, against false alarm on logarithmic axes."""
    from mmvsolvers import plotting

    with plotting.figure(1) as (canvas, (ax,)):
        for curve, index in zip(curves, plotting.styles([curve.solver.name for curve in curves]), strict=True):
            # no place on logarithmic axes for what is zero
            shown = [
                (alarm.mean, missed)
                for alarm, missed in zip(curve.false_alarm, curve.missed_detection, strict=True)
                if alarm.mean > 0 and missed.mean > 0
            ]
            plotting.curve(ax, [at for at, _ in shown], [missed for _, missed in shown], curve.solver.label, index)
        plotting.finish(ax, "false alarm", "missed detection")
        ax.set_xscale("log")
        canvas.suptitle(title, fontsize=8)
        canvas.set_size_inches(5.5, 5.0)
        canvas.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
        plotting.save(canvas, path)
