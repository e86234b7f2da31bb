"""`mmv compare`: all solvers side by side."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmvsolvers.cli.parsing import ACTIVITY_HELP, activity_model, own_object, pilots_of, sweep_of
from mmvsolvers.cli.solver_options import PANEL, SolverOptions, chosen_options, with_tuning

if TYPE_CHECKING:
    from rich.table import Table

    from mmvsolvers.comparison import Row
    from mmvsolvers.registry import Solver

_SCENE = "Scenario"
_OUTPUT = "Output"
_DEFAULT_L, _DEFAULT_LENGTHS = 12, (8, 12, 16, 20)


@with_tuning
def compare(
    lengths: Annotated[
        str | None,
        typer.Option("--pilot-lengths", "-L", help="L, separated by commas [8,12,16,20].", rich_help_panel=_SCENE),
    ] = None,
    N: Annotated[int, typer.Option("--devices", "-N", help="Number of devices N.", rich_help_panel=_SCENE)] = 100,
    M: Annotated[int, typer.Option("--antennas", "-M", help="Number of antennas M.", rich_help_panel=_SCENE)] = 4,
    case: Annotated[str, typer.Option("--activity", help=ACTIVITY_HELP, rich_help_panel=_SCENE)] = "independent",
    p: Annotated[
        float,
        typer.Option(
            "--activity-prob", "-p", help="Average probability that a device is active.", rich_help_panel=_SCENE
        ),
    ] = 0.1,
    ratio: Annotated[
        float, typer.Option(help="p1/p2 of the two halves, of 'independent'.", rich_help_panel=_SCENE)
    ] = 3.0,
    groups: Annotated[int, typer.Option(help="Number of groups, of 'groups'.", rich_help_panel=_SCENE)] = 20,
    noise_var: Annotated[float | None, typer.Option(help="σ² of an entry of Y [0.1].", rich_help_panel=_SCENE)] = None,
    snr_db: Annotated[float | None, typer.Option(help="SNR, in the place of σ².", rich_help_panel=_SCENE)] = None,
    pilots: Annotated[
        str,
        typer.Option(
            help="gaussian, unit-norm, low-coherence or qpsk; or your own, as file.mat:A.", rich_help_panel=_SCENE
        ),
    ] = "gaussian",
    channel: Annotated[
        str | None,
        typer.Option(help="Such as 'Rician(k_factor_db=3)', or your own class [Rayleigh].", rich_help_panel=_SCENE),
    ] = None,
    correlation: Annotated[
        float,
        typer.Option("--antenna-correlation", help="Correlation of neighbouring antennas.", rich_help_panel=_SCENE),
    ] = 0.0,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="Vary anything above, or an argument of a model; repeatable, for the product.",
            rich_help_panel=_SCENE,
        ),
    ] = None,
    n_draws: Annotated[
        int, typer.Option("--pilot-draws", min=1, help="Pilot matrices to average over.", rich_help_panel=_SCENE)
    ] = 4,
    n_test: Annotated[
        int, typer.Option("--samples", min=1, help="Test samples for each pilot matrix.", rich_help_panel=_SCENE)
    ] = 250,
    n_train: Annotated[
        int,
        typer.Option(
            "--train-samples", min=1, help="Samples that each threshold is learned on.", rich_help_panel=_SCENE
        ),
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.", rich_help_panel=_SCENE)] = 0,
    solver: Annotated[
        list[str] | None,
        typer.Option(
            "--solver", "-s", help="A name, or your own at file.py:object; repeatable [all].", rich_help_panel=PANEL
        ),
    ] = None,
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
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Figure, PNG, PDF or SVG; the numbers go to a CSV beside it.",
            rich_help_panel=_OUTPUT,
        ),
    ] = Path("compare.png"),
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.", rich_help_panel=_OUTPUT)] = False,
    **tuning: str | None,
) -> None:
    """Compare solvers over pilot lengths, or whatever varies: a table, a figure and a CSV file.

    With no option, all on the paper's scenario with N = 100. Every figure is averaged over draws of the pilots,
    and ± is the 95 % interval over these draws. The detection threshold of every solver is learned on training samples.
    """
    from rich.console import Console
    from rich.progress import track

    from mmvsolvers.channels import ChannelModel, Rayleigh
    from mmvsolvers.comparison import Samples, draw_figure, records, title_of, write_csv
    from mmvsolvers.comparison import compare as run
    from mmvsolvers.registry import SOLVERS, find_solver
    from mmvsolvers.scenario import Scenario
    from mmvsolvers.sweep import grid
    from mmvsolvers.writing import check_output

    table_file = output.with_suffix(".csv")
    _check_suffix(output)
    for path in (output, table_file):
        check_output(path, overwrite)
    chosen = [find_solver(name) for name in dict.fromkeys(solver or SOLVERS)]
    scenario = Scenario(
        N=N,
        L=_DEFAULT_L,
        M=M,
        activity=activity_model(case, p, ratio, groups),
        channel=own_object("--channel", channel, ChannelModel) if channel else Rayleigh(1.0, correlation),
        noise_var=0.1 if noise_var is None and snr_db is None else noise_var,
        snr_db=snr_db,
    )
    given, sweeps = pilots_of(pilots), _sweeps(lengths, sweep or [])
    if not isinstance(given, str) and "L" not in dict(sweep_of(text) for text in sweep or []) and lengths is None:
        sweeps = {"L": [len(given)]} | {name: values for name, values in sweeps.items() if name != "L"}
    variants = [replace(one, pilots=given) if "pilots" not in sweeps else one for one in grid(scenario, sweeps)]
    samples = Samples(n_train=n_train, n_test=n_test, n_draws=n_draws, seed=seed)
    tuned = chosen_options(chosen, tuning, option or ())
    options = {entry.name: _options(entry, tuned[entry.name], tol, max_iter, paper_iterations) for entry in chosen}
    varied = [name for name, values in sweeps.items() if len(values) > 1] or list(sweeps)[:1]
    found = run(variants, samples, chosen, options)
    total = len(variants) * len(chosen)
    rows = list(track(found, "comparing", total=total, console=Console(stderr=True), transient=True))
    Console().print(title_of(variants[0], varied), _table(rows, varied), sep="\n")
    typer.echo("ms: a sample; open, div.: test problems that did not converge, that diverged")
    draw_figure(output, rows, varied)
    write_csv(table_file, records(rows, samples))
    typer.echo(f"wrote {output} and {table_file}")


def _sweeps(lengths: str | None, sweep: list[str]) -> dict[str, list[Any]]:
    """Return what varies: the pilot length where nothing else does, and what --sweep says."""
    sweeps = dict(sweep_of(text) for text in sweep)
    if lengths is not None:
        return {"L": _lengths(lengths)} | sweeps
    return sweeps or {"L": list(_DEFAULT_LENGTHS)}


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--output must end in .png, .pdf or .svg; got {path}")


def _lengths(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise ValueError(f"--pilot-lengths must be integers separated by commas; got {text!r}") from None


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


def _table(rows: "list[Row]", varied: list[str]) -> "Table":
    from rich import box
    from rich.table import Table

    from mmvsolvers.sweep import value_at

    table = Table("solver", "MSE", "error rate", "ms", "open", "div.", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    shown = None
    for row in rows:
        if shown is not row.scenario:
            shown = row.scenario
            table.add_row("[bold]" + ", ".join(f"{name} = {value_at(shown, name)}" for name in varied))
        found = row.evaluation
        table.add_row(
            row.solver.label,
            "" if found.mse is None else str(found.mse),
            str(found.error_rate),
            f"{1e3 * found.seconds_per_sample:.3g}",
            str(found.n_unconverged or ""),
            str(found.n_diverged or ""),
        )
    return table
