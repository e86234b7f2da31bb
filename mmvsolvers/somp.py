"""Simultaneous orthogonal matching pursuit for signal recovery."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, as_count, as_scalar


def somp(
    A: ArrayLike, Y: ArrayLike, *, noise_var: ArrayLike = 0.0, max_iter: int = 1000, tol: float = 1e-6
) -> SolverResult:
    """Choose devices one after the other, each time the one whose pilot the residual of all antennas holds most of.

    With R = Y - AX, the device of the largest ‖a_nᴴR‖²/‖a_n‖² joins, and X becomes the least-squares fit of Y on the
    devices chosen. That ends at the discrepancy ‖R‖²_F ≤ L·M·σ², at ``tol``, or after ``max_iter`` devices.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y; 0 where it is unknown.
    max_iter : int
        Most devices; there are never more than L or N.
    tol : float
        Stop a problem once no device could explain more than this share of the received power ‖Y‖²_F. 0 chooses
        exactly ``max_iter`` devices, whatever the noise: what to do where their number is known.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M), zero for the devices not chosen, ``score`` ‖X_n‖²/M, ``objective`` ‖Y - AX‖²_F,
        ``optimality`` the largest ‖a_nᴴR‖²/‖a_n‖² left, over ‖Y‖²_F, or 0 where the residual is at the noise.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` devices did not reach ``tol`` > 0.

    References
    ----------
    J. A. Tropp, A. C. Gilbert, M. J. Strauss, "Algorithms for simultaneous sparse approximation. Part I: Greedy
    pursuit", Signal Processing, 2006. J. Chen, X. Huo, "Theoretical results on sparse representations of
    multiple-measurement vectors", IEEE Transactions on Signal Processing, 2006.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.somp(A, Y, max_iter=1, tol=0).X.round(6).tolist()
    [[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]]
    """
    batch = Batch.of(A, Y).in_units(objective=2)
    sigma2 = batch.per_problem("noise_var", noise_var, NON_NEGATIVE, unit=(0, 2))
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    field = batch.complex_dtype
    rows, conjugate = batch.pilots.rows(field), batch.pilots.conjugate_rows(field)
    squares, received = batch.pilots.squares(field), batch.Y.astype(field, copy=False)
    X, objective, optimality, n_iter = solve_in_parts(
        lambda part: kernels.somp.solve_batch(rows, conjugate, squares, received[part], sigma2[part], max_iter, tol),
        received,
        batch.N,
        max_iter,
    )
    result = batch.result(
        X=X,
        objective=objective,
        objective_unit=(0, 2),
        optimality=optimality,
        n_iter=n_iter,
        tol=tol,
    )
    warn_about("somp", result, tol)
    return result
