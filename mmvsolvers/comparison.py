"""Solvers side by side on one scenario or several, and the tables and figures of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Evaluation, average, evaluate, evaluate_until
from mmvsolvers.registry import SOLVERS, Solver, as_solver
from mmvsolvers.scenario import Scenario
from mmvsolvers.stopping import UntilErrors
from mmvsolvers.sweep import find_field, label_of, value_at


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

    def batches(self, scenario: Scenario, draw: int) -> Iterator[MMVData]:
        """Yield test data over the ``draw``-th pilots without end, beginning with those that :meth:`draw` returns."""
        rng = np.random.default_rng((self.seed, scenario.L, draw))
        train = scenario.draw(rng, self.n_train)
        while True:
            yield scenario.draw(rng, self.n_test, pilots=train.A)


@dataclass(frozen=True, slots=True)
class Row:
    """One solver on one scenario, averaged over the draws of the pilots.

    Attributes
    ----------
    scenario : Scenario
        Where.
    solver : Solver or other decoder
        Who, with a ``name`` and a ``label``.
    evaluation : Evaluation
        How well.
    options : mapping
        What the solver was called with.
    pilots : str
        What the pilots are called where the scenario does not say it.
    """

    scenario: Scenario
    solver: Any
    evaluation: Evaluation
    options: Mapping[str, Any] = field(default_factory=dict)
    pilots: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """What the solver was told besides A and Y."""
        has_groups = hasattr(self.scenario.activity, "groups")
        return tuple(need for need in self.solver.needs if need != "groups" or has_groups)


def compare(
    scenarios: Sequence[Scenario],
    samples: Samples,
    solvers: Sequence[Solver | Callable[..., Any]] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    until: UntilErrors | None = None,
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
    until : UntilErrors, optional
        Go on, over each draw of the pilots, in batches of so many test samples, until there are enough errors.

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
            found = []
            for draw, (train, test) in enumerate(data):
                if until is None:
                    found.append(evaluate(solver, train, test, **chosen))
                else:
                    found.append(evaluate_until(solver, train, samples.batches(scenario, draw), until, **chosen))
            yield Row(scenario, solver, average(found), chosen)


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
