"""`mmv reproduce`, `mmv draw` and `mmv claims`: the figures and the claims of the paper."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmvsolvers.cli.packages import require

if TYPE_CHECKING:
    from mmvsolvers.paper.figures import Figure


class ScaleName(StrEnum):
    """How carefully figures are measured."""

    SMOKE = "smoke"
    QUICK = "quick"
    PAPER = "paper"


_Numbers = Annotated[list[int] | None, typer.Argument(metavar="FIGURE...", help="Numbers of figures, 3 to 12.")]


def reproduce(
    numbers: _Numbers = None,
    all_figures: Annotated[bool, typer.Option("--all", help="All ten figures.")] = False,
    scale: Annotated[
        ScaleName, typer.Option(help="smoke: minutes; quick: hours on two cores; paper: as published.")
    ] = ScaleName.QUICK,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory; a second start goes on there [paper-SCALE].")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on this machine [one a core].")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler to compute on instead, tcp://HOST:PORT; one thread a worker.")
    ] = None,
) -> None:
    """Measure figures of the paper, write their numbers to results.csv, and draw them.

    What has been measured in the directory is kept: a run that was killed goes on where it was.
    """
    require("pandas", "joblib", "torch", "safetensors")
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from mmvsolvers.paper import results
    from mmvsolvers.paper.run import Store, run
    from mmvsolvers.paper.scales import SCALES

    figures = _chosen(numbers or [], all_figures)
    directory = out or Path(f"paper-{scale}")
    store = Store(directory, SCALES[scale])
    columns = TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("")
        findings = run(
            figures,
            store,
            workers=workers or os.cpu_count() or 1,
            cluster=cluster,
            report=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    table = results.tabulate(figures, findings, SCALES[scale])
    results.write(directory / "results.csv", table)
    typer.echo(f"wrote {directory / 'results.csv'}")
    _draw(figures, directory / "results.csv", directory)


def draw(
    table: Annotated[Path, typer.Argument(metavar="RESULTS", help="What `mmv reproduce` wrote, results.csv.")],
    numbers: _Numbers = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to [beside RESULTS].")] = None,
) -> None:
    """Draw figures from their numbers [all that are there]."""
    require("pandas")
    from mmvsolvers.paper import results

    found = sorted(set(results.read(table)["figure"]))
    missing = [str(number) for number in numbers or [] if number not in found]
    if missing:
        raise ValueError(f"{table} has no figure {', '.join(missing)}; it has {', '.join(map(str, found))}")
    _draw(_chosen(numbers or found, False), table, out or table.parent)


def claims(
    table: Annotated[Path, typer.Argument(metavar="RESULTS", help="What `mmv reproduce` wrote, results.csv.")],
) -> None:
    """Hold the paper's claims against the numbers; prints Markdown."""
    require("pandas")
    from mmvsolvers.paper.claims import report
    from mmvsolvers.paper.results import read

    typer.echo(report(read(table)), nl=False)


def _chosen(numbers: Sequence[int], all_figures: bool) -> "list[Figure]":
    from mmvsolvers.paper.figures import FIGURES

    if all_figures == bool(numbers):
        raise ValueError(f"name figures, {min(FIGURES)} to {max(FIGURES)}, or give --all")
    unknown = [str(number) for number in numbers if number not in FIGURES]
    if unknown:
        raise ValueError(f"figures are {min(FIGURES)} to {max(FIGURES)}; got {', '.join(unknown)}")
    return [figure for number, figure in FIGURES.items() if all_figures or number in numbers]


def _draw(figures: "Sequence[Figure]", table: Path, directory: Path) -> None:
    from mmvsolvers.paper import drawing, results

    directory.mkdir(parents=True, exist_ok=True)
    rows = results.read(table)
    for figure in figures:
        path = directory / f"fig{figure.number}.png"
        drawing.draw(figure, rows, path)
        typer.echo(f"wrote {path}")
