"""Solvers side by side on one scenario or several, and the tables and figures of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Evaluation, average, evaluate
from mmvsolvers.registry import SOLVERS, Solver, as_solver
from mmvsolvers.scenario import Scenario
from mmvsolvers.sweep import columns_of, find_field, label_of, value_at
from mmvsolvers.writing import write_table


@dataclass(frozen=True, slots=True)
class Samples:
    """How much is drawn of a scenario, and from which seed.

    Attributes
    ----------
    n_train, n_test : int
        Samples for each draw of the pilots: to learn thresholds on, and to measure on.
    n_draws : int
        Draws of the pilots to average over.
    seed : int
        Of everything random.
    """

    n_train: int = 200
    n_test: int = 250
    n_draws: int = 4
    seed: int = 0

    def draw(self, scenario: Scenario, draw: int) -> tuple[MMVData, MMVData]:
        """Return training and test data over the ``draw``-th pilots; the same for every solver."""
        rng = np.random.default_rng((self.seed, scenario.L, draw))
        train = scenario.draw(rng, self.n_train)
        return train, scenario.draw(rng, self.n_test, pilots=train.A)


@dataclass(frozen=True, slots=True)
class Row:
    """One solver on one scenario, averaged over the draws of the pilots."""

    scenario: Scenario
    solver: Solver
    evaluation: Evaluation


def compare(
    scenarios: Sequence[Scenario],
    samples: Samples,
    solvers: Sequence[Solver | Callable[..., Any]] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Row]:
    """Evaluate every solver on every scenario, on the same data, one row after the other.

    Parameters
    ----------
    scenarios : sequence of Scenario
        Those to go through; see :func:`mmvsolvers.sweep.grid`.
    samples : Samples
        How much is drawn of each.
    solvers : sequence of Solver or callable
        Who is compared, functions as :func:`mmvsolvers.register` takes them; all of ``SOLVERS`` by default.
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
    chosen_solvers = [as_solver(solver) for solver in (SOLVERS.values() if solvers is None else solvers)]
    names = [solver.name for solver in chosen_solvers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"solvers must have different names; got {name!r} more than once")
    for scenario in scenarios:
        data = [samples.draw(scenario, draw) for draw in range(samples.n_draws)]
        for solver in chosen_solvers:
            chosen = dict((options or {}).get(solver.name, {}))
            yield Row(scenario, solver, average([evaluate(solver, train, test, **chosen) for train, test in data]))


def records(rows: Sequence[Row], samples: Samples) -> list[dict[str, Any]]:
    """Return the rows as records of a table: all of the scenario, the samples, the figures with their intervals."""
    drawn = {"train_samples": samples.n_train, "samples": samples.n_test, "pilot_draws": samples.n_draws}
    return [
        columns_of(row.scenario) | drawn | {"seed": samples.seed, "solver": row.solver.name} | figures(row.evaluation)
        for row in rows
    ]


def figures(found: Evaluation) -> dict[str, Any]:
    """Return what was measured, the ends of the intervals in columns of their own."""
    estimates = {name: getattr(found, name) for name in ("mse", "error_rate", "missed_detection", "false_alarm")}
    columns: dict[str, Any] = {}
    for name, estimate in estimates.items():
        cells = (None, None, None) if estimate is None else (estimate.mean, estimate.low, estimate.high)
        columns |= dict(zip((name, f"{name}_low", f"{name}_high"), cells, strict=True))
    names = ("threshold", "seconds_per_sample", "n_unconverged", "n_diverged")
    return columns | {name: getattr(found, name) for name in names}


def write_csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as CSV, whole or not at all; what some of them lack stays empty."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    write_table(path, columns, ([record.get(name) for name in columns] for record in records))


def draw_figure(path: Path, rows: Sequence[Row], varied: Sequence[str]) -> None:
    """Draw mean squared error and error rate against what varies last, a row of panels for all else that varies."""
    from mmvsolvers import plotting

    *others, axis = varied
    panels: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        panels.setdefault(tuple(f"{o}={_word(value_at(row.scenario, o))}" for o in others), []).append(row)
    solvers = list(dict.fromkeys(row.solver for row in rows))
    with plotting.figure(2, max(len(panels), 1)) as (canvas, axes):
        for k, (place, found) in enumerate(panels.items()):
            values = list(dict.fromkeys(_word(value_at(row.scenario, axis)) for row in found))
            numeric = all(not isinstance(value, str) for value in values)
            for solver, index in zip(solvers, styles([solver.name for solver in solvers]), strict=True):
                mine = [
                    (value_at(row.scenario, axis) if numeric else values.index(_word(value_at(row.scenario, axis))),
                     row.evaluation)
                    for row in found
                    if row.solver is solver
                ]  # fmt: skip
                mine.sort(key=lambda pair: pair[0])
                x = [at for at, _ in mine]
                for ax, name in zip(axes[2 * k : 2 * k + 2], ("mse", "error_rate"), strict=True):
                    plotting.curve(ax, x, [getattr(one, name) for _, one in mine], solver.label, index)
            for ax, name in zip(axes[2 * k : 2 * k + 2], ("MSE", "error rate"), strict=True):
                plotting.finish(ax, label_of(axis), name)
                if not numeric:
                    ax.set_xticks(range(len(values)), [str(value) for value in values])
                ax.set_title(", ".join(place), loc="left", fontsize="medium")
        if rows:
            canvas.suptitle(title_of(rows[0].scenario, varied))
        canvas.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        plotting.save(canvas, path)


def title_of(scenario: Scenario, varied: Sequence[str]) -> str:
    """Return what does not vary, in the field's words."""
    places = [".".join(filter(None, find_field(scenario, name))) for name in varied]
    return scenario.describe(tuple("noise" if place in ("noise_var", "snr_db") else place for place in places))


def _word(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)


def styles(names: Sequence[str]) -> list[int]:
    """Return the index of every solver's style: its place in ``SOLVERS``, so that it looks alike in all figures.

    Those that are not there come after all that are.
    """
    places = {name: index for index, name in enumerate(SOLVERS)}
    strangers = [name for name in names if name not in places]
    return [places[name] if name in places else len(places) + strangers.index(name) for name in names]
