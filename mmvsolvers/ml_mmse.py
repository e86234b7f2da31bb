"""Channel estimation in two steps: maximum-likelihood activity detection, then linear MMSE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import likeliest_noise
from mmvsolvers.ml_cd import ml_cd
from mmvsolvers.result import SolverResult
from mmvsolvers.thresholds import as_activity
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_scalar


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
    >>> mmv.mmse_estimate(np.eye(2), [[3.0], [1.0]], noise_var=0.5, active=[True, False]).tolist()
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
    rows = problem.pilots.rows(batch.complex_dtype)
    received = problem.Y.astype(batch.complex_dtype, copy=False)
    sigma2 = problem.per_problem("noise_var", noise_var, POSITIVE, unit=(0, 2))
    prior = problem.units.enter(power, (-2, 2))
    (X,) = solve_in_parts(
        lambda part: (kernels.ml_mmse.solve_batch(rows, received[part], sigma2[part], prior[part]),),
        received,
        batch.N,
        1,
    )
    return problem.signal(X)
