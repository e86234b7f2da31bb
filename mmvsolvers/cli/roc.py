"""`mmv roc`: missed detection against false alarm."""

from pathlib import Path

import typer

from mmvsolvers.cli.outputs import Figure, Overwrite, check_figure
from mmvsolvers.cli.scenario_options import PilotDraws, ScenarioOptions, Seed, TestSamples, with_scenario
from mmvsolvers.cli.solver_options import SolverNames, SolverOptions, chosen_options, chosen_solvers, with_tuning


@with_tuning
@with_scenario()
def roc(
    said: ScenarioOptions,
    n_draws: PilotDraws = 4,
    n_samples: TestSamples = 500,
    seed: Seed = 0,
    solver: SolverNames = None,
    option: SolverOptions = None,
    output: Figure = Path("roc.png"),
    overwrite: Overwrite = False,
    **tuning: str | None,
) -> None:
    """Draw missed detection against false alarm, for solvers side by side on the same samples.

    Both axes are logarithmic, with 95 % intervals over the samples; the points and their thresholds go to a CSV file.
    """
    from mmvsolvers.cli.waiting import counted
    from mmvsolvers.roc_curves import draw_figure, measure_curves, records
    from mmvsolvers.tables import write_csv

    table_file = check_figure(output, overwrite)
    chosen = chosen_solvers(solver)
    said.only_length()
    scenario = said.build()
    options = chosen_options(chosen, tuning, option or ())
    found = measure_curves(scenario, chosen, n_samples=n_samples, n_draws=n_draws, seed=seed, options=options)
    curves = list(counted(found, "solving", len(chosen)))
    write_csv(table_file, records(curves, scenario, samples=n_samples, pilot_draws=n_draws, seed=seed))
    draw_figure(output, curves, f"{scenario}\n{n_samples} samples on each of {n_draws} draws of the pilots")
    typer.echo(f"wrote {output} and {table_file}")
