"""The Gaussian likelihood of the received covariance, and the descent that ML and MAP share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import one_blas_thread
from mmvsolvers.result import SolverResult
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, Batch, as_array, as_count, as_scalar

# Σ⁻¹ has entries as large as 1/σ², and devices' q as small as one over their power in it. Single precision holds both
# where the ratio of received power to noise times its machine precision is below this.
SINGLE_PRECISION_LOSS = 3e-4


def descend(
    batch: Batch,
    noise_var: ArrayLike,
    log_odds: NDArray[np.floating],
    channel_var: NDArray[np.floating],
    upper: NDArray[np.floating],
    *,
    max_iter: int,
    tol: float,
) -> SolverResult:
    """Minimise f(α·g) - Σ_n log_odds_n α_n over 0 ⪯ α ⪯ upper from α = 0, for every problem of a batch.

    ``log_odds``, ``channel_var`` (g) and ``upper`` are validated arrays of shape (N,). See ``ml_cd`` and ``map_cd``.
    """
    sigma2 = batch.per_problem("noise_var", noise_var, POSITIVE)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    # Columns a_n·√g_n turn powers into activities.
    scaled = batch.A.T * np.sqrt(channel_var).astype(batch.real_dtype)[:, None]
    single = np.finfo(batch.real_dtype).eps * _largest_snr(batch, sigma2) < SINGLE_PRECISION_LOSS
    real, field = (batch.real_dtype, batch.complex_dtype) if single else (np.dtype(float), np.dtype(complex))
    with one_blas_thread():
        value, objective, optimality, n_iter = kernels.map_cd.solve_batch(
            np.ascontiguousarray(scaled, field),
            batch.Y.astype(field, copy=False),
            sigma2.astype(real),
            log_odds.astype(real),
            upper.astype(real),
            max_iter,
            tol,
        )
    return batch.result(
        X=None,
        score=value.astype(batch.real_dtype, copy=False),
        objective=objective.astype(batch.real_dtype, copy=False),
        optimality=optimality.astype(batch.real_dtype, copy=False),
        n_iter=n_iter,
        tol=tol,
    )


def _largest_snr(batch: Batch, noise_var: NDArray[np.floating]) -> float:
    """Return the largest ratio of mean received power to noise variance among the problems."""
    power = np.linalg.norm(batch.Y.reshape(batch.T, -1), axis=1).astype(float) ** 2 / batch.Y[0].size
    return float((power / noise_var).max())


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
    """
    batch = Batch.of(A, Y)
    sigma2 = batch.per_problem("noise_var", noise_var, POSITIVE).astype(np.float64)
    power = as_array("gamma", gamma)
    if power.shape != (*batch.leading, batch.N):
        raise ValueError(f"gamma must have shape {(*batch.leading, batch.N)}; got {power.shape}")
    if power.dtype.kind == "c" or (power < 0).any():
        raise ValueError("gamma must be real and non-negative")
    pilots = batch.A.astype(np.result_type(batch.A, np.float64))
    values = [
        _negative_log_likelihood(pilots, Y_t, s, g)
        for Y_t, s, g in zip(batch.Y, sigma2, power.reshape(-1, batch.N), strict=True)
    ]
    return np.array(values).reshape(batch.leading)


def _negative_log_likelihood(
    A: NDArray[np.inexact], Y: NDArray[np.inexact], noise_var: float, gamma: NDArray[np.inexact]
) -> float:
    covariance = (A * gamma) @ A.conj().T + noise_var * np.eye(A.shape[0])
    factor = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(factor, Y)
    return float(2.0 * np.log(np.diag(factor).real).sum() + np.sum(np.abs(whitened) ** 2) / Y.shape[1])
