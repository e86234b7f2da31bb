"""`mmv compare`: all solvers side by side."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmvsolvers.cli.outputs import Figure, Overwrite, check_figure
from mmvsolvers.cli.parsing import sweep_of
from mmvsolvers.cli.scenario_options import PANEL as SCENARIO
from mmvsolvers.cli.scenario_options import (
    PilotDraws,
    ScenarioOptions,
    Seed,
    TestSamples,
    TrainSamples,
    with_scenario,
)
from mmvsolvers.cli.solver_options import (
    PANEL,
    SolverNames,
    SolverOptions,
    chosen_options,
    chosen_solvers,
    with_tuning,
)
from mmvsolvers.cli.tables import notes, result_table, wide_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmvsolvers.comparison import Samples
    from mmvsolvers.registry import Solver
    from mmvsolvers.scenario import Scenario


@with_tuning
@with_scenario()
def compare(
    said: ScenarioOptions,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Vary anything above, or an argument of a model; repeatable, for the product. Without values, those "
            "of the named scenario.",
            rich_help_panel=SCENARIO,
        ),
    ] = None,
    n_draws: PilotDraws = 8,
    n_test: TestSamples = 40,
    n_train: TrainSamples = 25,
    until_errors: Annotated[
        int | None,
        typer.Option(
            help="Go on in batches of so many samples, until so many have an error.", rich_help_panel=SCENARIO
        ),
    ] = None,
    max_samples: Annotated[
        float,
        typer.Option(min=1, help="Most samples for each pilot matrix, of --until-errors.", rich_help_panel=SCENARIO),
    ] = 1e6,
    seed: Seed = 0,
    solver: SolverNames = None,
    tol: Annotated[
        float, typer.Option(help="Tolerance of every solver, in its own terms.", rich_help_panel=PANEL)
    ] = 1e-3,
    max_iter: Annotated[
        int | None, typer.Option(help="Most iterations of every solver [its own].", rich_help_panel=PANEL)
    ] = None,
    paper_iterations: Annotated[
        bool, typer.Option("--paper-iterations", help="Run the paper's fixed counts instead.", rich_help_panel=PANEL)
    ] = False,
    option: SolverOptions = None,
    output: Figure = Path("compare.png"),
    overwrite: Overwrite = False,
    **tuning: str | None,
) -> None:
    """Compare solvers over pilot lengths, or whatever varies: a table, a figure and a CSV file.

    With no option, all on the paper's scenario with N = 100. Every figure is averaged over draws of the pilots,
    and ± is the 95 % interval over these draws. The detection threshold of every solver is learned on training samples.
    """
    from mmvsolvers.cli.waiting import foreseen
    from mmvsolvers.comparison import Samples, draw_figure, title_of
    from mmvsolvers.comparison import compare as run
    from mmvsolvers.registry import all_solvers
    from mmvsolvers.stopping import UntilErrors
    from mmvsolvers.sweep import grid, value_at
    from mmvsolvers.tables import records, write_csv

    table_file = check_figure(output, overwrite)
    scenario = said.build()
    chosen = chosen_solvers(solver) if solver else all_solvers(hasattr(scenario.activity, "groups"))
    sweeps = _sweeps(said, scenario, sweep or [])
    variants = grid(scenario, sweeps)
    samples = Samples(n_train=n_train, n_test=n_test, n_draws=n_draws, seed=seed)
    tuned = chosen_options(chosen, tuning, option or ())
    options = {entry.name: _options(entry, tuned[entry.name], tol, max_iter, paper_iterations) for entry in chosen}
    varied = [name for name, values in sweeps.items() if len(values) > 1] or list(sweeps)[:1]
    until = None if until_errors is None else UntilErrors(n_errors=until_errors, max_samples=int(max_samples))
    found = run(variants, samples, chosen, options, until)
    kinds = [entry.name for _ in variants for entry in chosen]
    rows = list(foreseen(found, "comparing", kinds, _Guess(variants[0], samples, chosen, options)))
    headings = [", ".join(f"{name} = {value_at(row.scenario, name)}" for name in varied) for row in rows]
    wide_console().print(title_of(variants[0], varied), result_table(rows, headings), sep="\n")
    for line in notes(rows):
        typer.echo(line)
    measured = str(samples) if until is None else f"until {until.n_errors} samples in error on each of {n_draws} pilots"
    write_csv(table_file, records(rows, samples, until))
    draw_figure(output, rows, varied, measured)
    typer.echo(f"wrote {output} and {table_file}")


def _sweeps(said: ScenarioOptions, scenario: "Scenario", sweep: list[str]) -> dict[str, list[Any]]:
    """Return what varies: what --sweep and several pilot lengths say; the paper's lengths if nothing is said."""
    named = said.named()
    sweeps: dict[str, list[Any]] = {"L": said.lengths} if said.lengths else {}
    for text in sweep:
        if "=" in text or named is None:
            sweeps |= [sweep_of(text)]
        else:
            sweeps[text] = named.values(text)
    if sweeps or said.scenario or named is None or not isinstance(scenario.pilots, str):
        return sweeps or {"L": [scenario.L]}
    return {"L": named.values("L")}


@dataclass(frozen=True)
class _Guess:
    """What compiles a solver and guesses the seconds that its first row takes, from a few samples."""

    scenario: "Scenario"
    samples: "Samples"
    solvers: "Sequence[Solver]"
    options: "Mapping[str, dict[str, Any]]"

    def __call__(self, name: str) -> float:
        from mmvsolvers.evaluation import evaluate

        few = replace(self.samples, n_train=2, n_test=2).draw(self.scenario, 0)
        solver = next(solver for solver in self.solvers if solver.name == name)
        total = self.samples.n_draws * (self.samples.n_train + self.samples.n_test)
        return total * evaluate(solver, *few, **self.options[name]).seconds_per_sample


def _options(
    solver: "Solver", tuned: dict[str, Any], tol: float, max_iter: int | None, paper_iterations: bool
) -> dict[str, Any]:
    """Return a solver's options: the iterations that all are given, and what it is tuned by."""
    options: dict[str, Any] = {"tol": tol}
    if paper_iterations and solver.paper_iterations is not None:
        options = {"tol": 0.0, "max_iter": solver.paper_iterations}
    if max_iter is not None:
        options["max_iter"] = max_iter
    return {name: value for name, value in options.items() if name in solver.options} | tuned
