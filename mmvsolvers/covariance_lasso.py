"""LASSO on the received covariance for activity detection."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import in_turn, on_threads, solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, as_count, as_scalar, is_estimated

# The largest N whose N×N Gram matrix is kept, once for the whole batch: 128 MiB in double precision.
GRAM_LIMIT = 4096
# By default λ is this fraction of the smallest λ at which r = 0.
DEFAULT_LAM_FRACTION = 0.1


def covariance_lasso(
    A: ArrayLike,
    Y: ArrayLike,
    lam: ArrayLike | None = None,
    *,
    noise_var: ArrayLike = 0.0,
    max_iter: int = 1000,
    tol: float = 1e-5,
) -> SolverResult:
    """Fit the received covariance by few active devices, one exact coordinate minimisation after the other.

    Minimises over r ⪰ 0 the function ½‖vec(YYᴴ/M - σ²I) - (A*⊙A) r‖² + λ Σ_n r_n, without ever forming the L²×N
    Khatri-Rao matrix A*⊙A.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    lam : float or array_like of shape (...), optional
        λ, in the units of a_nᴴYYᴴa_n. By default a tenth of the smallest λ at which r is zero.
    noise_var : float, array_like of shape (...) or "estimate"
        σ², what is taken off the diagonal of the covariance; 0 takes off nothing. "estimate" minimises over σ² ≥ 0 too.
    max_iter : int
        Most sweeps over the devices, or over the active ones.
    tol : float
        Stop a problem once its duality gap is at most ``tol`` times its objective. 0 runs exactly ``max_iter`` sweeps
        over all devices in order; otherwise sweeps over the active devices alone are made between full ones.

    Returns
    -------
    SolverResult
        ``score`` is r (..., N), ``X`` None, ``optimality`` the duality gap relative to ``objective``, ``noise_var`` σ²
        where it was estimated.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` sweeps did not reach ``tol`` > 0.

    References
    ----------
    P. Pal, P. P. Vaidyanathan, "Pushing the limits of sparse support recovery using correlation information", IEEE
    Transactions on Signal Processing, 2015.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.covariance_lasso(A, Y).score.round(1).tolist()  # 4, less the bias of λ
    [3.6, 0.0, 0.0]
    """
    batch = Batch.of(A, Y).in_units(objective=4, spread=4)
    estimated = is_estimated(noise_var)
    if estimated:
        # what it is where r is zero
        sigma2: NDArray[np.floating] = batch.mean_power()
        noise = np.stack([sigma2, np.zeros(batch.T), np.full(batch.T, np.inf)], axis=1)
    else:
        sigma2 = batch.per_problem("noise_var", noise_var, NON_NEGATIVE, unit=(0, 2))
        noise = np.repeat(sigma2.astype(np.float64)[:, None], 3, axis=1)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    field = batch.complex_dtype
    rows, conjugate = batch.pilots.rows(field), batch.pilots.conjugate_rows(field)
    squares = batch.pilots.squares(field)
    lams = default_lam(batch, squares, sigma2) if lam is None else batch.per_problem("lam", lam, NON_NEGATIVE, (2, 2))
    room = batch.N if batch.N <= GRAM_LIMIT else 0
    # kept half filled too: which of its rows are there is kept with it
    gram, known = batch.pilots.keep(
        ("gram", room), lambda: (np.empty((room, room), batch.real_dtype), np.zeros(batch.N, np.bool_))
    )
    received = batch.Y.astype(rows.dtype, copy=False)
    with in_turn() if room and not known.all() else nullcontext():
        if room and batch.T > 1:
            # each problem alone computes the rows that it needs; those of a batch must not write the same ones
            fill = kernels.covariance_lasso.fill_grams
            on_threads(
                lambda part: fill(rows, conjugate, squares, gram, known, part.start, part.stop),
                slice(0, room),
                rows.size * room,
            )
        r, objective, gap, n_iter = solve_in_parts(
            lambda part: kernels.covariance_lasso.solve_batch(
                rows, conjugate, squares, gram, known, received[part], noise[part], lams[part], max_iter, tol
            ),
            received,
            batch.N,
            max_iter,
        )
    result = batch.result(
        X=None,
        score=r,
        objective=objective,
        objective_unit=(0, 4),
        optimality=gap,
        n_iter=n_iter,
        tol=tol,
        noise_var=noise[:, 0] if estimated else None,
    )
    warn_about("covariance_lasso", result, tol)
    return result


def default_lam(batch: Batch, squares: NDArray[np.floating], noise_var: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return ``DEFAULT_LAM_FRACTION`` of max_n a_nᴴ(YYᴴ/M - σ²I)a_n for every problem, (T,), or 0 if that is less."""
    largest = [(power - np.outer(noise_var[part], squares)).max(axis=1) for part, power in batch.matched_powers()]
    lams: NDArray[np.floating] = DEFAULT_LAM_FRACTION * np.maximum(np.concatenate(largest), 0)
    return lams.astype(batch.real_dtype)
