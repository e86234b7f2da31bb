"""What the GROUP LASSO solvers share: the scales of λ and ρ, and the duality gap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.batch import Batch
from mmvsolvers.groups import by_group
from mmvsolvers.prepared_pilots import Pilots, as_prepared
from mmvsolvers.result import SolverResult, row_scores
from mmvsolvers.validation import (
    NON_NEGATIVE,
    POSITIVE,
    as_array,
    as_groups,
    as_per_device,
    refuse_other_words,
)

DEFAULT_LAM_FRACTION = 0.05
# Rotated pilots, a_nᵀ, a_nᴴ (N, L) and ‖a_n‖² (N,), and the rotations (K_g, K_g).
Rotated = tuple[tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]], list[NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Groups of devices whose rows of X are zero together.

    Attributes
    ----------
    order : ndarray of shape (N,), int64
        The devices, group by group.
    first : ndarray of shape (G + 1,), int64
        Where each group begins there, and N.
    """

    order: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, groups: ArrayLike | None, N: int) -> Blocks | None:
        """Validate labels (N,); None where every device is its own group."""
        if groups is None:
            return None
        group = as_groups(groups, N, np.zeros(N))
        return cls(*by_group(group)) if group.max() + 1 < N else None

    def rotated(self, pilots: Pilots) -> Rotated:
        """Rotate the pilots to be orthogonal within each group.

        Returns, group by group, a_nᵀ and a_nᴴ (N, L) and ‖a_n‖² (N,); and the rotations V_g (K_g, K_g).
        """
        return pilots.keep(("rotated", self.order.tobytes(), self.first.tobytes()), lambda: self._rotated(pilots.array))

    def _rotated(self, A: NDArray[np.inexact]) -> Rotated:
        rows = np.zeros((A.shape[1], A.shape[0]), A.dtype)
        squares = np.zeros(A.shape[1])
        turns = []
        for start, stop in pairwise(self.first):
            left, sizes, right = np.linalg.svd(A[:, self.order[start:stop]])
            sizes[sizes <= np.finfo(sizes.dtype).eps * max(A.shape[0], stop - start) * sizes[0]] = 0
            rows[start : start + sizes.size] = (left[:, : sizes.size] * sizes).T
            squares[start : start + sizes.size] = sizes.astype(np.float64) ** 2
            turns.append(right.conj().T)
        return (rows, rows.conj(), squares), turns

    def turn(self, X: NDArray[np.inexact], turns: list[NDArray[np.inexact]]) -> NDArray[np.inexact]:
        """Return the rows of X (..., N, M) in order, those of each group turned with its pilots."""
        turned = np.ascontiguousarray(X[..., self.order, :])
        for (start, stop), V in zip(pairwise(self.first), turns, strict=True):
            turned[..., start:stop, :] = V.conj().T @ turned[..., start:stop, :]
        return turned

    def turn_back(self, X: NDArray[np.inexact], turns: list[NDArray[np.inexact]]) -> NDArray[np.inexact]:
        """Undo ``turn``."""
        back = np.empty_like(X)
        for (start, stop), V in zip(pairwise(self.first), turns, strict=True):
            back[..., self.order[start:stop], :] = V @ X[..., start:stop, :]
        return back

    def sums(self, squares: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the squared lengths of the groups (..., G), from those of rows (..., N)."""
        return np.asarray(np.add.reduceat(squares[..., self.order], self.first[:-1], axis=-1))


def lambda_max(
    A: ArrayLike, Y: ArrayLike, *, weights: ArrayLike | str | None = None, groups: ArrayLike | None = None
) -> NDArray[np.floating]:
    """Return max_n ‖(AᴴY)_n‖₂/w_n, the smallest λ whose GROUP LASSO solution is zero.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    Y : array_like of shape (..., L, M)
        Received signals.
    weights, groups
        As in ``group_lasso_bcd``. With groups the length is that of a group's rows together.

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
    batch = Batch.of(A if weights is None else divide_by_weights(A, weights)[0], Y).in_units(objective=2)
    largest = batch.units.leave(_lambda_max(batch, Blocks.of(groups, batch.N)), (1, 1))
    if not np.isfinite(largest).all():
        raise ValueError(f"A and Y must be in units whose products {batch.real_dtype.name} holds; got an infinite one")
    return largest.reshape(batch.leading)


def duality_gap(
    A: ArrayLike,
    Y: ArrayLike,
    X: ArrayLike,
    lam: ArrayLike,
    *,
    weights: ArrayLike | str | None = None,
    groups: ArrayLike | None = None,
) -> NDArray[np.floating]:
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
    weights, groups
        Those of the problem; see ``group_lasso_bcd``.

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
    if weights is not None:
        scaled, w = divide_by_weights(A, weights)
        return duality_gap(scaled, Y, as_array("X", X) * w[:, np.newaxis], lam, groups=groups)
    received = Batch.of(A, Y)
    blocks = Blocks.of(groups, received.N)
    estimate = as_array("X", X)
    if estimate.shape != (*received.leading, received.N, received.M):
        raise ValueError(f"X must have shape {(*received.leading, received.N, received.M)}; got {estimate.shape}")
    double = np.result_type(received.A, estimate, np.float64)
    batch = replace(received, pilots=received.pilots.astype(double), Y=received.Y.astype(double)).in_units(objective=2)
    lams = batch.per_problem("lam", lam, NON_NEGATIVE, unit=(1, 1))
    estimates = batch.units.enter(estimate.reshape(-1, batch.N, batch.M).astype(double), (-1, 1))
    gaps = [
        _duality_gap(batch.A, *problem, blocks)
        for problem in zip(batch.Y, estimates, lams, least_squares_bound(batch, lams), strict=True)
    ]
    return batch.units.leave(np.array(gaps), (0, 2)).reshape(batch.leading)


def divide_by_weights(A: ArrayLike, weights: ArrayLike | str) -> tuple[Pilots, NDArray[np.floating]]:
    """Return A with column n divided by w_n, and w (N,): the penalty λ Σ w_n ‖X_n‖ is the plain one of w_n X_n."""
    pilots = as_prepared("A", A)
    if isinstance(weights, str):
        refuse_other_words("weights", weights, "own")
        return pilots.keep("own weights", lambda: _divided(pilots.array, _own_weights(pilots.array)))
    return _divided(pilots.array, as_per_device("weights", weights, pilots.shape[1], POSITIVE))


def _own_weights(A: NDArray[np.inexact]) -> NDArray[np.floating]:
    largest = np.abs(A).max()
    weights: NDArray[np.floating] = largest * np.linalg.norm(A / largest, axis=0) / np.sqrt(len(A))
    return weights


def _divided(A: NDArray[np.inexact], w: NDArray[np.floating]) -> tuple[Pilots, NDArray[np.floating]]:
    real = A.real.dtype
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        weight = w.astype(real)
        divided = A / weight
    if not (np.isfinite(divided).all() and divided.any(axis=0).all()):
        raise ValueError(
            f"weights must not leave the exponents of {real.name} beside A; got {w.min():.2g} to {w.max():.2g}"
        )
    return Pilots.of(divided), weight


def undo_weights(result: SolverResult, weight: NDArray[np.floating]) -> SolverResult:
    """Return the result for X where that of w_n X_n is given."""
    assert result.X is not None, "this solver recovers the signal"
    with np.errstate(over="ignore", under="ignore"):
        X = result.X / weight[:, np.newaxis]
        score = row_scores(X)
    if not np.isfinite(score).all() or (result.X.any(axis=-1) & (score == 0)).any():
        raise ValueError(
            f"weights must keep the powers of X within the exponents of {weight.dtype.name}; "
            f"got {weight.min():.2g} to {weight.max():.2g}"
        )
    return replace(result, X=X, score=score)


def regularisation(batch: Batch, lam: ArrayLike | None, blocks: Blocks | None = None) -> NDArray[np.floating]:
    """Return λ of every problem, (T,); by default ``DEFAULT_LAM_FRACTION`` of its λ_max."""
    if lam is None:
        return (DEFAULT_LAM_FRACTION * _lambda_max(batch, blocks)).astype(batch.real_dtype)
    return batch.per_problem("lam", lam, NON_NEGATIVE, unit=(1, 1))


def least_squares_bound(batch: Batch, lams: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return what no X undercuts where λ = 0, half the squared distance of Y from A's columns, (T,); 0 elsewhere."""
    bounds = np.zeros(batch.T)
    unpenalised = np.flatnonzero(lams == 0)
    basis = batch.pilots.keep("basis", lambda: _basis(batch.A)) if unpenalised.size else None
    if basis is not None:
        for t in unpenalised:
            Y = batch.Y[t].astype(basis.dtype)
            bounds[t] = 0.5 * np.linalg.norm(Y - basis @ (basis.conj().T @ Y)) ** 2
    return bounds.astype(batch.real_dtype)


def _basis(A: NDArray[np.inexact]) -> NDArray[np.inexact] | None:
    """Return an orthonormal basis of what the columns span, (L, rank), or None where that is everything."""
    if len(A) <= np.linalg.matrix_rank(A):
        return None
    basis, values, _ = np.linalg.svd(A.astype(np.result_type(A, np.float64)), full_matrices=False)
    return np.asarray(basis[:, values > np.finfo(A.real.dtype).eps * max(A.shape) * values[0]])


def penalty_parameter(
    batch: Batch, lams: NDArray[np.floating], rho: ArrayLike | str | None, blocks: Blocks | None = None
) -> NDArray[np.floating]:
    """Return ADMM's first ρ of every problem, (T,); by rule where ``rho`` is None or "adaptive"."""
    if rho is None or isinstance(rho, str):
        if rho is not None:
            refuse_other_words("rho", rho, "adaptive")
        largest = _lambda_max(batch, blocks)
        fraction = np.divide(lams, largest, out=np.ones_like(lams), where=largest > 0)
        sharing = batch.N if blocks is None else blocks.first.size - 1
        default: NDArray[np.floating] = sharing / 5 * np.clip(fraction, 0.01, 1.0)
        return default.astype(batch.real_dtype)
    return batch.per_problem("rho", rho, POSITIVE)


def _lambda_max(batch: Batch, blocks: Blocks | None) -> NDArray[np.floating]:
    powers = (power if blocks is None else blocks.sums(power) for _, power in batch.matched_powers())
    largest = np.concatenate([power.max(axis=1) for power in powers])
    lengths: NDArray[np.floating] = np.sqrt(batch.M * largest)
    return lengths.astype(batch.real_dtype)


def _duality_gap(
    A: NDArray[np.inexact],
    Y: NDArray[np.inexact],
    X: NDArray[np.inexact],
    lam: float,
    bound: float,
    blocks: Blocks | None,
) -> float:
    def lengths(rows: NDArray[np.inexact]) -> NDArray[np.floating]:
        norms: NDArray[np.floating] = np.linalg.norm(rows, axis=1)
        return norms if blocks is None else np.sqrt(blocks.sums(norms**2))

    R = Y - A @ X
    primal = 0.5 * np.linalg.norm(R) ** 2 + lam * lengths(X).sum()
    largest = lengths(A.conj().T @ R).max()
    theta = R * (lam / largest if largest > lam else 1.0)
    dual = np.vdot(theta, Y).real - 0.5 * np.linalg.norm(theta) ** 2
    return float(primal - (dual if lam > 0 else bound))
