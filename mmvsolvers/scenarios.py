"""Seeded random problems: who is active, which pilots are sent, what the antennas receive."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mmvsolvers.activity import ActivityModel
from mmvsolvers.channels import Rayleigh
from mmvsolvers.normal import complex_normal
from mmvsolvers.pilots import PILOTS, draw_pilots
from mmvsolvers.validation import POSITIVE, Range, as_choice, as_count, as_generator, as_pilots, as_scalar

_DECIBELS = Range("between -300 and 300", lambda value: np.abs(value) <= 300)


@dataclass(frozen=True, slots=True, eq=False)
class MMVData:
    """T problems Y = A X + Z that share one pilot matrix, with their ground truth.

    Attributes
    ----------
    A : ndarray of shape (L, N), complex
        Pilots, one column per device.
    Y : ndarray of shape (T, L, M), complex
        Received signals.
    X : ndarray of shape (T, N, M), complex
        Row n is device n's channel where it is active and zero where it is not.
    activity : ndarray of shape (T, N), bool
        Who is active.
    noise_var : float
        σ², the variance of every complex entry of Z.
    activity_prob : ndarray of shape (N,), float64
        The prior probability that each device is active.
    channel_var : ndarray of shape (N,), float64
        The variance g of every complex entry of each device's channel.
    groups : ndarray of shape (N,), int, or None
        Devices of a number are always active together; None where the activity model names no groups.
    """

    A: NDArray[np.complexfloating]
    Y: NDArray[np.complexfloating]
    X: NDArray[np.complexfloating]
    activity: NDArray[np.bool_]
    noise_var: float
    activity_prob: NDArray[np.float64]
    channel_var: NDArray[np.float64]
    groups: NDArray[np.int64] | None = None

    @property
    def N(self) -> int:
        """Number of devices."""
        return int(self.A.shape[1])

    @property
    def L(self) -> int:
        """Pilot length."""
        return int(self.A.shape[0])

    @property
    def M(self) -> int:
        """Number of antennas."""
        return int(self.Y.shape[2])

    @property
    def T(self) -> int:
        """Number of samples."""
        return int(self.Y.shape[0])

    def __repr__(self) -> str:
        """Sizes only; the arrays themselves can be gigabytes."""
        return (
            f"MMVData(N={self.N}, L={self.L}, M={self.M}, T={self.T}, noise_var={self.noise_var:g}, "
            f"dtype={self.Y.dtype.name})"
        )


def generate(
    rng: np.random.Generator,
    *,
    N: int,
    L: int,
    M: int,
    T: int,
    activity: ActivityModel,
    noise_var: float | None = None,
    snr_db: float | None = None,
    pilots: str | ArrayLike = "gaussian",
    channel_var: ArrayLike = 1.0,
    antenna_correlation: float = 0.0,
    dtype: DTypeLike = np.complex128,
) -> MMVData:
    """Draw T problems Y = A X + Z with Rayleigh fading.

    The channel of an active device n is CN(0, g_n R) over the antennas, with g_n its ``channel_var`` and
    R_ij = r^|i−j|; Z is i.i.d. CN(0, σ²). To draw training and test samples on the same pilots, pass the first
    draw's ``A`` as ``pilots`` of the second.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness: the same state and arguments give the same data. The precision asked for
        only rounds what is drawn.
    N, L, M, T : int
        Devices, pilot length, antennas, samples.
    activity : IndependentActivity, SingleActiveGroup, GroupActivity or another ActivityModel
        Who is active.
    noise_var : float, optional
        σ² > 0. Give either this or ``snr_db``.
    snr_db : float, optional
        Signal-to-noise ratio in dB: the mean power that one active device, averaged over the devices, adds to a
        complex entry of Y, over σ². That is SNR = (1/N) Σ_n g_n ‖a_n‖²/L / σ², with the pilots at hand; 10 dB is
        σ² = 0.1 for unit-norm pilots and g = 1.
    pilots : {"gaussian", "unit_norm", "low_coherence"} or array_like of shape (L, N), default "gaussian"
        Pilots to draw, see :func:`draw_pilots`, or the pilots themselves.
    channel_var : float or array_like of shape (N,), default 1
        g_n > 0, the large-scale fading.
    antenna_correlation : float, default 0
        r of the exponential correlation across antennas, 0 ≤ r < 1.
    dtype : dtype, default complex128
        complex64 or complex128.

    Returns
    -------
    MMVData

    Raises
    ------
    TypeError
        For an ``rng`` that is not a Generator, an ``activity`` that is no activity model, counts that are not
        integers, and dtypes other than complex64 and complex128.
    ValueError
        For values outside their range, shapes that do not match, and unless exactly one of ``noise_var`` and
        ``snr_db`` is given.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> activity = IndependentActivity(0.1, ratio=3)
    >>> train = generate(rng, N=100, L=12, M=4, T=500, activity=activity, noise_var=0.1)
    >>> generate(rng, N=100, L=12, M=4, T=200, activity=activity, noise_var=0.1, pilots=train.A)
    MMVData(N=100, L=12, M=4, T=200, noise_var=0.1, dtype=complex128)
    """
    rng, precision = as_generator(rng), _as_complex_dtype(dtype)
    N, L, M, T = as_count("N", N), as_count("L", L), as_count("M", M), as_count("T", T)
    if not isinstance(activity, ActivityModel):
        raise TypeError(f"activity must be an activity model such as IndependentActivity(0.1); got {activity!r}")
    channel = Rayleigh(channel_var, antenna_correlation)  # type: ignore[arg-type]
    A = _as_or_draw_pilots(rng, L, N, pilots).astype(precision)
    gains = channel.variance(rng, N)
    sigma2 = _noise_var(noise_var, snr_db, A, gains)
    active = activity.draw(rng, N, T)
    X = channel.draw(rng, active, gains, M).astype(precision, copy=False)
    Z = complex_normal(rng, (T, L, M))
    Z *= np.sqrt(sigma2)
    Y = A @ X
    Y += Z.astype(precision, copy=False)
    groups = activity.groups(N) if hasattr(activity, "groups") else None
    return MMVData(A, Y, X, active, sigma2, activity.marginal(N), gains, groups)


def _as_complex_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    if np.dtype(dtype) not in (np.dtype(np.complex64), np.dtype(np.complex128)):
        raise TypeError(f"dtype must be complex64 or complex128; got {np.dtype(dtype).name}")
    return np.dtype(dtype)


def _as_or_draw_pilots(rng: np.random.Generator, L: int, N: int, pilots: str | ArrayLike) -> NDArray[np.inexact]:
    if isinstance(pilots, str):
        as_choice("pilots", pilots, PILOTS)
        return draw_pilots(rng, L, N, pilots)
    A = as_pilots("pilots", pilots)
    if A.shape != (L, N):
        raise ValueError(f"pilots must have shape (L, N) = {(L, N)}; got {A.shape}")
    return A


def _noise_var(
    noise_var: float | None, snr_db: float | None, A: NDArray[np.complexfloating], gains: NDArray[np.float64]
) -> float:
    if (noise_var is None) == (snr_db is None):
        raise ValueError(f"give exactly one of noise_var and snr_db; got noise_var={noise_var}, snr_db={snr_db}")
    if snr_db is None:
        return as_scalar("noise_var", noise_var, POSITIVE)
    power = gains @ np.mean(np.abs(A) ** 2, axis=0, dtype=np.float64) / gains.size
    return float(power / 10 ** (as_scalar("snr_db", snr_db, _DECIBELS) / 10))
