"""`mmv reproduce`: the figures of the paper, measured."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.packages import require
from mmvsolvers.cli.paper import Numbers, chosen_figures, draw_figures


class ScaleName(StrEnum):
    """How carefully figures are measured."""

    SMOKE = "smoke"
    QUICK = "quick"
    PAPER = "paper"


def reproduce(
    numbers: Numbers = None,
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

    from mmvsolvers.paper.results import write
    from mmvsolvers_nn.paper.run import Store, run
    from mmvsolvers_nn.paper.scales import SCALES
    from mmvsolvers_nn.paper.table import tabulate

    figures = chosen_figures(numbers or [], all_figures)
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
    table = tabulate(figures, findings, SCALES[scale])
    write(directory / "results.csv", table)
    typer.echo(f"wrote {directory / 'results.csv'}")
    draw_figures(figures, directory / "results.csv", directory)
