"""`mmv draw` and `mmv claims`: the figures and the claims of the paper, from measured numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmvsolvers.cli.packages import require

if TYPE_CHECKING:
    from mmvsolvers.paper.figures import Figure

Numbers = Annotated[list[int] | None, typer.Argument(metavar="FIGURE...", help="Numbers of figures, 3 to 12.")]


def draw(
    table: Annotated[Path, typer.Argument(metavar="RESULTS", help="What `mmv reproduce` wrote, results.csv.")],
    numbers: Numbers = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to [beside RESULTS].")] = None,
) -> None:
    """Draw figures from their numbers [all that are there]."""
    require("pandas")
    from mmvsolvers.paper import results

    found = sorted(set(results.read(table)["figure"]))
    missing = [str(number) for number in numbers or [] if number not in found]
    if missing:
        raise ValueError(f"{table} has no figure {', '.join(missing)}; it has {', '.join(map(str, found))}")
    draw_figures(chosen_figures(numbers or found, False), table, out or table.parent)


def claims(
    table: Annotated[Path, typer.Argument(metavar="RESULTS", help="What `mmv reproduce` wrote, results.csv.")],
) -> None:
    """Hold the paper's claims against the numbers; prints Markdown."""
    require("pandas")
    from mmvsolvers.paper.claims import report
    from mmvsolvers.paper.results import read

    typer.echo(report(read(table)), nl=False)


def chosen_figures(numbers: Sequence[int], all_figures: bool) -> "list[Figure]":
    """Return the figures of some numbers, or all."""
    from mmvsolvers.paper.figures import FIGURES

    if all_figures == bool(numbers):
        raise ValueError(f"name figures, {min(FIGURES)} to {max(FIGURES)}, or give --all")
    unknown = [str(number) for number in numbers if number not in FIGURES]
    if unknown:
        raise ValueError(f"figures are {min(FIGURES)} to {max(FIGURES)}; got {', '.join(unknown)}")
    return [figure for number, figure in FIGURES.items() if all_figures or number in numbers]


def draw_figures(figures: "Sequence[Figure]", table: Path, directory: Path) -> None:
    """Draw figures from the numbers in a table, into a directory."""
    from mmvsolvers.paper import drawing, results

    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is no directory")
    directory.mkdir(parents=True, exist_ok=True)
    rows = results.read(table)
    for figure in figures:
        path = directory / f"fig{figure.number}.png"
        drawing.draw(figure, rows, path)
        typer.echo(f"wrote {path}")
