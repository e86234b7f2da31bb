"""GROUP LASSO by ADMM in sharing form."""

from __future__ import annotations

from functools import partial

from numpy.typing import ArrayLike

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.group_lasso import (
    Blocks,
    divide_by_weights,
    least_squares_bound,
    penalty_parameter,
    regularisation,
    undo_weights,
)
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, as_count, as_scalar


def group_lasso_admm(
    A: ArrayLike,
    Y: ArrayLike,
    lam: ArrayLike | None = None,
    *,
    rho: ArrayLike | str | None = None,
    max_iter: int = 5000,
    tol: float = 1e-5,
    weights: ArrayLike | str | None = None,
    groups: ArrayLike | None = None,
) -> SolverResult:
    """Solve GROUP LASSO, min_X ½‖AX - Y‖²_F + λ Σ_n ‖X_n‖₂, by ADMM with all rows of X updated in parallel.

    Sharing form (Cui, Li, Zhang, 2021, Algorithm 1, with B and C of shape (L, M)), from X = 0.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    lam : float or array_like of shape (...), optional
        λ, in the units of AᴴY; by default as in ``group_lasso_bcd``.
    rho : float, array_like of shape (...) or "adaptive", optional
        Penalty parameter ρ > 0, a pure number. Every ρ leads to the same X, at very different speeds. By default
        N·(λ/λ_max)/5, with λ/λ_max held within [0.01, 1]; "adaptive" starts there and balances the residuals.
    max_iter : int
        Most iterations.
    tol : float
        Stop a problem once its duality gap, looked at every tenth iteration, is at most ``tol`` times its objective,
        or ½‖Y‖² where λ = 0. 0 runs exactly ``max_iter`` iterations.
    weights : array_like of shape (N,) or "own", optional
        w_n > 0 of the penalty λ Σ_n w_n ‖X_n‖₂; 1 by default, the textbook's. "own" is ‖a_n‖/√L, which treats pilots
        of different norms alike and detects better; ``lam`` by default is then 0.05 times max_n ‖(AᴴY)_n‖/w_n.
    groups : array_like of int, shape (N,), optional
        Labels: the rows of X with one label are zero together, and the penalty is λ Σ_g ‖X_g‖_F over the labels, with
        ``weights`` on the rows within: ‖(w_n X_n)_{n in g}‖_F.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M), ``score`` the row powers ‖X_n‖²/M, ``optimality`` the duality gap relative to ``objective``.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` iterations did not reach ``tol`` > 0.

    References
    ----------
    Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with applications
    in MIMO-based grant-free random access", IEEE JSAC 2021. S. Boyd et al., "Distributed optimization and statistical
    learning via the alternating direction method of multipliers", 2011, sections 3.4.1 and 7.3.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A, Y = np.eye(2), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> mmv.group_lasso_admm(A, Y, lam=2.5).X.round(3).tolist()
    [[1.5, 2.0], [0.0, 0.0]]
    """
    if weights is not None:
        scaled, w = divide_by_weights(A, weights)
        result = group_lasso_admm(scaled, Y, lam, rho=rho, max_iter=max_iter, tol=tol, groups=groups)
        return undo_weights(result, w)
    batch = Batch.of(A, Y).in_units(objective=2)
    blocks = Blocks.of(groups, batch.N)
    lams = regularisation(batch, lam, blocks)
    rhos = penalty_parameter(batch, lams, rho, blocks)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    bound, adaptive = least_squares_bound(batch, lams), isinstance(rho, str)
    if blocks is None:
        dtype = batch.A.dtype
        conjugate, squares = batch.pilots.conjugate_rows(dtype), batch.pilots.squares(dtype)
        solve_batch = partial(kernels.group_lasso_admm.solve_batch, conjugate, squares)
    else:
        pilots, turns = blocks.rotated(batch.pilots)
        solve_batch = partial(kernels.group_lasso_groups.split_batch, *pilots, blocks.first)
    X, objective, gap, n_iter = solve_in_parts(
        lambda part: solve_batch(batch.Y[part], lams[part], bound[part], rhos[part], adaptive, max_iter, tol),
        batch.Y,
        batch.N,
        max_iter,
    )
    if blocks is not None:
        X = blocks.turn_back(X, turns)
    result = batch.result(
        X=X,
        objective=objective,
        objective_unit=(0, 2),
        optimality=gap,
        n_iter=n_iter,
        tol=tol,
    )
    warn_about("group_lasso_admm", result, tol)
    return result
