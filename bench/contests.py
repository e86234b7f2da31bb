"""The rivals of the solvers: the same iterations in textbook form and in plain NumPy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench.textbook import amp_mmse, covariance_lasso, group_lasso_admm, group_lasso_bcd, map_cd, ml_mmse

# Plain NumPy is what the tests take for their oracle: straight from the formulas, nothing clever.
from tests import oracles

Run = Callable[[], Any]
NOISE_VAR = 0.1
ACTIVITY_PROB = 0.1
THRESHOLD = 0.3
RHO = 10.0


@dataclass(frozen=True)
class Contest:
    """One solver for as many iterations as the paper gives it, and the same iterations by others.

    ``ours``, ``textbook`` and ``plain`` return the answers to all problems, stacked; ``objective`` judges them, less is
    better. ``flops`` is what the matrix products of the textbook's iterations take, each of the shape
    ``product``, (rows, inner, columns).
    """

    name: str
    ours: Run
    textbook: Run
    plain: Run
    objective: Callable[[Any], float]
    flops: float
    product: tuple[int, int, int]


def scene(N: int, L: int, M: int, T: int = 1) -> mmv.MMVData:
    """Return the problems of seed 0."""
    activity = mmv.IndependentActivity(ACTIVITY_PROB)
    return mmv.generate(np.random.default_rng(0), N=N, L=L, M=M, T=T, noise_var=NOISE_VAR, activity=activity)


def likelihood(data: mmv.MMVData, score: Any) -> float:
    """Return the mean negative log-likelihood of γ, in double precision."""
    return float(np.mean(mmv.negative_log_likelihood(data.A, data.Y, NOISE_VAR, np.asarray(score, np.float64))))


def posterior(data: mmv.MMVData, score: Any) -> float:
    """Return the mean MAP objective of α."""
    score = np.asarray(score, np.float64)
    log_odds = np.log(ACTIVITY_PROB / (1 - ACTIVITY_PROB)) / data.M
    return likelihood(data, score) - float(log_odds * np.mean(score.sum(axis=-1)))


def penalised(data: mmv.MMVData, lam: Any, X: Any) -> float:
    """Return the mean GROUP LASSO objective of X."""
    fit = np.sum(np.abs(data.A @ X - data.Y) ** 2, axis=(1, 2))
    return float(np.mean(0.5 * fit + lam * np.linalg.norm(X, axis=2).sum(axis=1)))


def covariance_fit(data: mmv.MMVData, lam: Any, r: Any) -> float:
    """Return the mean covariance LASSO objective of r."""
    found = [
        oracles.covariance_lasso_objective(data.A, Y, np.asarray(r_t, np.float64), lam_t, NOISE_VAR)
        for Y, r_t, lam_t in zip(data.Y, r, lam, strict=True)
    ]
    return float(np.mean(found))


def squared_error(data: mmv.MMVData, X: Any) -> float:
    """Return the mean squared error: neither AMP nor MMSE minimises anything else."""
    return float(np.mean(np.abs(data.X - X) ** 2))


def covariance_lam(data: mmv.MMVData) -> np.ndarray:
    """Return a tenth of the smallest λ that silences all devices, (T,)."""
    return np.array([0.1 * oracles.covariance_lasso_parts(data.A, Y, NOISE_VAR)[2].max() for Y in data.Y])


def contests(data: mmv.MMVData) -> Iterator[Contest]:
    """Yield the solvers that have a textbook version, with the iterations of the paper."""
    yield from likelihood_contests(data)
    yield from lasso_contests(data)
    A, N, L, M, T = data.A, data.N, data.L, data.M, data.T
    steps = mmv.SOLVERS["amp_mmse"].paper_iterations
    yield Contest(
        "amp_mmse",
        lambda: mmv.amp_mmse(A, data.Y, ACTIVITY_PROB, max_iter=steps, tol=0, damping=1.0).X,
        lambda: np.array([amp_mmse.solve(A, Y, ACTIVITY_PROB, steps) for Y in data.Y]),
        lambda: np.array([oracles.amp_mmse(A, Y, ACTIVITY_PROB, steps)[0] for Y in data.Y]),
        partial(squared_error, data),
        16 * N * L * M * steps * T,
        (N, L, M),
    )
    sweeps = mmv.SOLVERS["covariance_lasso"].paper_iterations
    lam = covariance_lam(data)
    yield Contest(
        "covariance_lasso",
        lambda: mmv.covariance_lasso(A, data.Y, lam, noise_var=NOISE_VAR, max_iter=sweeps, tol=0).score,
        lambda: [covariance_lasso.solve(A, Y, NOISE_VAR, l, sweeps) for Y, l in zip(data.Y, lam, strict=True)],
        lambda: [oracles.covariance_lasso(A, Y, l, sweeps, NOISE_VAR) for Y, l in zip(data.Y, lam, strict=True)],
        partial(covariance_fit, data, lam),
        8 * N * N * L,
        (N, L, N),
    )


def likelihood_contests(data: mmv.MMVData) -> Iterator[Contest]:
    """Yield ML, MAP and ML-MMSE: a product of Σ⁻¹ and one of Y with a pilot at every visit."""
    A, N, L, M, T = data.A, data.N, data.L, data.M, data.T
    rows = np.ascontiguousarray(A.T)
    sweeps = mmv.SOLVERS["ml_cd"].paper_iterations
    flops, product = 8 * N * L * (L + M) * sweeps * T, (N, L, L)
    log_odds = np.log(ACTIVITY_PROB / (1 - ACTIVITY_PROB)) / M

    def plain_ml_mmse() -> Any:
        found = []
        for Y in data.Y:
            active = oracles.map_cd(A, Y, NOISE_VAR, sweeps)[0] > THRESHOLD
            found.append(oracles.mmse_given_support(A, Y, NOISE_VAR, active))
        return np.array(found)

    yield Contest(
        "ml_cd",
        lambda: mmv.ml_cd(A, data.Y, NOISE_VAR, max_iter=sweeps, tol=0).score,
        lambda: [map_cd.solve(rows, Y, NOISE_VAR, 0.0, sweeps) for Y in data.Y],
        lambda: [oracles.map_cd(A, Y, NOISE_VAR, sweeps)[0] for Y in data.Y],
        partial(likelihood, data),
        flops,
        product,
    )
    yield Contest(
        "map_cd",
        lambda: mmv.map_cd(A, data.Y, NOISE_VAR, ACTIVITY_PROB, max_iter=sweeps, tol=0).score,
        lambda: [map_cd.solve(rows, Y, NOISE_VAR, log_odds, sweeps) for Y in data.Y],
        lambda: [oracles.map_cd(A, Y, NOISE_VAR, sweeps, ACTIVITY_PROB)[0] for Y in data.Y],
        partial(posterior, data),
        flops,
        product,
    )
    yield Contest(
        "ml_mmse",
        lambda: mmv.ml_mmse(A, data.Y, NOISE_VAR, threshold=THRESHOLD, max_iter=sweeps, tol=0).X,
        lambda: np.array([ml_mmse.solve(rows, Y, NOISE_VAR, THRESHOLD, sweeps) for Y in data.Y]),
        plain_ml_mmse,
        partial(squared_error, data),
        flops,
        product,
    )


def lasso_contests(data: mmv.MMVData) -> Iterator[Contest]:
    """Yield GROUP LASSO at 0.3 λ_max: one product with every pilot a sweep, two an iteration of ADMM."""
    A, N, L, M, T = data.A, data.N, data.L, data.M, data.T
    rows = np.ascontiguousarray(A.T)
    lam = 0.3 * np.asarray(mmv.lambda_max(A, data.Y))
    problems = list(zip(data.Y, lam, strict=True))
    steps = mmv.SOLVERS["group_lasso_bcd"].paper_iterations
    yield Contest(
        "group_lasso_bcd",
        lambda: mmv.group_lasso_bcd(A, data.Y, lam, max_iter=steps, tol=0).X,
        lambda: np.array([group_lasso_bcd.solve(rows, Y, l, steps) for Y, l in problems]),
        lambda: np.array([oracles.group_lasso_bcd(A, Y, l, steps) for Y, l in problems]),
        partial(penalised, data, lam),
        8 * N * L * M * steps * T,
        (N, L, M),
    )
    yield Contest(
        "group_lasso_admm",
        lambda: mmv.group_lasso_admm(A, data.Y, lam, rho=RHO, max_iter=steps, tol=0).X,
        lambda: np.array([group_lasso_admm.solve(A, Y, l, RHO, steps) for Y, l in problems]),
        lambda: np.array([oracles.group_lasso_admm(A, Y, l, RHO, steps) for Y, l in problems]),
        partial(penalised, data, lam),
        16 * N * L * M * steps * T,
        (N, L, M),
    )
