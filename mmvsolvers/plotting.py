"""One style for all figures, for the colour-blind and for print in black and white."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
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
