"""The table of results that all comparisons share: a row for each solver and scenario, with all that led to it."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmvsolvers._versions import versions
from mmvsolvers.evaluation import Evaluation
from mmvsolvers.sweep import columns_of
from mmvsolvers.writing import write_table

if TYPE_CHECKING:
    from mmvsolvers.comparison import Row, Samples
    from mmvsolvers.stopping import UntilErrors

_ESTIMATES = ("mse", "error_rate", "sample_error_rate", "missed_detection", "false_alarm")
_COUNTS = ("threshold", "seconds_per_sample", "n_samples", "n_unconverged", "n_diverged")


def records(rows: "Sequence[Row]", samples: "Samples", until: "UntilErrors | None" = None) -> list[dict[str, Any]]:
    """Return the rows as records of a table: scenario, samples, what the solver was told, figures with intervals."""
    drawn: dict[str, Any] = {"train_samples": samples.n_train, "samples": samples.n_test}
    if until is not None:
        drawn |= {"until_errors": until.n_errors, "max_samples": until.max_samples}
    drawn |= {"pilot_draws": samples.n_draws, "seed": samples.seed}
    used = ["torch"] if "torch" in sys.modules else []
    return [
        columns_of(row.scenario)
        | ({"pilots": row.pilots} if row.pilots else {})
        | drawn
        | {"solver": row.solver.name, "told": " ".join(row.told), "options": json.dumps(dict(row.options), default=str)}
        | figures(row.evaluation)
        | {"versions": versions(*used)}
        for row in rows
    ]


def figures(found: Evaluation) -> dict[str, Any]:
    """Return what was measured, the ends of the intervals in columns of their own."""
    columns: dict[str, Any] = {}
    for name in _ESTIMATES:
        estimate = getattr(found, name)
        cells = (None, None, None) if estimate is None else (estimate.mean, estimate.low, estimate.high)
        columns |= dict(zip((name, f"{name}_low", f"{name}_high"), cells, strict=True))
    return columns | {name: getattr(found, name) for name in _COUNTS}


def write_csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as CSV, whole or not at all; what some of them lack stays empty."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    write_table(path, columns, ([record.get(name) for name in columns] for record in records))
