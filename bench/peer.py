"""Solve one GROUP LASSO problem with another package and time it: ``python bench/peer.py NAME PROBLEM ANSWER``.

Needs NumPy and that package only, so that each can have the environment it wants; `bench.peers` calls it. PROBLEM is an
.npz file with A, Y and lam. The package's tolerance is tightened until the relative duality gap is at most 1e-6, and
that solve is then timed from cold starts; data are laid out as the package wants them outside the clock.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

RUNS = 5
GAP = 1e-6
TOLERANCES = [10.0 ** (-k / 2) for k in range(4, 33)]
# A solve of the problem at hand to a tolerance of the package's own.
Solve = Callable[[float], Any]


def sklearn(A: Any, Y: Any, lam: float) -> Solve:
    from sklearn.linear_model import MultiTaskLasso

    A, Y = np.asfortranarray(A), np.asfortranarray(Y)
    return lambda tol: (
        MultiTaskLasso(alpha=lam / len(A), fit_intercept=False, tol=tol, max_iter=100_000).fit(A, Y).coef_.T
    )


def celer(A: Any, Y: Any, lam: float) -> Solve:
    from celer.homotopy import mtl_path

    A, Y = np.asfortranarray(A), np.asfortranarray(Y)
    return lambda tol: mtl_path(A, Y, alphas=[lam / len(A)], tol=tol, max_iter=1000)[1][:, :, 0].T


def skglm(A: Any, Y: Any, lam: float) -> Solve:
    if np.iscomplexobj(A):
        return _skglm_complex(A, Y, lam)
    from skglm.datafits import QuadraticMultiTask
    from skglm.penalties import L2_1
    from skglm.solvers import MultiTaskBCD

    A, Y = np.asfortranarray(A), np.asfortranarray(Y)
    return lambda tol: MultiTaskBCD(fit_intercept=False, tol=tol, max_iter=1000).solve(
        A, Y, QuadraticMultiTask(), L2_1(lam / len(A))
    )[0]


def _skglm_complex(A: Any, Y: Any, lam: float) -> Solve:
    """One real problem for all antennas: a block-diagonal matrix, and groups that gather a row's 2M numbers."""
    import scipy.sparse
    from skglm.datafits import QuadraticGroup
    from skglm.penalties import WeightedGroupL2
    from skglm.solvers import GroupBCD

    (_, N), M = A.shape, Y.shape[1]
    blocks = scipy.sparse.csc_matrix(scipy.sparse.kron(scipy.sparse.identity(M), _embedded(A)))
    observed = np.vstack([Y.real, Y.imag]).ravel(order="F")
    places = np.arange(2 * N * M).reshape(M, 2, N).transpose(2, 0, 1).ravel().astype(np.int32)
    starts = np.arange(0, 2 * N * M + 1, 2 * M, dtype=np.int32)
    weight = WeightedGroupL2(lam / len(observed), np.ones(N), starts, places)

    def solve(tol: float) -> Any:
        found = GroupBCD(tol=tol, max_iter=1000).solve(blocks, observed, QuadraticGroup(starts, places), weight)[0]
        real, imaginary = found.reshape(M, 2, N).transpose(1, 2, 0)
        return real + 1j * imaginary

    return solve


def mne(A: Any, Y: Any, lam: float) -> Solve:
    from mne import set_log_level
    from mne.inverse_sparse.mxne_optim import mixed_norm_solver

    set_log_level("ERROR")

    def solve(tol: float) -> Any:
        # debiased by default, which is another estimate
        rows, active, _ = mixed_norm_solver(Y, A, lam, maxit=100_000, tol=tol, n_orient=1, debias=False)
        X = np.zeros((A.shape[1], Y.shape[1]))
        X[active] = rows
        return X

    return solve


def pyproximal(A: Any, Y: Any, lam: float) -> Solve:
    import pylops
    import pyproximal as package

    N, M = A.shape[1], Y.shape[1]
    # Its groups are columns: the unknown is Xᵀ.
    product = pylops.MatrixMult(A, otherdims=(M,), dtype=A.dtype)
    operator = product * pylops.Transpose((M, N), axes=(1, 0), dtype=A.dtype)
    fit, norm = package.L2(Op=operator, b=Y.ravel()), package.L21(ndim=M, sigma=lam)
    step = 0.99 / np.linalg.norm(A, 2) ** 2

    def solve(tol: float) -> Any:
        start = np.zeros(N * M, A.dtype)
        found = package.optimization.primal.ProximalGradient(
            fit, norm, x0=start, tau=step, niter=round(10 / np.sqrt(tol)), acceleration="fista", show=False
        )
        return (found[0] if isinstance(found, tuple) else found).reshape(M, N).T

    return solve


def adelie(A: Any, Y: Any, lam: float) -> Solve:
    import adelie as package

    is_complex, N = np.iscomplexobj(A), A.shape[1]
    groups = None
    if is_complex:
        # Real and imaginary part of a device side by side: one group.
        A = _embedded(A)[:, np.arange(2 * N).reshape(2, N).ravel(order="F")]
        Y, groups = np.vstack([Y.real, Y.imag]), np.arange(0, 2 * N, 2)
    matrix, observed = package.matrix.dense(np.asfortranarray(A), method="naive"), np.ascontiguousarray(Y)

    def solve(tol: float) -> Any:
        path = package.grpnet(
            matrix, package.glm.multigaussian(observed), groups=groups, penalty=np.ones(N), lmda_path=[lam / Y.size],
            intercept=False, tol=tol, early_exit=False, adev_tol=1.0, progress_bar=False,
        )  # fmt: skip
        rows = path.betas[-1].toarray().reshape(-1, Y.shape[1])
        return rows[0::2] + 1j * rows[1::2] if is_complex else rows

    return solve


PACKAGES = {run.__name__: run for run in (sklearn, celer, skglm, mne, pyproximal, adelie)}


def _embedded(A: Any) -> Any:
    return np.block([[A.real, -A.imag], [A.imag, A.real]])


def relative_gap(A: Any, Y: Any, X: Any, lam: float) -> float:
    """Return the duality gap of X over its objective."""
    R = Y - A @ X
    objective = 0.5 * np.linalg.norm(R) ** 2 + lam * np.linalg.norm(X, axis=1).sum()
    feasible = R * min(1.0, lam / np.linalg.norm(A.conj().T @ R, axis=1).max())
    dual = np.vdot(feasible, Y).real - 0.5 * np.linalg.norm(feasible) ** 2
    return float((objective - dual) / objective)


def first_good_enough(solve: Solve, tolerances: Iterable[float], gap: Callable[[Any], float]) -> tuple[float, Any]:
    """Return the loosest tolerance that reaches the gap, and the answer."""
    for tol in tolerances:
        X = solve(tol)
        if gap(X) <= GAP:
            return tol, X
    raise SystemExit(f"the gap {GAP:g} was not reached at any tolerance; it ended at {gap(X):.1e}")


def main(name: str, problem: str, answer: str) -> None:
    import warnings

    warnings.simplefilter("ignore")
    with np.load(problem) as arrays:
        A, Y, lam = arrays["A"], arrays["Y"], float(arrays["lam"])
    solve = PACKAGES[name](A, Y, lam)
    tol, X = first_good_enough(solve, TOLERANCES, lambda X: relative_gap(A, Y, X, lam))
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        solve(tol)
        seconds.append(time.perf_counter() - start)
    np.savez(answer, X=X, seconds=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
