"""What the GROUP LASSO solvers share: the scales of λ and ρ, and the duality gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.scores import matched_powers
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, Batch, as_array, as_choice, as_per_device, as_pilots

DEFAULT_LAM_FRACTION = 0.05


def lambda_max(A: ArrayLike, Y: ArrayLike) -> NDArray[np.floating]:
    """Return max_n ‖(AᴴY)_n‖₂, the smallest λ whose GROUP LASSO solution is zero.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    Y : array_like of shape (..., L, M)
        Received signals.

    Returns
    -------
    ndarray of shape (...), real

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type or shape; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A, Y = np.eye(2), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> float(mmv.lambda_max(A, Y))
    5.0
    >>> bool(mmv.group_lasso_bcd(A, Y, lam=5.0).X.any())
    False
    """
    batch = Batch.of(A, Y).in_units(objective=2)
    largest = batch.units.leave(_lambda_max(batch), (1, 1))
    if not np.isfinite(largest).all():
        raise ValueError(f"A and Y must be in units whose products {batch.real_dtype.name} holds; got an infinite one")
    return largest.reshape(batch.leading)


def duality_gap(A: ArrayLike, Y: ArrayLike, X: ArrayLike, lam: ArrayLike) -> NDArray[np.floating]:
    """Return by how much X may miss the GROUP LASSO optimum, in the units of the objective.

    With R = Y - AX, the point Θ = R·min(1, λ / max_n ‖(AᴴR)_n‖) is dual feasible, and the optimum lies above
    D(Θ) = Re⟨Θ, Y⟩ - ½‖Θ‖²_F; where λ = 0, above ½‖Y - P_A Y‖²_F with the projection on A's columns. Computed in
    double precision.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    Y : array_like of shape (..., L, M)
        Received signals.
    X : array_like of shape (..., N, M)
        Estimates to judge.
    lam : float or array_like of shape (...)
        λ ≥ 0.

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
    >>> A, Y = np.eye(2), np.array([[3.0], [0.5]])
    >>> float(mmv.duality_gap(A, Y, [[2.0], [0.0]], lam=1.0))  # the optimum: 3 shrunk by 1, 0.5 to zero
    0.0
    >>> float(mmv.duality_gap(A, Y, [[3.0], [0.0]], lam=1.0))
    3.0
    """
    received = Batch.of(A, Y)
    estimate = as_array("X", X)
    if estimate.shape != (*received.leading, received.N, received.M):
        raise ValueError(f"X must have shape {(*received.leading, received.N, received.M)}; got {estimate.shape}")
    double = np.result_type(received.A, estimate, np.float64)
    batch = replace(received, A=received.A.astype(double), Y=received.Y.astype(double)).in_units(objective=2)
    lams = batch.per_problem("lam", lam, NON_NEGATIVE, unit=(1, 1))
    estimates = batch.units.enter(estimate.reshape(-1, batch.N, batch.M).astype(double), (-1, 1))
    gaps = [
        _duality_gap(batch.A, *problem)
        for problem in zip(batch.Y, estimates, lams, least_squares_bound(batch, lams), strict=True)
    ]
    return batch.units.leave(np.array(gaps), (0, 2)).reshape(batch.leading)


def divide_by_weights(A: ArrayLike, weights: ArrayLike | str) -> tuple[NDArray[np.inexact], NDArray[np.floating]]:
    """Return A with column n divided by w_n, and w (N,): the penalty λ Σ w_n ‖X_n‖ is the plain one of w_n X_n."""
    pilots = as_pilots("A", A)
    if isinstance(weights, str):
        as_choice("weights", weights, ("own",))
        largest = np.abs(pilots).max()
        w = largest * np.linalg.norm(pilots / largest, axis=0) / np.sqrt(len(pilots))
    else:
        w = as_per_device("weights", weights, pilots.shape[1], POSITIVE)
    w = w.astype(pilots.real.dtype)
    return pilots / w, w


def regularisation(batch: Batch, lam: ArrayLike | None) -> NDArray[np.floating]:
    """Return λ of every problem, (T,); by default ``DEFAULT_LAM_FRACTION`` of its λ_max."""
    if lam is None:
        return (DEFAULT_LAM_FRACTION * _lambda_max(batch)).astype(batch.real_dtype)
    return batch.per_problem("lam", lam, NON_NEGATIVE, unit=(1, 1))


def least_squares_bound(batch: Batch, lams: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return what no X undercuts where λ = 0, half the squared distance of Y from A's columns, (T,); 0 elsewhere."""
    bounds = np.zeros(batch.T)
    unpenalised = np.flatnonzero(lams == 0)
    if unpenalised.size and batch.A.shape[0] > np.linalg.matrix_rank(batch.A):
        double = np.result_type(batch.A, np.float64)
        basis, values, _ = np.linalg.svd(batch.A.astype(double), full_matrices=False)
        basis = basis[:, values > np.finfo(batch.real_dtype).eps * max(batch.A.shape) * values[0]]
        for t in unpenalised:
            Y = batch.Y[t].astype(double)
            bounds[t] = 0.5 * np.linalg.norm(Y - basis @ (basis.conj().T @ Y)) ** 2
    return bounds.astype(batch.real_dtype)


def penalty_parameter(batch: Batch, lams: NDArray[np.floating], rho: ArrayLike | str | None) -> NDArray[np.floating]:
    """Return ADMM's first ρ of every problem, (T,); by rule where ``rho`` is None or "adaptive"."""
    if rho is None or isinstance(rho, str):
        if rho is not None:
            as_choice("rho", rho, ("adaptive",))
        largest = _lambda_max(batch)
        fraction = np.divide(lams, largest, out=np.ones_like(lams), where=largest > 0)
        default: NDArray[np.floating] = batch.N / 5 * np.clip(fraction, 0.01, 1.0)
        return default.astype(batch.real_dtype)
    return batch.per_problem("rho", rho, POSITIVE)


def _lambda_max(batch: Batch) -> NDArray[np.floating]:
    largest = np.concatenate([power.max(axis=1) for _, power in matched_powers(batch)])
    lengths: NDArray[np.floating] = np.sqrt(batch.M * largest)
    return lengths.astype(batch.real_dtype)


def _duality_gap(
    A: NDArray[np.inexact], Y: NDArray[np.inexact], X: NDArray[np.inexact], lam: float, bound: float
) -> float:
    R = Y - A @ X
    primal = 0.5 * np.linalg.norm(R) ** 2 + lam * np.linalg.norm(X, axis=1).sum()
    largest = np.linalg.norm(A.conj().T @ R, axis=1).max()
    theta = R * (lam / largest if largest > lam else 1.0)
    dual = np.vdot(theta, Y).real - 0.5 * np.linalg.norm(theta) ** 2
    return float(primal - (dual if lam > 0 else bound))
