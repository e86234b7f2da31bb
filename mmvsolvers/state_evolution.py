"""What AMP with the MMSE denoiser will achieve, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.validation import POSITIVE, PROBABILITY, as_count, as_groups, as_per_device, as_scalar

_N_NODES = 200
_LOGISTIC_TAIL = 40.0  # the logistic function is within e⁻⁴⁰ of 0 or 1 beyond
_GAMMA_TAIL = 1e-18


@dataclass(frozen=True, slots=True, eq=False)
class StateEvolution:
    """The predicted course of AMP.

    Attributes
    ----------
    tau2 : ndarray of shape (n_iter,)
        τ²_k, the variance of the Gaussian noise that the denoiser sees in iteration k + 1, per complex entry of X.
    mse : ndarray of shape (n_iter,)
        (1/N) E‖X − X̂‖²_F after iteration k + 1: per device and summed over the antennas, as
        :func:`mmvsolvers.mse` measures it.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> predicted = mmv.state_evolution(N=100, L=40, M=4, noise_var=0.1, activity_prob=0.1, n_iter=10)
    >>> predicted.mse.shape
    (10,)
    >>> bool(predicted.mse[-1] < 0.1 * predicted.mse[0])
    True
    """

    tau2: NDArray[np.float64]
    mse: NDArray[np.float64]


def state_evolution(
    *,
    N: int,
    L: int,
    M: int,
    noise_var: float,
    activity_prob: ArrayLike,
    channel_var: ArrayLike = 1.0,
    groups: ArrayLike | None = None,
    n_iter: int = 50,
) -> StateEvolution:
    """Predict the mean squared error of AMP with the MMSE denoiser, iteration by iteration.

    In the limit of large L and N, each row of AMP's estimate before denoising is x_n + CN(0, τ²I), with

        τ²_0 = σ²/L + (N/L) E‖x‖²/M,    τ²_{k+1} = σ²/L + (N/L) mse(τ²_k)/M

    for i.i.d. pilots with E‖a_n‖² = L and ``mse`` the error of the denoiser averaged over the devices. At N = 1000
    individual problems still scatter widely around it.

    Parameters
    ----------
    N, L, M : int
        Devices, pilot length, antennas.
    noise_var : float
        σ² > 0 per complex entry of Y.
    activity_prob : float or array_like of shape (N,)
        ε in (0, 1).
    channel_var : float or array_like of shape (N,), default 1
        g > 0. For columns whose norms differ, AMP that scales every column to its own norm sees g ‖a_n‖²/L, and
        the predicted error is that of the rows so scaled.
    groups : array_like of int, shape (N,), optional
        Labels: AMP is told that the devices of a label are active together; they have one ε and one g.
    n_iter : int, default 50
        Iterations to predict.

    Returns
    -------
    StateEvolution

    Raises
    ------
    TypeError, ValueError
        For counts that are not positive integers, values outside their range, shapes other than () and (N,).

    References
    ----------
    L. Liu, W. Yu, "Massive connectivity with massive MIMO, part I: device activity detection and channel
    estimation", IEEE Transactions on Signal Processing 66(11), 2018.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> predicted = mmv.state_evolution(N=1000, L=150, M=16, noise_var=0.1, activity_prob=0.1)
    >>> bool(predicted.mse[-1] < predicted.mse[0])
    True
    """
    N, L, M, n_iter = as_count("N", N), as_count("L", L), as_count("M", M), as_count("n_iter", n_iter)
    floor = as_scalar("noise_var", noise_var, POSITIVE) / L
    prob = as_per_device("activity_prob", activity_prob, N, PROBABILITY)
    variance = as_per_device("channel_var", channel_var, N, POSITIVE)
    group = as_groups(groups, N, prob)
    _, member, size = np.unique(group, return_index=True, return_counts=True)
    if not np.array_equal(variance[member][group], variance):
        raise ValueError("channel_var must be constant within a group; got different values in one of the groups")
    (epsilon, g, size_of_group), share = _distinct(np.stack([prob, variance, size[group]], axis=1))
    tau2, error = np.empty(n_iter), np.empty(n_iter)
    mse = M * share @ (epsilon * g)
    for k in range(n_iter):
        tau2[k] = floor + N / L * mse / M
        error[k] = mse = share @ denoiser_mse(tau2[k], M, epsilon, g, size_of_group)
    return StateEvolution(tau2, error)


def denoiser_mse(
    tau2: float,
    M: int,
    epsilon: NDArray[np.float64],
    g: NDArray[np.float64],
    group_size: NDArray[np.float64] | float = 1.0,
) -> NDArray[np.float64]:
    """Return E‖x − E[x | x + CN(0, τ²I)]‖² for rows x of M entries that are CN(0, gI) with probability ε, else 0.

    The expected posterior variance is ε M g/(τ²+g) · (τ² + g E[1 − φ]), with φ the posterior activity and the
    expectation over ‖q‖²/(τ²+g) ~ Gamma(M + 1): an active row's is Gamma(M), weighted by itself. All terms are
    positive: nothing cancels, however small the error. Where S rows are active together, φ depends on the sum of their
    ‖q‖²/(τ²+g) ~ Gamma(SM + 1), each row weighted by its share of it.

    Parameters
    ----------
    tau2 : float
    M : int
    epsilon, g : ndarray of shape (K,)
    group_size : ndarray of shape (K,) or float
        S, how many rows are active together, of one ε and g.

    Returns
    -------
    ndarray of shape (K,)
    """
    snr = g / tau2
    together = M * np.broadcast_to(group_size, snr.shape)
    offset = np.log((1 - epsilon) / epsilon) + together * np.log1p(snr)
    return epsilon * M * g / (tau2 + g) * (tau2 + g * _mean_logistic_of_gamma(offset, snr, together + 1))


def _mean_logistic_of_gamma(
    offset: NDArray[np.float64], slope: NDArray[np.float64], shape: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return E[1/(1 + exp(slope·s − offset))] for s ~ Gamma(shape), every slope positive.

    The logistic function is 1 left of its step, where the Gamma distribution function is the answer, and 0 right
    of it; Gauss–Legendre quadrature covers what of the step the Gamma distribution reaches.
    """
    from scipy.special import expit, gammainc, gammainccinv, gammaincinv, gammaln

    reach = gammaincinv(shape, _GAMMA_TAIL), gammainccinv(shape, _GAMMA_TAIL)
    low = np.clip((offset - _LOGISTIC_TAIL) / slope, *reach)
    high = np.clip((offset + _LOGISTIC_TAIL) / slope, *reach)
    node, weight = _legendre()
    half_width = (high - low)[:, np.newaxis] / 2
    s = low[:, np.newaxis] + half_width * (1 + node)
    density = np.exp((shape - 1)[:, np.newaxis] * np.log(s) - s - gammaln(shape)[:, np.newaxis])
    step = expit(offset[:, np.newaxis] - slope[:, np.newaxis] * s)
    return np.asarray(gammainc(shape, low) + (half_width * step * density) @ weight)


@cache
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    node, weight = np.polynomial.legendre.leggauss(_N_NODES)
    return node, weight


def _distinct(prior: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the distinct rows of a (N, 2) array as (2, K), and the share (K,) of the devices that have each."""
    rows, count = np.unique(prior, axis=0, return_counts=True)
    return rows.T, count / prior.shape[0]
