"""Our solvers beside textbook versions, plain NumPy and the machine's limit: ``python -m bench.speed``.

All on one thread, but for the rows of the parallel efficiency. Every time is the median of interleaved runs, and is
printed only after the answer reached the other's objective, computed here in double precision, to 1e-6 relative (1e-4
for single precision). Ratios come first: they bear noise that hits all competitors alike. Rows go to
``results/speed.csv``; ``python -m bench.speed batch`` measures one part anew and keeps the others.
"""

import csv
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.contests import (
    ACTIVITY_PROB,
    NOISE_VAR,
    Contest,
    Run,
    contests,
    covariance_fit,
    covariance_lam,
    likelihood,
    penalised,
    posterior,
    scene,
)
from bench.textbook import covariance_lasso, group_lasso_bcd, map_cd
from mmvsolvers._blas import one_thread
from mmvsolvers.writing import write_table

OUTPUT = Path(__file__).parent / "results" / "speed.csv"
# Runs of each competitor, of those that take longer than so many seconds, and of one and two threads: other work on the
# machine takes a core now and then.
RUNS, SLOW_RUNS, SLOW, THREAD_RUNS = 7, 3, 1.0, 11
# name, ours, the other, the objective of an answer, by how much ours may exceed the other's, the wanted ratio
Case = tuple[str, Run, Run, Callable[[Any], float], float, float | None]


def interleaved(ours: Run, other: Run, least: int = SLOW_RUNS) -> tuple[list[float], list[float]]:
    """Return the seconds of two interleaved competitors, both warm, run ``least`` times or more."""
    times: tuple[list[float], list[float]] = ([], [])
    while len(times[0]) < (least if sum(times[0]) + sum(times[1]) > SLOW_RUNS * SLOW else max(least, RUNS)):
        for run, found in zip((ours, other), times, strict=True):
            start = time.perf_counter()
            run()
            found.append(time.perf_counter() - start)
    return times


def medians(ours: Run, other: Run) -> tuple[float, float]:
    """Return the median seconds of two interleaved competitors, both warm."""
    mine, theirs = interleaved(ours, other)
    return float(np.median(mine)), float(np.median(theirs))


def measured(case: Case) -> list[Any]:
    """Return the line of a case: its times, or the objective that it failed to reach."""
    name, ours, other, objective, slack, goal = case
    reached, wanted = objective(ours()), objective(other())
    if not reached <= wanted + slack * abs(wanted):
        return [name, "", goal, "", f"objective {reached:.9g}, not {wanted:.9g}"]
    mine, theirs = medians(ours, other)
    return [name, theirs / mine, goal, mine, theirs]


def likelihood_cases() -> Iterator[Case]:
    data = scene(1000, 150, 16)
    A, Y, rows = data.A, data.Y, np.ascontiguousarray(data.A.T)
    A4, Y4 = A.astype(np.complex64), Y.astype(np.complex64)
    judge = partial(likelihood, data)

    def textbook() -> Any:
        return [map_cd.solve(rows, Y[0], NOISE_VAR, 0.0, 55)]

    def map_textbook() -> Any:
        return [map_cd.solve(rows, Y[0], NOISE_VAR, np.log(ACTIVITY_PROB / (1 - ACTIVITY_PROB)) / 16, 55)]

    to_tolerance = lambda A, Y: lambda: mmv.ml_cd(A, Y, NOISE_VAR).score  # noqa: E731
    fixed = lambda A, Y: lambda: mmv.ml_cd(A, Y, NOISE_VAR, max_iter=55, tol=0).score  # noqa: E731
    mapped = lambda: mmv.map_cd(A, Y, NOISE_VAR, ACTIVITY_PROB).score  # noqa: E731
    yield "ml_cd to 1e-3 / textbook, 55 sweeps", to_tolerance(A, Y), textbook, judge, 1e-6, 20
    yield "map_cd to 1e-3 / textbook, 55 sweeps", mapped, map_textbook, partial(posterior, data), 1e-6, 20
    yield "ml_cd, 55 sweeps / textbook, 55 sweeps", fixed(A, Y), textbook, judge, 1e-6, 2
    yield "ml_cd complex64 to 1e-3 / complex128", to_tolerance(A4, Y4), to_tolerance(A, Y), judge, 1e-4, 1.5
    yield "ml_cd complex64, 55 sweeps / complex128", fixed(A4, Y4), fixed(A, Y), judge, 1e-4, 1.5
    many = scene(1000, 150, 16, T=64)
    A4, Y4, judge = many.A.astype(np.complex64), many.Y.astype(np.complex64), partial(likelihood, many)
    parallel = lambda: mmv.ml_psca(A4, Y4, NOISE_VAR).score  # noqa: E731
    yield "ml_psca complex64 to 1e-3, batch of 64 / ml_cd", parallel, to_tolerance(A4, Y4), judge, 1e-4, 0.5


def lasso_cases() -> Iterator[Case]:
    data = scene(1000, 150, 16)
    A, Y, rows = data.A, data.Y, np.ascontiguousarray(data.A.T)
    for fraction in (0.3, 0.1):
        lam = fraction * np.asarray(mmv.lambda_max(A, Y))
        yield (
            f"group_lasso_bcd, λ={fraction} λ_max, gap 1e-6 / textbook, 200 sweeps",
            lambda lam=lam: mmv.group_lasso_bcd(A, Y, lam, tol=1e-6).X,
            lambda lam=lam: group_lasso_bcd.solve(rows, Y[0], lam[0], 200)[None],
            partial(penalised, data, lam),
            1e-6,
            None,
        )
    lam = covariance_lam(data)
    for name, textbook in (
        ("textbook, 200 sweeps", covariance_lasso.solve),
        ("textbook that keeps all gradients, 200 sweeps", covariance_lasso.solve_with_gradients),
    ):
        yield (
            f"covariance_lasso, gap 1e-6 / {name}",
            lambda: mmv.covariance_lasso(A, Y, lam, noise_var=NOISE_VAR, tol=1e-6).score,
            lambda textbook=textbook: [textbook(A, Y[0], NOISE_VAR, lam[0], 200)],
            partial(covariance_fit, data, lam),
            1e-6,
            5,
        )


def contest_rows(contest: Contest, few: Contest, place: str, goal: float | None) -> Iterator[list[Any]]:
    """Compare the same iterations with the textbook, the rate of its products and, on ``few`` problems, with NumPy."""
    name = f"{place}: {contest.name}"
    row = measured((f"{name} / textbook", contest.ours, contest.textbook, contest.objective, 1e-6, goal))
    yield row
    limit = product_rate(*contest.product)
    if row[3]:
        yield [
            f"{name}: textbook's products / machine, {limit:.0f} GFLOP/s",
            contest.flops / row[3] / limit / 1e9,
            None,
        ]
    yield measured((f"{name} / plain NumPy", few.ours, few.plain, few.objective, 1e-6, None))


def product_rate(rows: int, inner: int, columns: int) -> float:
    """Return the GFLOP/s of a product of these sizes in complex128."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((rows, inner)) + 1j, rng.standard_normal((inner, columns)) + 1j
    product = np.empty((rows, columns), complex)
    flops = 8 * rows * inner * columns
    repeats = int(max(1, 1e9 // flops))

    def products() -> None:
        for _ in range(repeats):
            np.dot(left, right, out=product)

    products()
    seconds, _ = medians(products, products)
    return repeats * flops / seconds / 1e9


def batch_rows() -> Iterator[list[Any]]:
    """Compare AMP and ADMM with the two products that each iteration makes, side by side."""
    data = scene(1000, 150, 16, T=64)
    rng = np.random.default_rng(0)
    X, R = rng.standard_normal((1000, 16)) + 1j, rng.standard_normal((150, 16)) + 1j
    adjoint, ahead, pull = np.ascontiguousarray(data.A.conj().T), np.empty_like(R), np.empty_like(X)

    def products() -> None:
        for _ in range(64 * 10):
            np.dot(adjoint, R, out=pull)
            np.dot(data.A, X, out=ahead)

    for name, options in (("amp_mmse", {}), ("group_lasso_admm", {"rho": 10.0})):
        run = lambda name=name, options=options: mmv.SOLVERS[name].solve(data, max_iter=10, tol=0, **options)  # noqa: E731
        for warm in (run, products):
            warm()
        ours, theirs = medians(run, products)
        yield [f"{name}, batch of 64 / its products alone", theirs / ours, 0.85, ours, theirs]


def efficiency_rows() -> Iterator[list[Any]]:
    """Compare one thread with two on a thousand small problems, each solver with its defaults."""

    def on(threads: int, run: Run) -> Run:
        def limited() -> None:
            numba.set_num_threads(threads)
            run()
            numba.set_num_threads(1)

        return limited

    if numba.config.NUMBA_NUM_THREADS < 2:
        return
    for L in (12, 20):
        data = scene(100, L, 4, T=1000)
        for name, solver in mmv.SOLVERS.items():
            fixed = {"max_iter": solver.paper_iterations or 50, "tol": 0.0}
            run = partial(solver.run, data.A, data.Y, **solver.example | fixed)
            run()
            times = interleaved(on(1, run), on(2, run), THREAD_RUNS)
            # Other work that takes a core hits two threads harder than one: the least times are free of it.
            for what, judge, goal in (("medians", np.median, 0.9), ("least times", np.min, None)):
                alone, together = (float(judge(found)) for found in times)
                name_of_row = f"N=100, L={L}, T=1000: {name}, efficiency of two threads, {what}"
                yield [name_of_row, alone / together / 2, goal, together, alone]


def large_rows() -> Iterator[list[Any]]:
    for contest in contests(scene(1000, 150, 16)):
        yield from contest_rows(contest, contest, "N=1000, L=150, M=16", None)


def small_rows() -> Iterator[list[Any]]:
    for L in (12, 20):
        for contest, few in zip(contests(scene(100, L, 4, T=100)), contests(scene(100, L, 4, T=10)), strict=True):
            yield from contest_rows(contest, few, f"N=100, L={L}, M=4", 1)


PARTS: dict[str, Callable[[], Iterator[list[Any]]]] = {
    "likelihood": lambda: map(measured, likelihood_cases()),
    "lasso": lambda: map(measured, lasso_cases()),
    "batch": batch_rows,
    "large": large_rows,
    "small": small_rows,
    "efficiency": efficiency_rows,
}
FIGURES = ("part", "case", "ratio", "goal", "seconds", "seconds_of_the_other")


def main() -> None:
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"parts are {', '.join(PARTS)}; got {', '.join(unknown)}")
    kept = list(csv.DictReader(OUTPUT.open())) if OUTPUT.exists() else []
    rows = [row for row in kept if row["part"] not in wanted]
    with one_thread():
        for part in wanted:
            for figures in PARTS[part]():
                print(*figures, sep="   ", flush=True)
                rows.append(dict(zip(FIGURES, [part, *figures], strict=False)) | conditions())
    rows.sort(key=lambda row: list(PARTS).index(row["part"]))
    columns = (*FIGURES, *conditions())
    write_table(OUTPUT, columns, ([row.get(column, "") for column in columns] for row in rows))


if __name__ == "__main__":
    main()
