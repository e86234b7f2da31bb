"""The figures, from the table of results alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mmvsolvers import plotting
from mmvsolvers.paper.figures import SCHEMES, Figure, Panel
from mmvsolvers.paper.results import estimate_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "mse": "MSE",
    "error_rate": "error rate",
    "epsilon_ratio": "learned ε₁/ε₂",
    "coherence": "coherence of A",
    "block_coherence": "block-coherence of A",
    "sub_coherence": "sub-coherence of A",
    "seconds_per_sample": "seconds a sample",
}
# Not errors: a logarithmic axis would hide how they relate.
_LINEAR = ("epsilon_ratio", "coherence", "block_coherence", "sub_coherence")


def draw(figure: Figure, table: pd.DataFrame, path: Path) -> None:
    """Draw a figure's own schemes to ``path``, and, where there are some, the extras to "..._extras" beside it."""
    _draw(figure, table, figure.schemes, path)
    if figure.extras:
        classical = [name for name in figure.schemes if not SCHEMES[name].is_learned]
        _draw(figure, table, (*classical, *figure.extras), path.with_stem(f"{path.stem}_extras"))


def _draw(figure: Figure, table: pd.DataFrame, schemes: Sequence[str], path: Path) -> None:
    panels = [(N, panel) for N in figure.N for panel in figure.panels]
    shown = table[table["figure"] == figure.number]
    n_columns = min(len(panels), 3)
    with plotting.figure(n_columns, -(-len(panels) // n_columns)) as (canvas, axes):
        for ax, (N, panel) in zip(axes, panels, strict=False):
            rows = shown[(shown["panel"] == panel.letter) & (shown["N"] == N)]
            for scheme in schemes:
                _curve(ax, rows[(rows["scheme"] == scheme) & (rows["quantity"] == panel.quantity)], scheme)
            _finish(ax, panel, f"({panel.letter})" + (f" N={N}" if len(figure.N) > 1 else ""))
        for ax in axes[len(panels) :]:
            ax.remove()
        canvas.suptitle(f"Fig. {figure.number}: {figure.title}")
        handles = {label: line for ax in axes for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        if handles:
            canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
        plotting.save(canvas, path)


def _curve(ax: "Axes", rows: pd.DataFrame, scheme: str) -> None:
    estimates = [estimate_of(row) for _, row in rows.iterrows()]
    plotting.curve(ax, rows["x"].tolist(), estimates, SCHEMES[scheme].label, list(SCHEMES).index(scheme))


def _finish(ax: "Axes", panel: Panel, title: str) -> None:
    plotting.finish(ax, panel.x, _LABELS[panel.quantity])
    ax.set_title(title, loc="left", fontsize="medium")
    if panel.quantity in _LINEAR:
        ax.set_yscale("linear")
