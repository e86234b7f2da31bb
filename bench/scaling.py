"""How time and memory grow with N, L, M and T: ``python -m bench.scaling``.

Every solver makes ten of its iterations, one thread, each point in a process of its own, on data drawn in place.
Memory is what the call adds at its peak to the data. The exponents are those of the upper half of every axis, fitted by
least squares with their 95 % intervals; the points, the exponents and the figure lie in ``results/``.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator
from scipy.stats import linregress, t

import mmvsolvers as mmv
from bench.conditions import conditions
from mmvsolvers.plotting import COLOURS, LINES, MARKERS, figure, save

RESULTS = Path(__file__).parent / "results"
BASE = {"N": 1000, "L": 100, "M": 16, "T": 1}
SMALL = {"N": 100, "L": 20, "M": 4, "T": 1}
AXES = {
    "N": (BASE, (100, 300, 1000, 2000, 4000, 10_000, 20_000)),
    "L": (BASE, (20, 50, 100, 200, 400, 800)),
    "M": (BASE, (1, 4, 16, 64, 128, 256)),
    "T": (SMALL, (10, 30, 100, 300, 1000, 3000)),
}
# The first call compiles; the kernel forgets the peak before the second.
CALL = """
import json, sys, time
import numpy as np
import mmvsolvers as mmv
from mmvsolvers._blas import one_thread
name, size = sys.argv[1], json.loads(sys.argv[2])
N, L, M, T = (size[axis] for axis in "NLMT")
rng = np.random.default_rng(0)
A = np.empty((L, N), complex)
for row in A:
    row.real, row.imag = rng.standard_normal((2, N)) / np.sqrt(2)
Y = np.empty((T, L, M), complex)
for Y_t in Y:
    active = rng.choice(N, max(1, min(N, L) // 5), replace=False)
    X = rng.standard_normal((active.size, M)) + 1j * rng.standard_normal((active.size, M))
    Y_t[:] = A[:, active] @ X + 0.3 * rng.standard_normal((L, M))
solver = mmv.SOLVERS[name]
options = solver.example | {"max_iter": 10, "tol": 0.0}
def memory(entry):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) * 1024
seconds = []
with one_thread():
    solver.run(A[:8, :16], Y[:1, :8, :1], **options)
    open("/proc/self/clear_refs", "w").write("5")
    before = memory("VmRSS")
    while len(seconds) < 3 or (sum(seconds) < 0.3 and len(seconds) < 50):
        start = time.perf_counter()
        solver.run(A, Y, **options)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            peak = memory("VmHWM") - before
print(np.median(seconds), peak, A.nbytes + Y.nbytes)
"""
Point = dict[str, Any]


def measure(name: str, axis: str, value: int) -> Point:
    """Return one point: its sizes, the median seconds, and the bytes that call and data took."""
    size = AXES[axis][0] | {axis: value}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CALL, name, json.dumps(size)], capture_output=True, text=True, check=True
    )
    seconds, peak, data = done.stdout.split()
    return {"solver": name, "axis": axis} | size | {"seconds": float(seconds), "mb": (int(peak) + int(data)) / 1e6}


def exponent(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return the slope of log y over log x, and half the width of its 95 % interval."""
    fit = linregress(np.log(x), np.log(y))
    return float(fit.slope), float(t.ppf(0.975, len(x) - 2) * fit.stderr)


def exponents(points: Sequence[Point]) -> list[Point]:
    """Return the exponents of time and memory for every solver and axis, fitted to the upper points."""
    rows = []
    for axis, (_, values) in AXES.items():
        upper = values[-4:]
        for name in mmv.SOLVERS:
            found = [p for p in points if (p["solver"], p["axis"]) == (name, axis) and p[axis] in upper]
            row: Point = {"solver": name, "axis": axis, "from": upper[0], "to": upper[-1]}
            for quantity in ("seconds", "mb"):
                slope, half_width = exponent([p[axis] for p in found], [p[quantity] for p in found])
                row |= {f"{quantity}_exponent": round(slope, 2), f"{quantity}_ci95": round(half_width, 2)}
            rows.append(row)
    return rows


def draw(points: Sequence[Point], fitted: Sequence[Point]) -> None:
    """Draw time and memory along every axis, with the exponents in the legends."""
    slopes = {(row["solver"], row["axis"]): row for row in fitted}
    with figure(len(AXES), 2) as (canvas, axes):
        panels = [(quantity, axis) for quantity in ("seconds", "mb") for axis in AXES]
        for ax, (quantity, axis) in zip(axes, panels, strict=True):
            for index, (name, solver) in enumerate(mmv.SOLVERS.items()):
                found = [p for p in points if (p["solver"], p["axis"]) == (name, axis)]
                ax.plot(
                    [p[axis] for p in found],
                    [p[quantity] for p in found],
                    label=f"{slopes[name, axis][f'{quantity}_exponent']:.2f}  {solver.label}",
                    color=COLOURS[index % len(COLOURS)],
                    marker=MARKERS[index % len(MARKERS)],
                    linestyle=LINES[index % len(LINES)],
                    markersize=4,
                )
            base, values = AXES[axis]
            ax.set(xscale="log", yscale="log", xlabel=axis, ylabel="seconds" if quantity == "seconds" else "peak MB")
            ax.set_title(", ".join(f"{other}={size}" for other, size in base.items() if other != axis))
            ax.set_xticks(values, map(str, values), fontsize=7)
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.yaxis.set_major_formatter("{x:g}")
            for side in (ax.xaxis, ax.yaxis):
                side.set_minor_locator(NullLocator())
            ax.margins(y=0.25)
            ax.legend(fontsize=6, title="exponent", title_fontsize=6, frameon=True, framealpha=0.8)
        save(canvas, RESULTS / "scaling.png")


def write(path: Path, rows: Sequence[Point]) -> None:
    with path.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    points = []
    for axis, (_, values) in AXES.items():
        for value in values:
            for name in mmv.SOLVERS:
                points.append(measure(name, axis, value))
                print(*points[-1].values(), sep="   ", flush=True)
    fitted = exponents(points)
    for row in fitted:
        print(*row.values(), sep="   ")
    write(RESULTS / "scaling.csv", points)
    write(RESULTS / "exponents.csv", fitted)
    draw(points, fitted)


if __name__ == "__main__":
    main()
