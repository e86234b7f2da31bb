"""The tidy table of what was found: a row for each figure, panel, abscissa, scheme and quantity."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmvsolvers.metrics import Estimate
from mmvsolvers.writing import write_text

COLUMNS = (
    "figure", "panel", "x_name", "x", "case", "N", "L", "M", "p", "ratio", "G", "scheme", "pilots", "quantity",
    "mean", "low", "high", "samples", "draws", "spread", "seconds", "seed", "scale", "versions",
)  # fmt: skip


def write(path: Path, table: pd.DataFrame) -> None:
    """Write the table as CSV, whole or not at all."""
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """Read a table that `write` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is another kind of file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"{path} is no table of `mmv reproduce`: it lacks {', '.join(missing)}")
    return table


def estimate_of(row: pd.Series) -> Estimate | None:
    """Return the figure in a row, or None where there is none."""
    return None if np.isnan(row["mean"]) else Estimate(row["mean"], row["low"], row["high"], int(row["samples"]))
