"""Solvers side by side on one scenario over several pilot lengths, and the tables and figures of it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mmvsolvers.activity import ActivityModel, IndependentActivity
from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Evaluation, average, evaluate
from mmvsolvers.metrics import Estimate
from mmvsolvers.registry import SOLVERS, Solver
from mmvsolvers.scenario import generate


@dataclass(frozen=True, slots=True)
class Setting:
    """What the solvers are compared on; the defaults are those of Cui, Li, Zhang, 2021, section V, Fig. 3 a.

    Attributes
    ----------
    N, M : int
        Devices and antennas.
    activity : ActivityModel
        Who is active.
    noise_var, snr_db : float or None
        The noise, said in one of the two ways.
    pilots : str or array_like of shape (L, N)
        "gaussian", "unit_norm" or "low_coherence", or the one matrix of all draws.
    antenna_correlation : float
        Correlation of neighbouring antennas.
    n_train, n_test : int
        Samples for each draw of the pilots: to learn thresholds on, and to measure on.
    n_draws : int
        Draws of the pilots to average over.
    seed : int
        Of everything random.
    """

    N: int = 100
    M: int = 4
    activity: ActivityModel = field(default_factory=lambda: IndependentActivity(0.1, ratio=3.0))
    noise_var: float | None = 0.1
    snr_db: float | None = None
    pilots: str | ArrayLike = "gaussian"
    antenna_correlation: float = 0.0
    n_train: int = 200
    n_test: int = 250
    n_draws: int = 4
    seed: int = 0

    def draw(self, L: int, draw: int) -> tuple[MMVData, MMVData]:
        """Return training and test data over the ``draw``-th pilots of length L; the same for every solver."""
        rng = np.random.default_rng((self.seed, L, draw))
        scene: dict[str, Any] = {
            "N": self.N,
            "L": L,
            "M": self.M,
            "activity": self.activity,
            "noise_var": self.noise_var,
            "snr_db": self.snr_db,
            "antenna_correlation": self.antenna_correlation,
        }
        train = generate(rng, T=self.n_train, pilots=self.pilots, **scene)
        return train, generate(rng, T=self.n_test, pilots=train.A, **scene)


@dataclass(frozen=True, slots=True)
class Row:
    """One solver at one pilot length, averaged over the draws of the pilots."""

    L: int
    solver: Solver
    evaluation: Evaluation


def compare(
    setting: Setting,
    pilot_lengths: Sequence[int],
    solvers: Sequence[Solver] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Row]:
    """Evaluate every solver at every pilot length, on the same data, one row after the other.

    Parameters
    ----------
    setting : Setting
        The scenario.
    pilot_lengths : sequence of int
        The L to go through.
    solvers : sequence of Solver
        Who is compared; all by default.
    options : mapping of str to mapping
        Keyword arguments for the solver of each name.

    Yields
    ------
    Row

    Raises
    ------
    ValueError
        If two solvers have one name.
    """
    solvers = tuple(SOLVERS.values()) if solvers is None else solvers
    names = [solver.name for solver in solvers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"solvers must have different names; got {name!r} more than once")
    for L in pilot_lengths:
        data = [setting.draw(L, draw) for draw in range(setting.n_draws)]
        for solver in solvers:
            chosen = dict((options or {}).get(solver.name, {}))
            yield Row(L, solver, average([evaluate(solver, train, test, **chosen) for train, test in data]))


COLUMNS = (
    "L", "solver", "mse", "mse_low", "mse_high", "error_rate", "error_rate_low", "error_rate_high",
    "missed_detection", "missed_detection_low", "missed_detection_high",
    "false_alarm", "false_alarm_low", "false_alarm_high", "threshold",
    "seconds_per_sample", "n_unconverged", "n_diverged",
)  # fmt: skip


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows, intervals in columns of their own, whole or not at all."""
    from mmvsolvers.files import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in rows:
            found = row.evaluation
            figures = (found.mse, found.error_rate, found.missed_detection, found.false_alarm)
            cells = [cell for figure in figures for cell in _cells(figure)]
            spent = (found.seconds_per_sample, found.n_unconverged, found.n_diverged)
            writer.writerow([row.L, row.solver.name, *cells, found.threshold, *spent])


def _cells(figure: Estimate | None) -> tuple[float | str, float | str, float | str]:
    return ("", "", "") if figure is None else (figure.mean, figure.low, figure.high)


def draw_figure(path: Path, rows: Sequence[Row], title: str) -> None:
    """Draw mean squared error and error rate against the pilot length, a curve for each solver."""
    from mmvsolvers import plotting

    lengths = sorted({row.L for row in rows})
    solvers = list(dict.fromkeys(row.solver for row in rows))
    with plotting.figure(2) as (canvas, (left, right)):
        for solver, index in zip(solvers, styles([solver.name for solver in solvers]), strict=True):
            found = {row.L: row.evaluation for row in rows if row.solver is solver}
            plotting.curve(left, lengths, [found[L].mse for L in lengths], solver.label, index)
            plotting.curve(right, lengths, [found[L].error_rate for L in lengths], solver.label, index)
        plotting.finish(left, "pilot length L", "MSE")
        plotting.finish(right, "pilot length L", "error rate")
        canvas.suptitle(title)
        canvas.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        plotting.save(canvas, path)


def styles(names: Sequence[str]) -> list[int]:
    """Return the index of every solver's style: its place in ``SOLVERS``, so that it looks alike in all figures.

    Those that are not there come after all that are.
    """
    places = {name: index for index, name in enumerate(SOLVERS)}
    strangers = [name for name in names if name not in places]
    return [places[name] if name in places else len(places) + strangers.index(name) for name in names]
