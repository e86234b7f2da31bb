"""Processor time to optimality of coordinate descent, PSCA and two published rules: ``python -m bench.race``.

Complex data, Gaussian pilots, σ²=0.1, one thread, five problems a size. Every 0.1 … 1e-4 is the largest scaled exact
coordinate step that is left, |d|q, computed here from γ in plain NumPy and outside the clock. Our solvers are told the
tolerance and timed as called, with their own certificate; the published rules (``rivals/``) are judged after every
iteration, later after every twentieth part of those made, and need not find out by themselves that they are done. What
counts is when they stay below. Rows go to ``results/race.csv`` as soon as they are measured, figure and table follow at
the end; a run that was stopped goes on where it was. All of it takes ten minutes.
"""

import csv
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.markdown import insert, table
from bench.rivals import active_set_cd, projected_gradient
from mmvsolvers._blas import one_thread
from mmvsolvers.plotting import COLOURS, LINES, MARKERS, figure, save
from mmvsolvers.writing import write_table

RESULTS = Path(__file__).parent / "results"
PATH = RESULTS / "race.csv"
NOISE_VAR = 0.1
# N, L, M, share of active devices
CASES = (
    (1000, 100, 16, 0.1),
    (1000, 150, 16, 0.1),
    (1000, 150, 64, 0.1),
    (2000, 200, 32, 0.1),
    (4000, 300, 16, 0.05),
    (4000, 300, 64, 0.05),
)
SEEDS = range(5)
# compiles
WARM = (60, 50, 4, 0.1)
GOALS = (1e-1, 1e-2, 1e-3, 1e-4)
# Seconds after which a rule gives up.
LIMIT = 5.0
# Objectives that differ by more, relatively, are those of two local minima.
SAME = 1e-6
Iterates = Callable[[Any, Any, float], Iterator[np.ndarray]]
SOLVERS = {"ml_cd": "coordinate descent (ml_cd)", "ml_psca": "PSCA (ml_psca)"}
RULES: dict[str, tuple[str, Iterates]] = {
    "active_set_cd": ("active-set CD", active_set_cd.iterates),
    "scaled_gradient": ("spectral projected gradient, scaled", projected_gradient.scaled_iterates),
    "gradient": ("spectral projected gradient", projected_gradient.iterates),
}
LABELS = SOLVERS | {name: label for name, (label, _) in RULES.items()}
Row = dict[str, Any]


def optimality(A: np.ndarray, Y: np.ndarray, gamma: np.ndarray) -> float:
    """Return the largest scaled exact coordinate step left."""
    inverse = np.linalg.inv((A * gamma) @ A.conj().T + NOISE_VAR * np.eye(len(A)))
    rows = A.conj().T @ inverse
    q = np.sum(rows * A.T, axis=1).real
    r = np.sum(np.abs(rows @ Y) ** 2, axis=1) / Y.shape[1]
    return float(np.max(np.abs(np.maximum((r - q) / q**2, -gamma)) * q))


def time_solver(name: str, A: np.ndarray, Y: np.ndarray) -> Row:
    """Time our solver to every tolerance."""
    found: Row = {}
    for goal in GOALS:
        start = time.process_time()
        result = mmv.SOLVERS[name].run(A, Y, noise_var=NOISE_VAR, tol=goal)
        spent = time.process_time() - start
        left = optimality(A, Y, result.score)
        # rounding errors of the two certificates apart
        found[f"s_{goal:g}"] = spent if left <= 1.01 * goal else ""
    return found | {"iterations": int(result.n_iter), "optimality": left, "gamma": result.score}


def time_rule(iterates: Iterates, A: np.ndarray, Y: np.ndarray) -> Row:
    """Time a published rule until it has passed all tolerances, or given up."""
    found: Row = {f"s_{goal:g}": "" for goal in GOALS}
    steps = iterates(A, Y, NOISE_VAR)
    spent, done, judged, left = 0.0, 0, 0, np.inf
    while left > GOALS[-1] and spent < LIMIT:
        start = time.process_time()
        gamma = next(steps)
        spent += time.process_time() - start
        done += 1
        if done >= 1.05 * judged or spent >= LIMIT:
            judged, left = done, optimality(A, Y, gamma)
            for goal in GOALS:
                # for good: where all devices are far too strong, no step is large either
                if left > goal:
                    found[f"s_{goal:g}"] = ""
                elif found[f"s_{goal:g}"] == "":
                    found[f"s_{goal:g}"] = spent
    return found | {"iterations": done, "optimality": left, "gamma": gamma}


def measure(case: tuple[int, int, int, float], seed: int, name: str) -> Row:
    """Return one row: sizes, method, seconds to every tolerance, and where it ended."""
    N, L, M, share = case
    rng = np.random.default_rng(seed)
    data = mmv.generate(rng, N=N, L=L, M=M, T=1, noise_var=NOISE_VAR, activity=mmv.IndependentActivity(share))
    A, Y = data.A, data.Y[0]
    run = partial(time_solver, name) if name in SOLVERS else partial(time_rule, RULES[name][1])
    found = run(A, Y)
    objective = float(mmv.negative_log_likelihood(A, Y, NOISE_VAR, found.pop("gamma")))
    return {"N": N, "L": L, "M": M, "activity": share, "seed": seed, "method": name} | found | {"objective": objective}


def rows_of(rows: list[Row], case: tuple[int, int, int, float], name: str) -> list[Row]:
    """Return the rows of a method at one size."""
    wanted = (*map(str, case), name)
    return [row for row in rows if tuple(row[key] for key in ("N", "L", "M", "activity", "method")) == wanted]


def seconds(rows: list[Row], goal: float) -> np.ndarray:
    """Return the seconds to a tolerance, inf where it was not reached."""
    return np.array([float(row[f"s_{goal:g}"] or np.inf) for row in rows])


def milliseconds(found: np.ndarray) -> str:
    """Return the median and the range."""
    low, middle, high = (f"{1e3 * value:.3g}" for value in (found.min(), np.median(found), found.max()))
    return "–" if np.isinf(found.min()) else f"{middle} ({low}…{high})".replace("inf", "–")


def minima(rows: list[Row], reference: list[Row]) -> str:
    """Name the problems that ended in a local minimum lower or higher than coordinate descent's."""
    wanted = {row["seed"]: float(row["objective"]) for row in reference}
    told = []
    for row in rows:
        excess = float(row["objective"]) - wanted[row["seed"]]
        if row["s_0.0001"] and abs(excess) > SAME * abs(wanted[row["seed"]]):
            told.append(f"{'lower' if excess < 0 else 'higher'}: seed {row['seed']}")
    return "; ".join(told)


def report(rows: list[Row]) -> str:
    """Return the table."""
    lines = []
    for case in CASES:
        reference = rows_of(rows, case, "ml_cd")
        for name, label in LABELS.items():
            of_method = rows_of(rows, case, name)
            times = [milliseconds(seconds(of_method, goal)) for goal in GOALS]
            lines.append([*case, label, *times, minima(of_method, reference)])
    return table(["N", "L", "M", "active", "method", *(f"ms to {goal:g}" for goal in GOALS), "other minimum"], lines)


def draw(rows: list[Row]) -> None:
    """Draw the median seconds against the tolerance, with their ranges, a panel for every size."""
    with figure(3, 2) as (canvas, axes):
        for ax, case in zip(axes, CASES, strict=True):
            for index, (name, label) in enumerate(LABELS.items()):
                times = np.array([seconds(rows_of(rows, case, name), goal) for goal in GOALS])
                reached = np.isfinite(times).all(axis=1)
                middle = np.median(times[reached], axis=1)
                spread = (middle - times[reached].min(axis=1), times[reached].max(axis=1) - middle)
                ax.errorbar(
                    np.array(GOALS)[reached],
                    middle,
                    yerr=spread,
                    label=label,
                    color=COLOURS[index],
                    marker=MARKERS[index],
                    linestyle=LINES[index],
                    markersize=4,
                    capsize=2,
                )
            ax.set(xscale="log", yscale="log", xlabel="largest scaled step left", ylabel="processor seconds")
            ax.set_title("N={}, L={}, M={}, p={}".format(*case))
            ax.set_xlim(0.2, 5e-5)
            ax.xaxis.set_minor_locator(NullLocator())
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles[:4], labels[:4], loc="outside lower center", ncols=4)
        save(canvas, RESULTS / "race.png")


def main() -> None:
    rows = list(csv.DictReader(PATH.open())) if PATH.exists() else []
    known = ("N", "L", "M", "activity", "seed", "method")
    done = {tuple(row[key] for key in known) for row in rows}
    with one_thread():
        for name in LABELS:
            measure(WARM, 0, name)
        for case in CASES:
            for seed in SEEDS:
                for name in LABELS:
                    if (*map(str, (*case, seed)), name) in done:
                        continue
                    row = measure(case, seed, name)
                    rows.append({key: str(value) for key, value in (row | conditions()).items()})
                    write_table(PATH, list(rows[0]), ([one[key] for key in rows[0]] for one in rows))
                    print(*row.values(), sep="   ", flush=True)
    draw(rows)
    insert("race", report(rows))


if __name__ == "__main__":
    main()
