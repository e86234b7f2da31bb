"""`mmv compare`: all solvers side by side."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmvsolvers.cli.parsing import Case, activity_model
from mmvsolvers.cli.solver_options import PANEL, SolverOptions, chosen_options, with_tuning

if TYPE_CHECKING:
    from rich.table import Table

    from mmvsolvers.comparison import Row
    from mmvsolvers.registry import Solver

_SCENE = "Scenario"
_OUTPUT = "Output"


class Pilots(StrEnum):
    """The pilots of the baselines."""

    GAUSSIAN = "gaussian"
    UNIT_NORM = "unit-norm"
    LOW_COHERENCE = "low-coherence"
    QPSK = "qpsk"


@with_tuning
def compare(
    lengths: Annotated[
        str, typer.Option("--pilot-lengths", "-L", help="L, separated by commas.", rich_help_panel=_SCENE)
    ] = "8,12,16,20",
    N: Annotated[int, typer.Option("--devices", "-N", help="Number of devices N.", rich_help_panel=_SCENE)] = 100,
    M: Annotated[int, typer.Option("--antennas", "-M", help="Number of antennas M.", rich_help_panel=_SCENE)] = 4,
    case: Annotated[Case, typer.Option("--activity", help="Who is active.", rich_help_panel=_SCENE)] = Case.INDEPENDENT,
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
        Pilots,
        typer.Option(
            help="CN(0, 1), raw or with columns scaled to √L, spread apart; or QPSK symbols.", rich_help_panel=_SCENE
        ),
    ] = Pilots.GAUSSIAN,
    correlation: Annotated[
        float,
        typer.Option("--antenna-correlation", help="Correlation of neighbouring antennas.", rich_help_panel=_SCENE),
    ] = 0.0,
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
    """Compare solvers over pilot lengths: a table, a figure and a CSV file.

    With no option, all on the paper's scenario with N = 100. Every figure is averaged over draws of the pilots,
    and ± is the 95 % interval over these draws. The detection threshold of every solver is learned on training samples.
    """
    from rich.console import Console
    from rich.progress import track

    from mmvsolvers.comparison import Setting, draw_figure, write_csv
    from mmvsolvers.comparison import compare as run
    from mmvsolvers.files import refuse_to_overwrite
    from mmvsolvers.registry import SOLVERS, find_solver

    table_file = output.with_suffix(".csv")
    _check_suffix(output)
    for path in (output, table_file):
        refuse_to_overwrite(path, overwrite)
    chosen = [find_solver(name) for name in dict.fromkeys(solver or SOLVERS)]
    setting = Setting(
        N=N,
        M=M,
        activity=activity_model(case, p, ratio, groups),
        noise_var=0.1 if noise_var is None and snr_db is None else noise_var,
        snr_db=snr_db,
        pilots=pilots.value.replace("-", "_"),
        antenna_correlation=correlation,
        n_train=n_train,
        n_test=n_test,
        n_draws=n_draws,
        seed=seed,
    )
    tuned = chosen_options(chosen, tuning, option or ())
    options = {entry.name: _options(entry, tuned[entry.name], tol, max_iter, paper_iterations) for entry in chosen}
    pilot_lengths = _lengths(lengths)
    found = run(setting, pilot_lengths, chosen, options)
    total = len(pilot_lengths) * len(chosen)
    rows = list(track(found, "comparing", total=total, console=Console(stderr=True), transient=True))
    title = f"N={N}, M={M}, {setting.activity}, " + (
        f"SNR={snr_db:g} dB" if snr_db is not None else f"σ²={setting.noise_var:g}"
    )
    Console().print(title, _table(rows), sep="\n")
    typer.echo("ms: a sample; open, div.: test problems that did not converge, that diverged")
    draw_figure(output, rows, title)
    write_csv(table_file, rows)
    typer.echo(f"wrote {output} and {table_file}")


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


def _table(rows: "list[Row]") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table("solver", "MSE", "error rate", "ms", "open", "div.", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    length = None
    for row in rows:
        if length != row.L:
            length = row.L
            table.add_row(f"[bold]L = {length}")
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
