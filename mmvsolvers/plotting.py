"""One style for all figures, for the colour-blind and for print in black and white."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mmvsolvers.metrics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color universal design", 2008, without the yellow, which paper does not show.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "h")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)))
STYLE: dict[Any, Any] = {
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "savefig.dpi": 200,
}


# Colour is the family, marker and line are the member: what is drawn often looks alike in all figures, of all versions.
STYLES: Mapping[str, int] = MappingProxyType(
    {
        "group_lasso_bcd": 0, "group_lasso_nn": 7, "group_lasso_weak": 14, "group_lasso_unit": 21,
        "group_lasso_bcd-own-weights": 28, "group_lasso_bcd-groups": 35, "group_lasso_admm-groups": 42,
        "group_lasso_admm": 49,
        "amp_mmse": 1, "amp_nn": 8, "amp_adaptive": 15, "amp_unit": 22, "coupled_amp_nn": 29,
        "em_ep": 36, "amp_mmse-groups": 43, "amp_true_prior": 50,
        "ml_cd": 2, "ml_psca": 9, "ml_unit": 16, "m_sbl": 23, "ml_cd-dense-start": 30,
        "map_cd": 3, "map_nn": 10, "map_psca": 17, "coupled_map_nn": 24, "map_cd-groups": 31, "psca_nn": 38,
        "transformer_nn": 45,
        "covariance_lasso": 4, "covariance_nn": 11, "covariance_lasso_unit": 18,
        "ml_mmse": 5, "somp": 12, "ml_mmse_unit": 19, "coupled_mmse_nn": 26,
        "oracle_mmse": 6, "gibbs": 13, "gaussian pilots": 27, "unit_norm pilots": 34, "gibbs-groups": 41,
        "optimum": 48,
        "group_lasso": 0, "amp": 1, "ml": 2, "map": 3,
    }
)  # fmt: skip
_FIRST_STRANGER = 100
# Inches that a row of the legend takes.
_LEGEND_ROW = 0.25
# With more abscissas than this, or names that are long, not every one gets a tick.
_MOST_TICKS = 9
# From this quotient of the largest and the least on, the abscissas are drawn on a logarithmic axis.
_WIDE = 30


@dataclass(frozen=True, slots=True)
class Curve:
    """Estimates of one scheme against x, a number or a word each."""

    name: str
    label: str
    x: Sequence[Any]
    estimates: Sequence[Estimate | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves with common axes; the error axis is logarithmic unless ``linear``."""

    curves: Sequence[Curve]
    xlabel: str
    ylabel: str
    title: str = ""
    linear: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return all(estimate is None for one in self.curves for estimate in one.estimates)


def draw_panels(path: Path, panels: Sequence[Panel], title: str, n_columns: int | None = None) -> None:
    """Draw panels with one legend, those without a curve left out; the legend takes a free place if there is one."""
    shown = [panel for panel in panels if not panel.is_empty]
    columns = min(n_columns or (2 if len(shown) == 4 else 3), max(len(shown), 1))
    names = list(dict.fromkeys(one.name for panel in shown for one in panel.curves))
    index_of = dict(zip(names, styles(names), strict=True))
    with figure(columns, -(-len(shown) // columns) or 1) as (canvas, axes):
        for ax, panel in zip(axes, shown, strict=False):
            _draw_panel(ax, panel, index_of)
        canvas.suptitle(title)
        free = axes[len(shown) :]
        for ax in free:
            ax.set_axis_off()
        handles = {label: line for ax in axes for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        if handles:
            legend = {"handles": list(handles.values()), "labels": list(handles)}
            if free and len(shown) > 1:
                free[0].legend(**legend, loc="center")
            else:
                n_legend = min(2 * columns, 4)
                more = max(-(-len(handles) // n_legend) - 2, 0)  # rows beyond the two that there is room for
                width, height = canvas.get_size_inches()
                canvas.set_size_inches(width, height + _LEGEND_ROW * more)
                canvas.legend(**legend, loc="outside lower center", ncols=n_legend)
        save(canvas, path)


def styles(names: Sequence[str]) -> list[int]:
    """Return the index of every scheme's style; those without a place of their own come after all that have one."""
    strangers = [name for name in names if name not in STYLES]
    return [STYLES[name] if name in STYLES else _FIRST_STRANGER + strangers.index(name) for name in names]


def _draw_panel(ax: "Axes", panel: Panel, index_of: Mapping[str, int]) -> None:
    from matplotlib.ticker import NullLocator

    values = list(dict.fromkeys(at for one in panel.curves for at in one.x))
    numeric = all(isinstance(at, int | float) for at in values)
    place = {at: at for at in values} if numeric else {at: k for k, at in enumerate(values)}
    for one in panel.curves:
        pairs = sorted(zip((place[at] for at in one.x), one.estimates, strict=True), key=lambda pair: pair[0])
        curve(ax, [at for at, _ in pairs], [found for _, found in pairs], one.label, index_of[one.name])
    finish(ax, panel.xlabel, panel.ylabel)
    if panel.linear:
        ax.set_yscale("linear")
    if numeric and values and min(values) > 0 and max(values) > _WIDE * min(values):
        ax.set_xscale("log")
    if not numeric or len(values) <= _MOST_TICKS:
        labels = [f"{at:g}" if numeric else str(at) for at in values]
        ax.set_xticks([place[at] for at in values], labels)
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_title(panel.title, loc="left", fontsize="medium")


@contextmanager
def figure(n_columns: int, n_rows: int = 1) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Give a figure with its axes, row by row, in the common style; it needs no display."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(4.2 * n_columns, 3.2 * n_rows))
        axes = canvas.subplots(n_rows, n_columns, squeeze=False)
        yield canvas, list(axes.flat)


def curve(ax: "Axes", x: Sequence[float], estimates: Sequence[Estimate | None], label: str, index: int) -> None:
    """Draw estimates against x with their 95 % intervals; ``index`` picks colour, marker and line.

    Every other marker is open and larger, so that it is seen around another curve's at the same place. Unbounded
    intervals, as of a single sample, are left out.
    """
    points = [(at, e) for at, e in zip(x, estimates, strict=True) if e is not None]
    if not points:
        return
    half_widths = np.array([(e.mean - e.low, e.high - e.mean) for _, e in points]).T.clip(0.0)
    ax.errorbar(
        [at for at, _ in points],
        [e.mean for _, e in points],
        yerr=np.where(np.isfinite(half_widths), half_widths, np.nan),
        label=label,
        color=COLOURS[index % len(COLOURS)],
        marker=MARKERS[index % len(MARKERS)],
        linestyle=LINES[index % len(LINES)],
        markerfacecolor="none" if index % 2 else None,
        markersize=7.5 if index % 2 else 4.5,
        capsize=2,
        elinewidth=0.8,
    )


def finish(ax: "Axes", xlabel: str, ylabel: str) -> None:
    """Label the axes, with a logarithmic error axis where there is anything positive to show on it."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.get_lines()] or [np.zeros(0)])
    if (drawn > 0).any():
        ax.set_yscale("log", nonpositive="clip")


def save(canvas: "Figure", path: Path) -> None:
    """Write the figure in the format of the path's suffix, whole or not at all."""
    from mmvsolvers.writing import atomically

    with atomically(path) as stream:
        canvas.savefig(stream, format=path.suffix.lstrip("."))
