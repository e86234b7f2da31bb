"""`mmv compare`: all solvers side by side."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmvsolvers.cli.parsing import Case, activity_model, number_or_word

if TYPE_CHECKING:
    from rich.table import Table

    from mmvsolvers.comparison import Row
    from mmvsolvers.registry import Solver

_SCENE = "Scenario"
_TUNING = "Solvers"
_OUTPUT = "Output"


class Pilots(StrEnum):
    """The pilots of the baselines."""

    GAUSSIAN = "gaussian"
    UNIT_NORM = "unit-norm"
    LOW_COHERENCE = "low-coherence"


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
        Pilots, typer.Option(help="CN(0, 1), raw or with columns scaled to √L.", rich_help_panel=_SCENE)
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
        typer.Option("--solver", "-s", help="Name of a solver; repeatable [all].", rich_help_panel=_TUNING),
    ] = None,
    tol: Annotated[
        float, typer.Option(help="Tolerance of every solver, in its own terms.", rich_help_panel=_TUNING)
    ] = 1e-3,
    max_iter: Annotated[
        int | None, typer.Option(help="Most iterations of every solver [its own].", rich_help_panel=_TUNING)
    ] = None,
    paper_iterations: Annotated[
        bool, typer.Option("--paper-iterations", help="Run the paper's fixed counts instead.", rich_help_panel=_TUNING)
    ] = False,
    lam: Annotated[float | None, typer.Option(help="λ of GROUP LASSO [by rule].", rich_help_panel=_TUNING)] = None,
    rho: Annotated[str | None, typer.Option(help="ρ of ADMM, or adaptive [by rule].", rich_help_panel=_TUNING)] = None,
    damping: Annotated[
        str | None, typer.Option(help="Of AMP, a number or adaptive [adaptive].", rich_help_panel=_TUNING)
    ] = None,
    onsager: Annotated[
        str | None, typer.Option(help="Term of AMP, matrix or printed [matrix].", rich_help_panel=_TUNING)
    ] = None,
    column_scaling: Annotated[
        str | None, typer.Option(help="Of AMP, own or sqrt_length [own].", rich_help_panel=_TUNING)
    ] = None,
    upper: Annotated[float | None, typer.Option(help="Largest α of MAP [none].", rich_help_panel=_TUNING)] = None,
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
) -> None:
    """Compare solvers over pilot lengths: a table, a figure and a CSV file.

    With no option, all seven on the paper's scenario with N = 100. Every figure is averaged over draws of the pilots,
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
    tuning = {
        "lam": lam,
        "rho": rho and number_or_word(rho),
        "damping": damping and number_or_word(damping),
        "onsager": onsager,
        "column_scaling": column_scaling,
        "upper": upper,
        "max_iter": max_iter,
    }
    _check_tuning(tuning, chosen)
    options = {entry.name: _options(entry, tuning, tol, paper_iterations) for entry in chosen}
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


def _check_tuning(tuning: dict[str, Any], solvers: "list[Solver]") -> None:
    for name, value in tuning.items():
        if value is not None and not any(name in _tunable(solver) for solver in solvers):
            labels = ", ".join(solver.label for solver in solvers)
            raise ValueError(f"--{name.replace('_', '-')} is no option of what is compared: {labels}")


def _tunable(solver: "Solver") -> tuple[str, ...]:
    """Names of a solver's options; λ is GROUP LASSO's, since covariances have other units."""
    return tuple(name for name in solver.options if name != "lam" or solver.recovers_signal)


def _options(solver: "Solver", tuning: dict[str, Any], tol: float, paper_iterations: bool) -> dict[str, Any]:
    """Keep of the options those that the solver takes."""
    options = {name: value for name, value in tuning.items() if value is not None and name in _tunable(solver)}
    if paper_iterations:
        return {"max_iter": solver.paper_iterations, "tol": 0.0} | options
    return options | {"tol": tol}


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
