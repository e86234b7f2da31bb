"""Can the received covariance tell who is active, and how well will maximum likelihood do? Answers without solving.

The covariance Σ = A diag(γ) Aᴴ + σ²I shows γ only through Σ_n γ_n a_n a_nᴴ. With enough antennas Σ is known, and γ can
be found if and only if no other γ' ⪰ 0 gives the same Σ: if no x ≠ 0 with Σ_n x_n a_n a_nᴴ = 0 has x_n ≥ 0 for every
silent device. With M antennas √M(γ̂ − γ) tends to the projection of a Gaussian vector on the same cone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.thresholds import as_activity
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_count, as_generator, as_real, as_scalar

# Directions of unit size that the covariance shows this weakly are not seen: rounding errors are a millionth of it.
_UNSEEN = 1e-9
# All devices are seen, whoever is active, where the smallest eigenvalue of the Gram matrix of a_n a_nᴴ is above this.
_ALL_SEEN = 1e-8


def identifiable(A: ArrayLike, active: ArrayLike) -> NDArray[np.bool_]:
    """Tell whether the covariance of the received signal determines who is active, given antennas without number.

    No error of ML, MAP or another covariance method can vanish, however large M, where it does not. Whenever the N
    matrices a_n a_nᴴ are linearly independent it does; that takes L² ≥ N. Beyond that it depends on who is active: the
    condition is a linear program, decided here by non-negative least squares.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    active : array_like of shape (..., N), bool
        Who is active.

    Returns
    -------
    ndarray of shape (...), bool

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type or shape; the message names it.

    References
    ----------
    Z. Chen, F. Sohrabi, Y.-F. Liu, W. Yu, "Phase transition analysis for covariance-based massive random access with
    massive MIMO", IEEE Transactions on Information Theory 68(3), 2022.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.random.default_rng(0).standard_normal((4, 20, 2)) @ [1, 1j]
    >>> mmv.identifiable(A, [np.arange(20) < 2, np.arange(20) < 15]).tolist()
    [True, False]
    """
    pilots, support = as_pilots("A", A), _as_support("active", active, A)
    seen = _covariance_directions(_unit_columns(pilots)[0])
    rows = support.reshape(-1, support.shape[-1])
    if np.linalg.eigvalsh(seen.T @ seen)[0] > _ALL_SEEN:
        return np.ones(support.shape[:-1], np.bool_)
    return np.array([_identifiable(seen, row) for row in rows]).reshape(support.shape[:-1])


def fisher_information(A: ArrayLike, gamma: ArrayLike, noise_var: float) -> NDArray[np.float64]:
    """Return the Fisher information that one antenna has of the devices' powers γ.

    It is J_mn = |a_mᴴ Σ⁻¹ a_n|² for complex data, half of that for real data; M antennas have M J. Its rank is at most
    L² (real data: L(L+1)/2).

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    gamma : array_like of shape (N,)
        Powers of the devices, zero for silent ones.
    noise_var : float
        σ².

    Returns
    -------
    ndarray of shape (N, N), float64

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> mmv.fisher_information(np.eye(2), [1.0, 0.0], noise_var=1.0).round(6).tolist()  # real: half of complex
    [[0.125, 0.0], [0.0, 0.5]]
    """
    pilots, power = as_pilots("A", A), _as_powers(gamma, A)
    if power.ndim != 1:
        raise ValueError(f"gamma must have shape (N,); got {power.shape}")
    seen, unit = _whitened(pilots, power, as_scalar("noise_var", noise_var, POSITIVE))
    information: NDArray[np.float64] = seen.T @ seen / np.multiply.outer(unit, unit)
    return information


def predict_ml(
    rng: np.random.Generator, A: ArrayLike, gamma: ArrayLike, noise_var: float, M: int
) -> NDArray[np.float64]:
    """Draw what maximum likelihood will estimate with M antennas, without drawing or solving a problem.

    As M grows, √M(γ̂ − γ) comes to be distributed as the x that minimises ½ xᵀJx − gᵀx subject to x_n ≥ 0 wherever
    γ_n = 0, with J the Fisher information of one antenna and g ~ N(0, J). Each row of ``gamma`` gets a draw of its own.
    Compared with a threshold, the draws predict the rates of missed detections and false alarms. With the few antennas
    and short pilots of a hard problem the likelihood is far from its parabola, and the prediction is too good: with 4
    antennas and 100 to 400 devices, simulated errors were up to 2.1 times the predicted ones, with 16 up to 1.4 times.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws; one of the same seed gives the same estimates.
    A : array_like of shape (L, N)
        Pilots.
    gamma : array_like of shape (..., N)
        The true powers of the devices, zero for silent ones.
    noise_var : float
        σ².
    M : int
        Number of antennas.

    Returns
    -------
    ndarray of shape (..., N), float64
        γ̂. Silent devices have γ̂ ≥ 0; of active ones the theory may say γ̂ < 0.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    References
    ----------
    Z. Chen, F. Sohrabi, Y.-F. Liu, W. Yu, "Phase transition analysis for covariance-based massive random access with
    massive MIMO", IEEE Transactions on Information Theory 68(3), 2022.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((12, 100, 2)) @ [0.7, 0.7j]
    >>> active = np.arange(100) < 10
    >>> error = mmv.predict_ml(rng, A, 1.0 * active, noise_var=0.1, M=10000) - active
    >>> bool(np.abs(error).max() < 0.2)
    True
    """
    generator, pilots, powers = as_generator(rng), as_pilots("A", A), _as_powers(gamma, A)
    sigma2, root = as_scalar("noise_var", noise_var, POSITIVE), np.sqrt(as_count("M", M))
    estimates = []
    for power in powers.reshape(-1, powers.shape[-1]):
        seen, unit = _whitened(pilots, power, sigma2)
        target = np.asarray(generator.standard_normal(seen.shape[0]))
        error = _nearest_in_cone(seen, target, power > 0)
        estimates.append(power + error * unit / root)
    return np.array(estimates).reshape(powers.shape)


def _identifiable(seen: NDArray[np.float64], active: NDArray[np.bool_]) -> bool:
    """Look for y ⪰ 0 of sum 1 over the silent devices that the columns of the active ones can hide."""
    from scipy.optimize import nnls

    basis, hidden_rank = _orthonormal_basis(seen[:, active])
    if hidden_rank < active.sum():
        return False
    if active.all():
        return True
    silent = seen[:, ~active]
    silent = silent - basis @ (basis.T @ silent)
    # min ‖Dy‖² + (1 − Σy)² over y ⪰ 0 is δ²/(1 + δ²), with δ the least ‖Dy‖ of any such y of sum 1
    equations = np.vstack([silent, np.ones(silent.shape[1])])
    _, residual = nnls(equations, np.append(np.zeros(silent.shape[0]), 1.0))
    return bool(residual > _UNSEEN)


def _nearest_in_cone(
    seen: NDArray[np.float64], target: NDArray[np.float64], active: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Minimise ‖B x − target‖ over x that is non-negative for silent devices, with B (D, N) = ``seen``.

    Where active devices' columns depend on each other, the shortest x is taken for them.
    """
    from scipy.optimize import nnls

    basis, _ = _orthonormal_basis(seen[:, active])
    silent = seen[:, ~active]
    x = np.zeros(active.size)
    if not active.all():
        x[~active], _ = nnls(silent - basis @ (basis.T @ silent), target - basis @ (basis.T @ target))
    if active.any():
        x[active] = np.linalg.lstsq(seen[:, active], target - silent @ x[~active], rcond=None)[0]
    return x


def _orthonormal_basis(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return an orthonormal basis of what the columns span, and their rank."""
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int(np.count_nonzero(size > _UNSEEN))
    return left[:, :rank], rank


def _whitened(
    A: NDArray[np.inexact], gamma: NDArray[np.float64], noise_var: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return B (D, N), D ≤ N, with unit columns, and the unit of each power (N,) in which BᵀB is the information."""
    columns, length = _unit_columns(A)
    relative_power = gamma * (length / np.sqrt(noise_var)) ** 2
    covariance = (columns * relative_power) @ columns.conj().T + np.eye(columns.shape[0])
    seen = _covariance_directions(np.linalg.solve(np.linalg.cholesky(covariance), columns))
    if A.dtype.kind != "c":
        seen *= np.sqrt(0.5)
    size = np.linalg.norm(seen, axis=0)
    seen /= size
    if seen.shape[0] > seen.shape[1]:
        seen = np.asarray(np.linalg.qr(seen, mode="r"))
    return seen, (np.sqrt(noise_var) / length) ** 2 / size


def _covariance_directions(S: NDArray[np.inexact]) -> NDArray[np.float64]:
    """Return the matrices s_n s_nᴴ as real columns whose inner products are |s_mᴴ s_n|²."""
    i, j = np.triu_indices(S.shape[0], 1)
    above = np.sqrt(2) * S[i] * S[j].conj()
    parts = [np.abs(S) ** 2, above.real] + ([above.imag] if S.dtype.kind == "c" else [])
    return np.concatenate(parts)


def _unit_columns(A: NDArray[np.inexact]) -> tuple[NDArray[np.inexact], NDArray[np.float64]]:
    """Return the columns scaled to unit norm and their norms, in double precision."""
    columns = A.astype(np.result_type(A, np.float64))
    # The squares of very small or large entries would underflow or overflow.
    largest = np.abs(columns).max(axis=0)
    columns /= largest
    norm = np.linalg.norm(columns, axis=0)
    return columns / norm, largest * norm


def _as_support(name: str, active: ArrayLike, A: ArrayLike) -> NDArray[np.bool_]:
    support, N = as_activity(name, active), np.shape(A)[1]
    if support.ndim == 0 or support.shape[-1] != N:
        raise ValueError(f"{name} must have shape (..., N) with N = {N}; got {support.shape}")
    return support


def _as_powers(gamma: ArrayLike, A: ArrayLike) -> NDArray[np.float64]:
    powers, N = as_real("gamma", gamma, NON_NEGATIVE), np.shape(A)[1]
    if powers.ndim == 0 or powers.shape[-1] != N:
        raise ValueError(f"gamma must have shape (..., N) with N = {N}; got {powers.shape}")
    return powers
