"""What comparisons print: a line for each solver, what it was told, and what to do about those that failed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mmvsolvers.comparison import Row
    from mmvsolvers.evaluation import Evaluation
    from mmvsolvers.metrics import Estimate

# As wide as the tables are with the longest intervals; where there are fewer columns, lines are folded and not cut.
_WIDTH = 124
_MEASURED = ("MSE", "error rate", "PM", "PF", "ms", "open", "div.")
ADVICE = {
    "open": "open: not converged; give more iterations (--max-iter) or a larger --tol.",
    "div.": "div.: diverged; its best iterate counts. Give AMP a smaller --damping, such as 0.3, or longer pilots.",
}


def result_table(rows: "Sequence[Row]", headings: Sequence[str]) -> "Table":
    """Return the table of the rows, under a heading wherever it changes."""
    table = _table("solver")
    shown = None
    for row, heading in zip(rows, headings, strict=True):
        if heading != shown:
            shown = heading
            table.add_row(f"[bold]{heading}")
        table.add_row(row.label, *cells(row.evaluation))
    return table


def table_beside(rows: "Sequence[Row]", heading: str) -> "Table":
    """Return the table of rows on one scenario, with what sets them apart beside the solver, under ``heading``."""
    table = _table("solver", heading)
    for row in rows:
        table.add_row(row.label, row.pilots, *cells(row.evaluation))
    return table


def cells(found: "Evaluation") -> list[str]:
    """Return what was measured, as tables show it."""
    return [
        "" if found.mse is None else str(found.mse),
        str(found.error_rate),
        *(_rate(estimate) for estimate in (found.missed_detection, found.false_alarm)),
        f"{1e3 * found.seconds_per_sample:.3g}",
        *(_percent(count, found.n_samples) for count in (found.n_unconverged, found.n_diverged)),
    ]


def wide_console() -> "Console":
    """Return a console that cuts no table, be the terminal as narrow as it may."""
    from rich.console import Console

    console = Console()
    console.width = max(console.width, _WIDTH)
    return console


def _table(*first: str) -> "Table":
    """Return an empty table whose first columns say whose row it is."""
    from rich import box
    from rich.table import Table

    table = Table(*first, *_MEASURED, box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    return table


def notes(rows: "Sequence[Row]") -> Iterator[str]:
    """Yield the lines below the table."""
    yield "PM, PF: missed detection, false alarm; ms: a sample; open, div.: share of the test problems"
    told: dict[str, list[str]] = {}
    for row in rows:
        labels = told.setdefault(", ".join(row.told) or "nothing", [])
        if row.solver.label not in labels:
            labels.append(row.solver.label)
    for what, labels in told.items():
        yield f"told {what}: {'; '.join(labels)}"
    if any(np.ptp(row.scenario.activity.marginal(row.scenario.N)) > 0 for row in rows):
        yield "activity_prob: ε(n) of every device, not their average p"
    if any(row.evaluation.n_unconverged for row in rows):
        yield ADVICE["open"]
    if any(row.evaluation.n_diverged for row in rows):
        yield ADVICE["div."]


def _rate(estimate: "Estimate | None") -> str:
    return "" if estimate is None else f"{estimate.mean:.2g}"


def _percent(count: int, total: int) -> str:
    if not count:
        return ""
    share = 100 * count / total
    return "<1 %" if share < 1 else f"{share:.0f} %"
