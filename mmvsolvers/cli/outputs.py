"""Where a command's figure and its numbers go."""

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Output"

Figure = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Figure, PNG, PDF or SVG; the numbers go to a CSV beside it.", rich_help_panel=PANEL
    ),
]
Overwrite = Annotated[bool, typer.Option(help="Replace what is there.", rich_help_panel=PANEL)]


def check_figure(path: Path, overwrite: bool, suffix: str = ".csv") -> Path:
    """Return where the numbers of a figure go, beside it; refuse what cannot be written, before any work is done."""
    from mmvsolvers.writing import check_output

    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--output must end in .png, .pdf or .svg; got {path}")
    table = path.with_suffix(suffix)
    for one in (path, table):
        check_output(one, overwrite)
    return table
