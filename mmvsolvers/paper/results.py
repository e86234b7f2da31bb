"""The tidy table of what was found: a row for each figure, panel, abscissa, scheme and quantity."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from mmvsolvers.metrics import Estimate
from mmvsolvers.paper.figures import FIGURES, SCHEMES
from mmvsolvers.writing import write_text

# Of every table; arguments of activity and channel models that only some have come after them.
COLUMNS = (
    "figure", "panel", "x_name", "x", "case", "N", "L", "M", "activity", "activity.p", "channel", "noise_var", "snr_db",
    "scheme", "pilots", "quantity", "mean", "low", "high", "samples", "draws", "spread", "seconds", "seed", "scale",
    "protocol", "versions",
)  # fmt: skip
# How points are measured, by the number that every row has.
PROTOCOLS: Mapping[int, str] = MappingProxyType(
    {
        1: "AMP is told every device's own ε(n), learned ε(n) start from it, and samples are as many as the scale says",
        2: "AMP is told the average activity p unless it says “true ε”, learned ε(n) start from p, and samples are "
        "added until enough have an error",
    }
)
_NUMBERS = ("figure", "x", "N", "mean", "low", "high", "samples", "protocol")
_WORDS = ("panel", "quantity", "scale", "versions")
_PLACE = ["figure", "panel", "N", "x"]
# What differs between two measurements of one point; the rest is its scenario.
_OF_A_MEASUREMENT = (
    "scheme", "pilots", "quantity", "mean", "low", "high", "samples", "draws", "spread", "seconds", "seed", "protocol",
    "versions",
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
        table = pd.read_csv(path, compression=None)
    except ValueError as error:  # pandas' own are kinds of it, as are those of encodings
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    fault = _fault(table)
    if fault:
        raise ValueError(f"{path} is no table of `mmv reproduce`: {fault}")
    return table


def merge(table: pd.DataFrame, newer: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the points of a newer one: what was measured anew in the place of what there was.

    Raises
    ------
    ValueError
        If an abscissa has another scenario, or another scale, in the one than in the other.
    """
    _refuse_other_scenarios(table, newer)
    point = [*_PLACE, "scheme"]
    known, found = (pd.MultiIndex.from_frame(rows[point]) for rows in (table, newer))
    chosen = found.isin(found[newer["mean"].notna()]) | ~found.isin(known)
    kept = ~known.isin(found[chosen])
    merged = pd.concat([table[kept], newer[chosen]], ignore_index=True)
    order = known.append(found).drop_duplicates()
    place = order.get_indexer(known[kept].append(found[chosen]))
    return merged.iloc[np.lexsort((place, merged["figure"]))].reset_index(drop=True)


def _refuse_other_scenarios(table: pd.DataFrame, newer: pd.DataFrame) -> None:
    names = [name for name in table.columns if name in newer and name not in (*_PLACE, *_OF_A_MEASUREMENT)]
    old, new = (rows.drop_duplicates(_PLACE).set_index(_PLACE)[names].map(_written) for rows in (table, newer))
    old, new = old.align(new, join="inner", axis="index")
    differs = old.ne(new)
    if differs.to_numpy().any():
        name = str(differs.any().idxmax())
        place = differs[name].idxmax()
        raise ValueError(
            f"figure {place[0]} has other scenarios there: {name} was {old.loc[place, name] or 'none'} and is now "
            f"{new.loc[place, name] or 'none'}; choose another directory"
        )


def _written(value: object) -> str:
    """Return a value as it is in a file."""
    if isinstance(value, str):
        return value
    return "" if pd.isna(value) else f"{value:.6g}"


def _fault(table: pd.DataFrame) -> str | None:
    """Say what a table is refused for, if anything."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        return f"it lacks {', '.join(missing)}"
    measured = table[table["mean"].notna()]
    for name in _NUMBERS:
        if table[name].dtype.kind not in "if" or measured[name].isna().any():
            return f"{name} must hold numbers"
    for name in _WORDS:
        if not all(isinstance(value, str) for value in (measured if name == "versions" else table)[name]):
            return f"{name} must hold words"
    if not np.isfinite(measured[["mean", "low", "high"]].to_numpy()).all():
        return "mean, low and high must be finite"
    if not ((measured["low"] <= measured["mean"]) & (measured["mean"] <= measured["high"])).all():
        return "mean must be between low and high"
    for name in ("L", "M", "noise_var", "snr_db", "activity.p"):
        if table[name].dtype.kind not in "if":
            return f"{name} must hold numbers"
    for name, known in (("figure", FIGURES), ("scheme", SCHEMES), ("protocol", PROTOCOLS)):
        unknown = sorted({str(value) for value in table[name]} - {str(key) for key in known})
        if unknown:
            return f"there is no {name} {', '.join(unknown[:3])}"
    return None


def estimate_of(row: pd.Series) -> Estimate | None:
    """Return the figure in a row, or None where there is none."""
    return None if np.isnan(row["mean"]) else Estimate(row["mean"], row["low"], row["high"], int(row["samples"]))
