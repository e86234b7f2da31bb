"""`mmv roc`: missed detection against false alarm."""

from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.compare import _check_suffix
from mmvsolvers.cli.parsing import ACTIVITY_HELP, activity_model
from mmvsolvers.cli.solver_options import PANEL, SolverOptions, chosen_options, with_tuning
from mmvsolvers.registry import SOLVERS, find_solver

_SCENE = "Scenario"
_OUTPUT = "Output"


@with_tuning
def roc(
    L: Annotated[int, typer.Option("--pilot-length", "-L", help="Pilot length L.", rich_help_panel=_SCENE)] = 12,
    N: Annotated[int, typer.Option("--devices", "-N", help="Number of devices N.", rich_help_panel=_SCENE)] = 100,
    M: Annotated[int, typer.Option("--antennas", "-M", help="Number of antennas M.", rich_help_panel=_SCENE)] = 4,
    case: Annotated[str, typer.Option("--activity", help=ACTIVITY_HELP, rich_help_panel=_SCENE)] = "independent",
    p: Annotated[
        float, typer.Option("--activity-prob", "-p", help="Average activity probability.", rich_help_panel=_SCENE)
    ] = 0.1,
    ratio: Annotated[
        float, typer.Option(help="p1/p2 of the two halves, of 'independent'.", rich_help_panel=_SCENE)
    ] = 3.0,
    groups: Annotated[int, typer.Option(help="Number of groups, of 'groups'.", rich_help_panel=_SCENE)] = 20,
    noise_var: Annotated[float | None, typer.Option(help="σ² of an entry of Y [0.1].", rich_help_panel=_SCENE)] = None,
    snr_db: Annotated[float | None, typer.Option(help="SNR, in the place of σ².", rich_help_panel=_SCENE)] = None,
    n_draws: Annotated[
        int, typer.Option("--pilot-draws", min=1, help="Pilot matrices to pool.", rich_help_panel=_SCENE)
    ] = 4,
    n_samples: Annotated[
        int, typer.Option("--samples", min=1, help="Samples for each pilot matrix.", rich_help_panel=_SCENE)
    ] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.", rich_help_panel=_SCENE)] = 0,
    solver: Annotated[
        list[str] | None,
        typer.Option(
            "--solver", "-s", help="A name, or your own at file.py:object; repeatable [all].", rich_help_panel=PANEL
        ),
    ] = None,
    option: SolverOptions = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="PNG, PDF or SVG; a CSV goes beside it.", rich_help_panel=_OUTPUT),
    ] = Path("roc.png"),
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.", rich_help_panel=_OUTPUT)] = False,
    **tuning: str | None,
) -> None:
    """Draw missed detection against false alarm, for solvers side by side on the same samples.

    Both axes are logarithmic, with 95 % intervals over the samples; the points and their thresholds go to a CSV file.
    """
    from rich.console import Console
    from rich.progress import track

    from mmvsolvers.roc_curves import draw_figure, measure_curves, write_csv
    from mmvsolvers.scenario import Scenario
    from mmvsolvers.writing import check_output

    table_file = output.with_suffix(".csv")
    _check_suffix(output)
    for path in (output, table_file):
        check_output(path, overwrite)
    chosen = [find_solver(name) for name in dict.fromkeys(solver or SOLVERS)]
    scenario = Scenario(
        N=N,
        L=L,
        M=M,
        activity=activity_model(case, p, ratio, groups),
        noise_var=0.1 if noise_var is None and snr_db is None else noise_var,
        snr_db=snr_db,
    )
    options = chosen_options(chosen, tuning, option or ())
    found = measure_curves(scenario, chosen, n_samples=n_samples, n_draws=n_draws, seed=seed, options=options)
    curves = list(track(found, "solving", total=len(chosen), console=Console(stderr=True), transient=True))
    draw_figure(output, curves, str(scenario))
    write_csv(table_file, curves)
    typer.echo(f"wrote {output} and {table_file}")
