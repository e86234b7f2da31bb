"""Channel estimation in two steps: maximum-likelihood activity detection, then linear MMSE."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import likeliest_noise
from mmvsolvers.ml_cd import ml_cd
from mmvsolvers.result import SolverResult
from mmvsolvers.thresholds import as_activity
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_scalar

# So many entries of the matrices of a few problems are in memory at a time.
ROOM = 2**21
# Problems are solved side by side whose numbers of active devices are the same when rounded up to a multiple of this.
AT_ONCE = 16


def ml_mmse(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    *,
    threshold: float,
    channel_var: ArrayLike = 1.0,
    max_iter: int = 1000,
    tol: float = 1e-3,
) -> SolverResult:
    """Detect the active devices by ``ml_cd``, then estimate their channels as if the detection were right.

    With S the devices whose γ exceeds ``threshold`` and G their channel variances,
    X_S = G A_Sᴴ (A_S G A_Sᴴ + σ²I)⁻¹ Y, the MMSE estimate given the support S.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float, array_like of shape (...) or "estimate"
        σ², the noise variance of one complex entry of Y. "estimate" detects as ``ml_cd`` does then, and
        gives the channel estimates the σ² that is likeliest given S, which short pilots do not spoil.
    threshold : float
        Devices with γ above it count as active; see ``best_threshold``.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    max_iter, tol
        Of the maximum-likelihood descent; see ``ml_cd``.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M), zero outside S, ``noise_var`` σ² given S where it was estimated; all else is that of
        ``ml_cd``.

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
    S. Haghighatshoar, P. Jung, G. Caire, "Improved scaling law for activity detection in massive MIMO systems",
    IEEE ISIT 2018.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> data = mmv.generate(rng, N=40, L=20, M=8, T=1, noise_var=0.01, activity=mmv.IndependentActivity(0.1))
    >>> result = mmv.ml_mmse(data.A, data.Y, data.noise_var, threshold=0.2)
    >>> mmv.nmse_db(result.X, data.X).mean < -20
    True
    """
    batch = Batch.of(A, Y)
    level = as_scalar("threshold", threshold, NON_NEGATIVE)
    gain = batch.per_device("channel_var", channel_var, POSITIVE)
    detection = ml_cd(batch.pilots, Y, noise_var, max_iter=max_iter, tol=tol)
    power = (detection.score.reshape(batch.T, batch.N) > level) * gain
    if detection.noise_var is None:
        return replace(detection, X=_estimate(batch, noise_var, power))
    sigma2 = likeliest_noise(batch, power)
    return replace(detection, X=_estimate(batch, sigma2, power), noise_var=sigma2)


def mmse_estimate(
    A: ArrayLike, Y: ArrayLike, noise_var: ArrayLike, active: ArrayLike, *, channel_var: ArrayLike = 1.0
) -> NDArray[np.inexact]:
    """Estimate the channels of devices known to be active, by linear MMSE.

    With the true activity it is the best that any estimator can do on average, the bound for all others.

    Parameters
    ----------
    A, Y, noise_var, channel_var
        As for ``ml_mmse``.
    active : array_like of shape (..., N), bool
        Who is active in each problem.

    Returns
    -------
    ndarray of shape (..., N, M)
        X, zero where ``active`` is False.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> mmv.mmse_estimate(np.eye(2), [[3.0], [1.0]], noise_var=0.5, active=[True, False]).round(9).tolist()
    [[2.0], [0.0]]
    """
    batch = Batch.of(A, Y)
    support = as_activity("active", active)
    if support.shape != (*batch.leading, batch.N):
        raise ValueError(f"active must have shape (..., N) = {(*batch.leading, batch.N)}; got {support.shape}")
    gain = batch.per_device("channel_var", channel_var, POSITIVE)
    return _estimate(batch, noise_var, support.reshape(batch.T, batch.N) * gain)


def _estimate(batch: Batch, noise_var: ArrayLike, power: NDArray[np.floating]) -> NDArray[np.inexact]:
    """Return the linear MMSE estimates, (..., N, M), of devices with prior powers (T, N)."""
    problem = batch.in_units(objective=0, noise_var=batch.numbers("noise_var", noise_var, POSITIVE))
    double = np.result_type(batch.complex_dtype, np.float64)
    conjugate = problem.pilots.conjugate_rows(double)
    sigma = np.sqrt(problem.per_problem("noise_var", noise_var, POSITIVE, unit=(0, 2)).astype(np.float64))
    prior = problem.units.enter(power.astype(np.float64), (-2, 2))
    X = np.empty((batch.T, batch.N, batch.M), batch.complex_dtype)
    size = max(1, ROOM // ((batch.N + problem.A.shape[0]) * problem.A.shape[0]))
    for start in range(0, batch.T, size):
        chunk = slice(start, start + size)
        solve = partial(_mmse_part, conjugate, problem.Y[chunk], sigma[chunk], prior[chunk])
        (X[chunk],) = solve_in_parts(solve, problem.Y[chunk], batch.N, 1)
    return problem.signal(X)


def _mmse_part(
    conjugate: NDArray[np.inexact],
    Y: NDArray[np.inexact],
    sigma: NDArray[np.float64],
    power: NDArray[np.float64],
    part: slice,
) -> tuple[NDArray[np.inexact]]:
    """Return X of the problems in ``part``; ``conjugate`` are the rows a_nᴴ, (N, L)."""
    received, noise, prior = Y[part], sigma[part], power[part]
    sizes = np.minimum(-(-np.count_nonzero(prior, axis=1) // AT_ONCE) * AT_ONCE, len(conjugate))
    X = np.empty((len(received), len(conjugate), Y.shape[2]), conjugate.dtype)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        X[alike] = _mmse(conjugate, received[alike], noise[alike], prior[alike], size)
    return (X,)


def _mmse(
    conjugate: NDArray[np.inexact],
    Y: NDArray[np.inexact],
    sigma: NDArray[np.float64],
    power: NDArray[np.float64],
    size: int,
) -> NDArray[np.inexact]:
    """Return X_n = p_n a_nᴴΣ⁻¹Y, in each of whose problems at most ``size`` devices have a power.

    With Σ = RᴴR from the QR factors of [√p_n a_nᴴ; σI]: Σ itself would lose weak noise in its rounding errors.
    """
    chosen = np.argsort(power == 0, axis=1, kind="stable")[:, :size, None]
    root_power = np.sqrt(np.take_along_axis(power[:, :, None], chosen, axis=1))
    devices = root_power * conjugate[chosen[:, :, 0]]
    noise = sigma[:, None, None] * np.eye(conjugate.shape[1])
    # typed: NumPy's stubs know nothing of stacks with one factor
    root: NDArray[Any] = np.asarray(np.linalg.qr(np.concatenate([devices, noise], axis=1), mode="r"))
    whitened = np.linalg.solve(root, np.linalg.solve(root.conj().mT, Y))
    X = np.zeros((len(Y), len(conjugate), Y.shape[2]), conjugate.dtype)
    np.put_along_axis(X, chosen, root_power * (devices @ whitened), axis=1)
    return X
