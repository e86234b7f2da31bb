"""GROUP LASSO by block coordinate descent, at one λ or along a path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.group_lasso import (
    Blocks,
    divide_by_weights,
    lambda_max,
    least_squares_bound,
    regularisation,
    undo_weights,
)
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, PROBABILITY, as_array, as_count, as_scalar


def group_lasso_bcd(
    A: ArrayLike,
    Y: ArrayLike,
    lam: ArrayLike | None = None,
    *,
    max_iter: int = 1000,
    tol: float = 1e-5,
    X0: ArrayLike | None = None,
    weights: ArrayLike | str | None = None,
    groups: ArrayLike | None = None,
) -> SolverResult:
    """Solve GROUP LASSO, min_X ½‖AX - Y‖²_F + λ Σ_n ‖X_n‖₂, exactly minimising over one row of X after the other.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    lam : float or array_like of shape (...), optional
        λ, in the units of AᴴY. By default 0.05 times the problem's ``lambda_max``, above which X is zero.
    max_iter : int
        Most sweeps over the devices, or over a working set of them.
    tol : float
        Stop a problem once its duality gap is at most ``tol`` times its objective, or ½‖Y‖² where λ = 0. 0 runs
        exactly ``max_iter`` sweeps over all devices in order, the textbook iterates; otherwise working sets and
        Anderson extrapolation are used.
    X0 : array_like of shape (..., N, M), optional
        Where to start; zero by default.
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
        If ``max_iter`` sweeps did not reach ``tol`` > 0.

    References
    ----------
    Z. Qin, K. Scheinberg, D. Goldfarb, "Efficient block-coordinate descent algorithms for the group lasso",
    Mathematical Programming Computation, 2013. Q. Bertrand, M. Massias, "Anderson acceleration of coordinate
    descent", AISTATS 2021.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> mmv.group_lasso_bcd(np.eye(2), np.array([[3.0, 4.0], [0.1, 0.0]]), lam=1.0).X.round(3).tolist()
    [[2.4, 3.2], [0.0, 0.0]]
    """
    if weights is not None:
        scaled, w = divide_by_weights(A, weights)
        start = None if X0 is None else as_array("X0", X0) * w[:, np.newaxis]
        result = group_lasso_bcd(scaled, Y, lam, max_iter=max_iter, tol=tol, X0=start, groups=groups)
        return undo_weights(result, w)
    batch = Batch.of(A, Y).in_units(objective=2)
    blocks = Blocks.of(groups, batch.N)
    lams = regularisation(batch, lam, blocks)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    X = batch.start("X0", X0)
    bound = least_squares_bound(batch, lams)
    if blocks is None:
        rows, conjugate = batch.pilots.rows(batch.A.dtype), batch.pilots.conjugate_rows(batch.A.dtype)
        solve_batch = partial(kernels.group_lasso_bcd.solve_batch, rows, conjugate)
    else:
        pilots, turns = blocks.rotated(batch.pilots)
        solve_batch = partial(kernels.group_lasso_groups.descend_batch, *pilots, blocks.first)
        X = blocks.turn(X, turns)
    objective, gap, n_iter = solve_in_parts(
        lambda part: solve_batch(batch.Y[part], lams[part], bound[part], X[part], max_iter, tol),
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
    warn_about("group_lasso_bcd", result, tol)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class GroupLassoPath:
    """GROUP LASSO solutions over falling λ.

    Attributes
    ----------
    lams : ndarray of shape (K, ...), real
        λ of every problem at every point, the largest first.
    X : ndarray of shape (K, ..., N, M)
        The solutions.
    results : tuple of SolverResult, length K
        All that the solver says of each point.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> path = mmv.group_lasso_path(np.eye(3), np.diag([3.0, 2.0, 1.0]), n_lams=3)
    >>> path.X.shape
    (3, 3, 3)
    >>> [int((norms > 0).sum()) for norms in np.linalg.norm(path.X, axis=-1)]
    [0, 3, 3]
    """

    lams: NDArray[np.floating]
    X: NDArray[np.inexact]
    results: tuple[SolverResult, ...]


def group_lasso_path(
    A: ArrayLike,
    Y: ArrayLike,
    *,
    n_lams: int = 20,
    ratio: float = 0.01,
    max_iter: int = 1000,
    tol: float = 1e-5,
    weights: ArrayLike | str | None = None,
    groups: ArrayLike | None = None,
) -> GroupLassoPath:
    """Solve GROUP LASSO at ``n_lams`` values of λ, each solution starting from the one before.

    λ falls geometrically from every problem's own ``lambda_max``, where X is zero, to ``ratio`` times that.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    n_lams : int
        Number of points, at least 2.
    ratio : float
        Smallest over largest λ, strictly between 0 and 1.
    max_iter, tol, weights, groups
        Of each point; see ``group_lasso_bcd``.

    Returns
    -------
    GroupLassoPath

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` sweeps did not reach ``tol`` > 0 at some point.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A, Y = np.eye(3), np.diag([3.0, 2.0, 1.0])
    >>> path = mmv.group_lasso_path(A, Y, n_lams=4, ratio=0.1)
    >>> (path.lams / mmv.lambda_max(A, Y)).round(2).tolist()
    [1.0, 0.46, 0.22, 0.1]
    >>> all(result.converged for result in path.results)
    True
    """
    n_lams = as_count("n_lams", n_lams, at_least=2)
    ratio = as_scalar("ratio", ratio, PROBABILITY)
    lams = np.multiply.outer(np.geomspace(1.0, ratio, n_lams), lambda_max(A, Y, weights=weights, groups=groups))
    results: list[SolverResult] = []
    for lam in lams:
        X0 = results[-1].X if results else None
        results.append(group_lasso_bcd(A, Y, lam, max_iter=max_iter, tol=tol, X0=X0, weights=weights, groups=groups))
    return GroupLassoPath(lams, np.stack([result.X for result in results if result.X is not None]), tuple(results))
