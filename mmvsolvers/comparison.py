"""Solvers side by side on one scenario or several, and the tables and figures of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Evaluation, average, evaluate, evaluate_until
from mmvsolvers.registry import Solver, all_solvers, as_solver
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

    n_train: int = 25
    n_test: int = 40
    n_draws: int = 8
    seed: int = 0

    def __str__(self) -> str:
        """Return how much it is, for titles."""
        each = "on one draw of the pilots" if self.n_draws == 1 else f"on each of {self.n_draws} draws of the pilots"
        return f"{self.n_test} samples {each}"

    def draw(self, scenario: Scenario, draw: int) -> tuple[MMVData, MMVData]:
        """Return training and test data over the ``draw``-th pilots; the same for every solver."""
        rng, train = self._begin(scenario, draw)
        return train, scenario.draw(rng, self.n_test, pilots=train.A)

    def batches(self, scenario: Scenario, draw: int) -> Iterator[MMVData]:
        """Yield test data over the ``draw``-th pilots without end, beginning with those that :meth:`draw` returns."""
        rng, train = self._begin(scenario, draw)
        while True:
            yield scenario.draw(rng, self.n_test, pilots=train.A)

    def _begin(self, scenario: Scenario, draw: int) -> tuple[np.random.Generator, MMVData]:
        rng = np.random.default_rng((self.seed, scenario.L, draw))
        return rng, scenario.draw(rng, self.n_train)


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
        What the pilots are called, or what else sets the row apart, where the scenario does not say it.
    """

    scenario: Scenario
    solver: Any
    evaluation: Evaluation
    options: Mapping[str, Any] = field(default_factory=dict)
    pilots: str = ""

    @property
    def label(self) -> str:
        """What people call the solver."""
        return str(self.solver.label)

    @property
    def told(self) -> tuple[str, ...]:
        """What the solver was told besides A and Y."""
        has_groups = hasattr(self.scenario.activity, "groups")
        return tuple(need for need in getattr(self.solver, "needs", ()) if need != "groups" or has_groups)


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
        Who is compared, functions as :func:`mmvsolvers.register` takes them; all of ``SOLVERS``, their
        variants and, where devices wake together, those told who, by default.
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
    if solvers is None:
        solvers = all_solvers(any(hasattr(scenario.activity, "groups") for scenario in scenarios))
    chosen_solvers = [as_solver(solver) for solver in solvers]
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


def draw_figure(path: Path, rows: Sequence[Row], varied: Sequence[str], note: str = "") -> None:
    """Draw mean squared error and error rate against what varies last, panels of their own for all else that varies.

    ``note`` says how it was measured.
    """
    from mmvsolvers.plotting import Curve, Panel, draw_panels

    *others, axis = varied
    places: dict[str, list[Row]] = {}
    for row in rows:
        words = ", ".join(f"{other}={_word(value_at(row.scenario, other))}" for other in others)
        places.setdefault(words, []).append(row)
    figures = {"mse": "MSE", "error_rate": "error rate"}
    if not any(row.evaluation.mse for row in rows):
        del figures["mse"]
    panels = []
    for place, found in places.items():
        of_solver: dict[str, list[Row]] = {}
        for row in found:
            of_solver.setdefault(row.solver.name, []).append(row)
        for name, label in figures.items():
            curves = [
                Curve(
                    solver,
                    mine[0].solver.label,
                    [_word(value_at(row.scenario, axis)) for row in mine],
                    [getattr(row.evaluation, name) for row in mine],
                )
                for solver, mine in of_solver.items()
            ]
            panels.append(Panel(curves, label_of(axis), label, place))
    title = title_of(rows[0].scenario, varied) if rows else ""
    draw_panels(path, panels, "\n".join(filter(None, (title, note))), n_columns=2 if len(figures) == 2 else None)


def title_of(scenario: Scenario, varied: Sequence[str]) -> str:
    """Return what does not vary, in the field's words."""
    places = [".".join(filter(None, find_field(scenario, name))) for name in varied]
    return scenario.describe(tuple("noise" if place in ("noise_var", "snr_db") else place for place in places))


def _word(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
