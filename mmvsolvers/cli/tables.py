"""What a comparison prints: a line for each solver, what it was told, and what to do about those that failed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

    from mmvsolvers.comparison import Row
    from mmvsolvers.metrics import Estimate

# As wide as the table is with the longest intervals; where there are fewer columns, lines are folded and not cut.
WIDTH = 112
ADVICE = {
    "open": "open: not converged; give more iterations (--max-iter) or a larger --tol.",
    "div.": "div.: diverged; its best iterate counts. Give AMP a smaller --damping, such as 0.3, or longer pilots.",
}


def result_table(rows: "Sequence[Row]", headings: Sequence[str]) -> "Table":
    """Return the table of the rows, under a heading wherever it changes."""
    from rich import box
    from rich.table import Table

    names = ("solver", "MSE", "error rate", "PM", "PF", "ms", "open", "div.")
    table = Table(*names, box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    shown = None
    for row, heading in zip(rows, headings, strict=True):
        if heading != shown:
            shown = heading
            table.add_row(f"[bold]{heading}")
        found = row.evaluation
        table.add_row(
            row.solver.label,
            "" if found.mse is None else str(found.mse),
            str(found.error_rate),
            *(_rate(estimate) for estimate in (found.missed_detection, found.false_alarm)),
            f"{1e3 * found.seconds_per_sample:.3g}",
            *(_percent(count, found.n_samples) for count in (found.n_unconverged, found.n_diverged)),
        )
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
