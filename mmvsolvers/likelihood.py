"""The Gaussian likelihood of the received covariance, and the descent that ML and MAP share."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import on_threads, solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.result import SolverResult
from mmvsolvers.validation import (
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_OR_INF,
    PROBABILITY,
    as_array,
    as_count,
    as_real,
    as_scalar,
    is_estimated,
    refuse_other_words,
)

# Σ⁻¹ has entries as large as 1/σ², and devices' q as small as one over their power in it. Single precision holds both
# where the ratio of received power to noise times its machine precision is below this.
SINGLE_PRECISION_LOSS = 3e-4
# The noise counts as lost where rounding errors of Σ may be more than this fraction of it.
LOST_NOISE = 1e-6
# Updates by sparse Bayesian learning that make a dense start, from equal powers: what Y has above the noise, at least
# this share of Y, spread over all devices.
DENSE_UPDATES = 10
LEAST_SHARE = 0.01
# The least σ² that is estimated, as a share of the received power: Σ's rounding errors stay far below it.
LEAST_NOISE = 1e-9


def descend(
    batch: Batch,
    noise_var: ArrayLike,
    log_odds: NDArray[np.floating],
    channel_var: NDArray[np.floating] | None,
    upper: NDArray[np.floating],
    *,
    algorithm: str,
    max_iter: int,
    tol: float,
    gamma0: ArrayLike | str | None = None,
) -> SolverResult:
    """Minimise f(α·g) - Σ_n log_odds_n α_n over 0 ⪯ α ⪯ upper, for every problem of a batch.

    ``log_odds``, ``channel_var`` (g; None for ones) and ``upper`` are validated arrays of shape (N,), ``algorithm`` is
    the kernel's name. See ``ml_cd`` and ``map_cd``, ``ml_psca`` and ``map_psca``.
    """
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    if algorithm == "map_cd" and is_estimated(noise_var):
        return _descend_in_noise(batch, log_odds, channel_var, upper, max_iter=max_iter, tol=tol, gamma0=gamma0)
    given = batch.numbers("noise_var", noise_var, POSITIVE)
    problem = batch.in_units(objective=0, spread=4, noise_var=given, channel_var=channel_var)
    sigma2 = problem.entered("noise_var", given, (0, 2))
    # α is in units of Y's power over the pilots'.
    unit = np.ldexp(1.0, problem.units.exponents((-2, 2)))
    value = np.minimum(_start(problem, sigma2, channel_var, gamma0), upper / unit[:, None]).astype(batch.real_dtype)
    objective, optimality = np.empty(batch.T), np.empty(batch.T, batch.real_dtype)
    n_iter = np.empty(batch.T, np.int64)
    for chosen, real in _precisions(problem, sigma2):
        field = np.result_type(real, np.complex64)
        reached = value[chosen].astype(real)
        shared = problem.pilots.rows(field), log_odds.astype(real), upper.astype(real)
        per_problem = (
            np.ascontiguousarray(problem.Y[chosen], field),
            sigma2[chosen].astype(real),
            unit[chosen].astype(real),
            reached,
        )
        solve = partial(_descend, algorithm, *shared, *per_problem, max_iter, tol)
        objective[chosen], optimality[chosen], n_iter[chosen] = solve_in_parts(solve, per_problem[0], batch.N, max_iter)
        value[chosen] = reached
    if algorithm == "map_psca":
        _judge_anew(problem, sigma2, log_odds, upper, unit, value, objective, optimality)
    objective += log_det_unit(problem)
    return problem.result(
        X=None,
        score=value,
        objective=objective,
        optimality=optimality,
        n_iter=n_iter,
        tol=tol,
    )


def _descend(
    algorithm: str,
    AT: NDArray[np.inexact],
    log_odds: NDArray[np.floating],
    upper: NDArray[np.floating],
    Y: NDArray[np.inexact],
    noise_var: NDArray[np.floating],
    unit: NDArray[np.floating],
    value: NDArray[np.floating],
    max_iter: int,
    tol: float,
    part: slice,
) -> Any:
    solve_batch = getattr(kernels, algorithm).solve_batch
    return solve_batch(AT, Y[part], noise_var[part], log_odds, upper, unit[part], max_iter, tol, value[part])


def _judge_anew(
    problem: Batch,
    noise_var: NDArray[np.floating],
    log_odds: NDArray[np.floating],
    upper: NDArray[np.floating],
    unit: NDArray[np.floating],
    value: NDArray[np.floating],
    objective: NDArray[np.floating],
    optimality: NDArray[np.floating],
) -> None:
    """Compute objective and optimality again, in place, where the noise is lost in the rounding errors of Σ."""
    double = np.result_type(problem.A, np.complex128)
    AT, doubles = np.ascontiguousarray(problem.A.T, double), value.astype(np.float64)
    power = doubles @ np.linalg.norm(AT, axis=1) ** 2
    lost = np.flatnonzero(np.finfo(np.float64).eps * power > LOST_NOISE * noise_var)
    if not lost.size:
        return

    def judge(part: slice) -> None:
        for t in lost[part]:
            objective[t], optimality[t] = kernels.map_cd.judge(
                AT,
                problem.Y[t].astype(double),
                np.float64(noise_var[t]),
                log_odds * unit[t],
                upper / unit[t],
                doubles[t],
            )

    on_threads(judge, slice(0, lost.size), lost.size * AT.size * AT.shape[1])


def _start(
    problem: Batch,
    noise_var: NDArray[np.floating],
    channel_var: NDArray[np.floating] | None,
    gamma0: ArrayLike | str | None,
) -> NDArray[np.floating]:
    """Return α of every device to start from, (T, N), in the problem's units."""
    if gamma0 is None:
        return np.zeros((problem.T, problem.N))
    if isinstance(gamma0, str):
        refuse_other_words("gamma0", gamma0, "dense")
        return _dense_start(problem, noise_var.astype(np.float64))
    power = as_real("gamma0", gamma0, NON_NEGATIVE)
    shapes = dict.fromkeys([(problem.N,), (*problem.leading, problem.N)])
    if power.shape not in shapes:
        raise ValueError(f"gamma0 must have shape {' or '.join(map(str, shapes))}, or be 'dense'; got {power.shape}")
    power = np.broadcast_to(power, (*problem.leading, problem.N)).reshape(problem.T, problem.N)
    return problem.units.enter(power if channel_var is None else power / channel_var, (-2, 2))


def _dense_start(problem: Batch, noise_var: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, Y = problem.pilots.rows(np.complex128), problem.Y.astype(np.complex128)
    conjugate, gamma = problem.pilots.conjugate_rows(np.complex128), even_powers(rows, Y, noise_var)
    solve_batch = kernels.m_sbl.solve_batch
    solve_in_parts(
        lambda part: solve_batch(rows, conjugate, Y[part], noise_var[part], 1.0, DENSE_UPDATES, 0.0, gamma[part]),
        Y,
        problem.N,
        DENSE_UPDATES,
    )
    return gamma


def even_powers(
    rows: NDArray[np.inexact], Y: NDArray[np.inexact], noise_var: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for every problem the power that, alike for all devices, explains that of Y, (T, N)."""
    received = np.sum(np.abs(Y) ** 2, axis=(1, 2)) / Y.shape[2]
    above = np.maximum(received - Y.shape[1] * noise_var, LEAST_SHARE * received)
    return np.repeat(above[:, None] / np.sum(np.abs(rows) ** 2), len(rows), axis=1)


def _descend_in_noise(
    batch: Batch,
    log_odds: NDArray[np.floating],
    channel_var: NDArray[np.floating] | None,
    upper: NDArray[np.floating],
    *,
    max_iter: int,
    tol: float,
    gamma0: ArrayLike | str | None,
) -> SolverResult:
    """Minimise what ``descend`` minimises over σ² too, by coordinate descent."""
    if isinstance(gamma0, str):
        raise ValueError(f'gamma0 must be powers where noise_var is "estimate"; got {gamma0!r}')
    problem = batch.in_units(objective=0, spread=4, channel_var=channel_var)
    AT, Y, floor = _for_unknown_noise(problem)
    unit, bound = np.ldexp(1.0, problem.units.exponents((-2, 2))), upper.astype(np.float64)
    value = np.minimum(_start(problem, floor, channel_var, gamma0), bound / unit[:, None]).astype(np.float64)
    noise_var, objective, optimality, n_iter = solve_in_parts(
        lambda part: kernels.unknown_noise.solve_batch(
            AT, Y[part], floor[part], log_odds, bound, unit[part], max_iter, tol, value[part]
        ),
        Y,
        batch.N,
        max_iter,
    )
    return problem.result(
        X=None,
        score=value,
        objective=objective + log_det_unit(problem),
        optimality=optimality,
        n_iter=n_iter,
        tol=tol,
        noise_var=noise_var,
    )


def likeliest_noise(batch: Batch, power: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the σ² of every problem, (...), that is likeliest given the powers of the devices, (T, N)."""
    problem = batch.in_units(objective=0, spread=4)
    AT, Y, floor = _for_unknown_noise(problem)
    powers = problem.units.enter(power.astype(np.float64), (-2, 2))
    (found,) = solve_in_parts(
        lambda part: (kernels.unknown_noise.noise_batch(AT, Y[part], floor[part], powers[part]),), Y, batch.N, 1
    )
    return problem.units.leave(found, (0, 2)).astype(batch.real_dtype).reshape(batch.leading)


def _for_unknown_noise(problem: Batch) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Return Aᵀ and Y in double precision, and the least σ² of every problem, (T,)."""
    power = problem.mean_power()
    if not power.all():
        raise ValueError(f"noise_var cannot be estimated where Y is zero, as in problem {np.argmin(power)}")
    AT, Y = problem.pilots.rows(np.complex128), np.ascontiguousarray(problem.Y, np.complex128)
    return AT, Y, LEAST_NOISE * power


def maximise_likelihood(
    batch: Batch,
    noise_var: ArrayLike,
    *,
    algorithm: str,
    max_iter: int,
    tol: float,
    gamma0: ArrayLike | str | None = None,
) -> SolverResult:
    """Maximise the likelihood of every problem of a batch: MAP with even odds, unit channels and no bound."""
    log_odds, upper = np.zeros(batch.N), np.full(batch.N, np.inf)
    return descend(
        batch, noise_var, log_odds, None, upper, algorithm=algorithm, max_iter=max_iter, tol=tol, gamma0=gamma0
    )


def maximise_posterior(
    batch: Batch,
    noise_var: ArrayLike,
    activity_prob: ArrayLike,
    channel_var: ArrayLike,
    upper: ArrayLike | None,
    *,
    algorithm: str,
    max_iter: int,
    tol: float,
    gamma0: ArrayLike | str | None = None,
) -> SolverResult:
    """Maximise the posterior probability of every problem of a batch; arguments as in ``map_cd``."""
    prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    gain = batch.per_device("channel_var", channel_var, POSITIVE)
    bound = np.where(prob > 0.5, 1.0, np.inf) if upper is None else batch.per_device("upper", upper, POSITIVE_OR_INF)
    if np.isinf(bound[prob > 0.5]).any():
        raise ValueError("upper must be finite where activity_prob > 0.5, where the objective is unbounded; got inf")
    log_odds = np.log(prob / (1 - prob)) / batch.M
    result = descend(
        batch, noise_var, log_odds, gain, bound, algorithm=algorithm, max_iter=max_iter, tol=tol, gamma0=gamma0
    )
    return replace(result, objective=result.objective - float(np.log1p(-prob).sum()) / batch.M)


def log_det_unit(batch: Batch) -> NDArray[np.float64]:
    """Return what the unit of Y adds to log|Σ| of every problem, (T,)."""
    added: NDArray[np.float64] = 2 * np.log(2) * batch.A.shape[0] * batch.units.received
    return added


def _precisions(batch: Batch, noise_var: NDArray[np.floating]) -> list[tuple[slice | NDArray[np.int64], DTypeLike]]:
    """Choose the precision to compute every problem in by its mean received power over its noise variance."""
    if batch.real_dtype == np.float64:
        return [(slice(None), np.float64)]
    power = np.linalg.norm(batch.Y.reshape(batch.T, -1), axis=1).astype(float) ** 2 / batch.Y[0].size
    single = np.finfo(batch.real_dtype).eps * power / noise_var < SINGLE_PRECISION_LOSS
    parts = [(single, batch.real_dtype), (~single, np.dtype(np.float64))]
    return [(slice(None) if chosen.all() else np.flatnonzero(chosen), real) for chosen, real in parts if chosen.any()]


def negative_log_likelihood(A: ArrayLike, Y: ArrayLike, noise_var: ArrayLike, gamma: ArrayLike) -> NDArray[np.floating]:
    """Return f(γ) = log|Σ| + tr(Σ⁻¹YYᴴ)/M with Σ = A diag(γ) Aᴴ + σ²I, computed in double precision.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    Y : array_like of shape (..., L, M)
        Received signals.
    noise_var : float or array_like of shape (...)
        σ², positive.
    gamma : array_like of shape (..., N), real
        Non-negative powers of the devices.

    Returns
    -------
    ndarray of shape (...), float64

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A, Y = np.eye(2), np.array([[2.0], [0.0]])
    >>> f = [float(mmv.negative_log_likelihood(A, Y, 1.0, [gamma, 0.0])) for gamma in (0.0, 3.0)]
    >>> np.round(f, 3).tolist()
    [4.0, 2.386]
    """
    batch = Batch.of(A, Y)
    power = as_array("gamma", gamma)
    if power.shape != (*batch.leading, batch.N):
        raise ValueError(f"gamma must have shape {(*batch.leading, batch.N)}; got {power.shape}")
    if power.dtype.kind == "c" or (power < 0).any():
        raise ValueError("gamma must be real and non-negative")
    given = batch.numbers("noise_var", noise_var, POSITIVE)
    double = np.result_type(batch.A, np.float64)
    problem = replace(batch, pilots=batch.pilots.astype(double), Y=batch.Y.astype(double))
    problem = problem.in_units(objective=0, noise_var=given)
    values = [
        whitened_likelihood(problem.A, *numbers)
        for numbers in zip(
            problem.Y,
            problem.entered("noise_var", given, (0, 2)),
            problem.units.enter(power.astype(float).reshape(-1, batch.N), (-2, 2)),
            strict=True,
        )
    ]
    return (np.array(values) + log_det_unit(problem)).reshape(batch.leading)


def whitened_likelihood(
    A: NDArray[np.inexact], Y: NDArray[np.inexact], noise_var: np.floating, gamma: NDArray[np.inexact]
) -> float:
    """Return f(γ) of one problem."""
    # The spectrum of Σ without forming Σ, in whose rounding errors weak noise would be lost.
    rows = A[:, gamma > 0] * np.sqrt(gamma[gamma > 0])
    basis, sizes, _ = np.linalg.svd(rows, full_matrices=rows.shape[1] < rows.shape[0])
    spectrum = np.full(rows.shape[0], noise_var, np.float64)
    spectrum[: sizes.size] += sizes**2
    power = np.sum(np.abs(basis.conj().T @ Y) ** 2, axis=1)
    return float(np.log(spectrum).sum() + (power / spectrum).sum() / Y.shape[1])


def largest_flip_gain(
    rows: NDArray[np.complex128],
    Y: NDArray[np.complex128],
    noise_var: np.float64,
    awake: NDArray[np.bool_],
    group: NDArray[np.int64],
    prior: NDArray[np.float64],
) -> float:
    """Return by how much a single flip raises the log-posterior of one problem; ``prior`` are its log-odds (G,).

    Silent groups are looked at in the eigenvectors of Σ, active ones by the mean and the covariance of their X, in
    which strong devices leave no rounding errors.
    """
    chosen = awake[group]
    G = rows[chosen].T / np.sqrt(noise_var)
    L, K = G.shape
    basis, sizes, _ = np.linalg.svd(G, full_matrices=K < L)
    spectrum = np.ones(L)
    spectrum[: sizes.size] += sizes**2
    whitener = basis.conj().T / np.sqrt(noise_var * spectrum)[:, None]
    Z, W = whitener @ Y, whitener @ rows.T
    orthogonal, triangle = np.linalg.qr(np.vstack([G, np.eye(K)]))
    root = np.linalg.solve(triangle, np.eye(K))
    mean, place = root @ (orthogonal[:L].conj().T @ Y) / np.sqrt(noise_var), np.cumsum(chosen) - 1
    gain = 0.0
    for g in range(awake.size):
        members = np.flatnonzero(group == g)
        if awake[g]:
            X, part = mean[place[members]], root[place[members]]
            covariance = part @ part.conj().T
            fit = np.vdot(X, np.linalg.solve(covariance, X)).real + Y.shape[1] * np.linalg.slogdet(covariance)[1]
        else:
            part = W[:, members]
            U, precision = part.conj().T @ Z, np.eye(members.size) + part.conj().T @ part
            fit = np.vdot(U, np.linalg.solve(precision, U)).real - Y.shape[1] * np.linalg.slogdet(precision)[1]
        odds = float(prior[g] + fit)
        gain = max(gain, -odds if awake[g] else odds)
    return gain
