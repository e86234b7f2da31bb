"""Our solvers beside textbook versions and the machine's limit, on one thread: ``python -m bench.speed``.

Every time is the median of interleaved runs, and is printed only after the answer reached the textbook's objective,
computed here in double precision, to 1e-6 relative (1e-4 for single precision). Ratios come first: they bear noise
that hits all competitors alike.
"""

import csv
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.textbook import covariance_lasso, group_lasso_bcd, map_cd
from mmvsolvers._blas import one_thread

OUTPUT = Path(__file__).parent / "results" / "speed.csv"
RUNS = 7
Run = Callable[[], Any]
# name, ours, the other, the objective of an answer, by how much ours may exceed the other's, the wanted ratio
Case = tuple[str, Run, Run, Callable[[Any], float], float, float | None]


def medians(ours: Run, other: Run) -> tuple[float, float]:
    """Return the median seconds of two interleaved competitors, both warm."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        for run, found in zip((ours, other), times, strict=True):
            start = time.perf_counter()
            run()
            found.append(time.perf_counter() - start)
    return float(np.median(times[0])), float(np.median(times[1]))


def scene(N: int, L: int, M: int, T: int = 1) -> mmv.MMVData:
    rng = np.random.default_rng(0)
    return mmv.generate(rng, N=N, L=L, M=M, T=T, noise_var=0.1, activity=mmv.IndependentActivity(0.1))


def likelihood_cases() -> Iterator[Case]:
    data = scene(1000, 150, 16)
    A, Y, rows = data.A, data.Y[0], np.ascontiguousarray(data.A.T)
    A4, Y4 = A.astype(np.complex64), Y.astype(np.complex64)

    def objective(gamma: Any) -> float:
        return float(mmv.negative_log_likelihood(A, Y, 0.1, np.asarray(gamma, np.float64)))

    def textbook() -> Any:
        return map_cd.solve(rows, Y, 0.1, 0.0, 55)

    to_tolerance = lambda A, Y: lambda: mmv.ml_cd(A, Y, 0.1).score  # noqa: E731
    fixed = lambda A, Y: lambda: mmv.ml_cd(A, Y, 0.1, max_iter=55, tol=0).score  # noqa: E731
    mapped = lambda: mmv.map_cd(A, Y, 0.1, 0.5).score  # noqa: E731
    yield "ml_cd to 1e-3 / textbook, 55 sweeps", to_tolerance(A, Y), textbook, objective, 1e-6, 12
    yield "map_cd (even odds) to 1e-3 / textbook, 55 sweeps", mapped, textbook, objective, 1e-6, 12
    yield "ml_cd, 55 sweeps / textbook, 55 sweeps", fixed(A, Y), textbook, objective, 1e-6, 2
    yield "ml_cd complex64 to 1e-3 / complex128", to_tolerance(A4, Y4), to_tolerance(A, Y), objective, 1e-4, 1.5
    yield "ml_cd complex64, 55 sweeps / complex128", fixed(A4, Y4), fixed(A, Y), objective, 1e-4, 1.5


def group_lasso_cases() -> Iterator[Case]:
    data = scene(1000, 150, 16)
    A, Y, rows = data.A, data.Y[0], np.ascontiguousarray(data.A.T)
    for fraction in (0.3, 0.1):
        lam = fraction * float(mmv.lambda_max(A, Y))

        def objective(X: Any, lam: float = lam) -> float:
            return float(0.5 * np.linalg.norm(A @ X - Y) ** 2 + lam * np.linalg.norm(X, axis=1).sum())

        def ours(lam: float = lam) -> Any:
            return mmv.group_lasso_bcd(A, Y, lam, tol=1e-6).X

        def fixed(lam: float = lam) -> Any:
            return mmv.group_lasso_bcd(A, Y, lam, max_iter=200, tol=0).X

        def textbook(lam: float = lam) -> Any:
            return group_lasso_bcd.solve(rows, Y, lam, 200)

        yield (
            f"group_lasso_bcd, λ={fraction} λ_max, gap 1e-6 / textbook, 200 sweeps",
            ours,
            textbook,
            objective,
            1e-6,
            None,
        )
        yield f"group_lasso_bcd, λ={fraction} λ_max, 200 sweeps / textbook", fixed, textbook, objective, 1e-6, None


def covariance_cases() -> Iterator[Case]:
    data = scene(1000, 150, 16)
    A, Y = data.A, data.Y[0]
    S = Y @ Y.conj().T / 16 - 0.1 * np.eye(150)
    lam = 0.1 * float(np.einsum("ln,lk,kn->n", A.conj(), S, A).real.max())

    def objective(r: Any) -> float:
        return float(0.5 * np.linalg.norm(S - (A * r) @ A.conj().T) ** 2 + lam * np.sum(r))

    def ours() -> Any:
        return mmv.covariance_lasso(A, Y, lam, noise_var=0.1, tol=1e-6).score

    def textbook() -> Any:
        return covariance_lasso.solve(A, Y, 0.1, lam, 200)

    yield "covariance_lasso, gap 1e-6 / textbook, 200 sweeps", ours, textbook, objective, 1e-6, 5


def small_cases() -> Iterator[Case]:
    for L in (12, 20):
        data = scene(100, L, 4, T=200)
        rows = np.ascontiguousarray(data.A.T)

        def likelihood(gamma: Any, data: mmv.MMVData = data) -> float:
            return float(np.mean(mmv.negative_log_likelihood(data.A, data.Y, 0.1, np.asarray(gamma))))

        def penalised(X: Any, data: mmv.MMVData = data) -> float:
            fit = np.sum(np.abs(data.A @ X - data.Y) ** 2, axis=(1, 2))
            return float(np.mean(0.5 * fit + 2.0 * np.linalg.norm(X, axis=2).sum(axis=1)))

        def ml(data: mmv.MMVData = data) -> Any:
            return mmv.ml_cd(data.A, data.Y, 0.1, max_iter=55, tol=0).score

        def ml_textbook(data: mmv.MMVData = data, rows: Any = rows) -> Any:
            return [map_cd.solve(rows, Y, 0.1, 0.0, 55) for Y in data.Y]

        def lasso(data: mmv.MMVData = data) -> Any:
            return mmv.group_lasso_bcd(data.A, data.Y, 2.0, max_iter=200, tol=0).X

        def lasso_textbook(data: mmv.MMVData = data, rows: Any = rows) -> Any:
            return np.array([group_lasso_bcd.solve(rows, Y, 2.0, 200) for Y in data.Y])

        yield f"N=100, L={L}: ml_cd, 55 sweeps / textbook", ml, ml_textbook, likelihood, 1e-6, 1
        yield f"N=100, L={L}: group_lasso_bcd, 200 sweeps / textbook", lasso, lasso_textbook, penalised, 1e-6, 1


def product_rate(N: int, L: int, M: int) -> float:
    """Return the GFLOP/s of the products Aᴴ R and A X of these sizes in complex128."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((L, N)) + 1j
    R, X, conjugate = A[:, :M].copy(), A[:M].T.copy(), A.conj().T.copy()
    wide, tall = np.empty((N, M), complex), np.empty((L, M), complex)

    def products() -> None:
        for _ in range(64):
            np.dot(conjugate, R, out=wide)
            np.dot(A, X, out=tall)

    seconds, _ = medians(products, products)
    return 64 * 16 * N * L * M / seconds / 1e9


def rate_rows() -> Iterator[list[Any]]:
    """Compare AMP and ADMM with the rate of the two products that each iteration makes."""
    data = scene(1000, 150, 16, T=64)
    limit = product_rate(1000, 150, 16)
    for name, options in (("amp_mmse", {}), ("group_lasso_admm", {"rho": 10.0})):
        run = lambda name=name, options=options: mmv.SOLVERS[name].solve(data, max_iter=10, tol=0, **options)  # noqa: E731
        run()
        seconds, _ = medians(run, run)
        rate = 64 * 10 * 16 * 1000 * 150 * 16 / seconds / 1e9
        yield [f"{name}, batch of 64: share of the product rate {limit:.0f} GFLOP/s", rate / limit, 0.6, seconds, ""]


def measured(case: Case) -> list[Any]:
    """Return the line of a case: its times, or the objective that it failed to reach."""
    name, ours, other, objective, slack, goal = case
    reached, wanted = objective(ours()), objective(other())
    if not reached <= wanted + slack * abs(wanted):
        return [name, "", goal, "", f"objective {reached:.9g}, not {wanted:.9g}"]
    mine, theirs = medians(ours, other)
    return [name, theirs / mine, goal, mine, theirs]


def all_rows() -> Iterator[list[Any]]:
    for cases in (likelihood_cases, group_lasso_cases, covariance_cases, small_cases):
        yield from map(measured, cases())
    yield from rate_rows()


def main() -> None:
    warnings.simplefilter("ignore")
    rows: list[list[Any]] = []
    with one_thread():
        for row in all_rows():
            rows.append(row)
            print(*row, sep="   ", flush=True)
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.writer(stream)
        writer.writerow(["case", "ratio", "goal", "seconds", "seconds_of_the_other"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
