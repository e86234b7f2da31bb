"""Seeded random problems: who is active, which pilots are sent, what the antennas receive."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mmvsolvers.coherence import spread_apart
from mmvsolvers.validation import (
    POSITIVE,
    PROBABILITY,
    Range,
    as_choice,
    as_count,
    as_group_size,
    as_per_device,
    as_pilots,
    as_scalar,
)

PILOTS = ("gaussian", "unit_norm", "low_coherence")
_CORRELATION = Range("at least 0 and below 1", lambda value: (value >= 0) & (value < 1))
_DECIBELS = Range("between -300 and 300", lambda value: np.abs(value) <= 300)


@runtime_checkable
class ActivityModel(Protocol):
    """What :func:`generate` asks of an activity model; write your own with these two methods."""

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""


@dataclass(frozen=True, slots=True)
class IndependentActivity:
    """Devices that wake independently, the two halves of them with different probabilities.

    Devices 0 … N/2−1 are active with probability p₁ and the others with p₂, where (p₁ + p₂)/2 = p and
    p₁/p₂ = ratio (Cui, Li, Zhang, 2021, section V, "independent case").

    Parameters
    ----------
    p : float
        Average activity probability, in (0, 1).
    ratio : float, default 1
        p₁/p₂, positive. 1 makes all devices alike.

    Raises
    ------
    ValueError
        If p, p₁ or p₂ is outside (0, 1) or ``ratio`` is not positive; from the methods, if N is odd while
        ``ratio`` is not 1.
    """

    p: float
    ratio: float = 1.0

    def __post_init__(self) -> None:
        """Reject parameters that give no probabilities."""
        as_scalar("p", self.p, PROBABILITY)
        as_scalar("ratio", self.ratio, POSITIVE)
        if max(self._halves()) >= 1:
            raise ValueError(
                f"p={self.p:g} and ratio={self.ratio:g} make half of the devices active with probability "
                f"{max(self._halves()):g}; it must be below 1"
            )

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        return as_generator(rng).random((as_count("T", T), N)) < self.marginal(N)

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_count("N", N)
        if self.ratio == 1:
            return np.full(N, float(self.p))
        return np.repeat(self._halves(), as_group_size(N, 2))

    def _halves(self) -> tuple[float, float]:
        return 2 * self.p * self.ratio / (1 + self.ratio), 2 * self.p / (1 + self.ratio)


@dataclass(frozen=True, slots=True)
class SingleActiveGroup:
    """Exactly one of G = 1/p groups of N/G consecutive devices is active, each equally often.

    Cui, Li, Zhang, 2021, section V, "correlated case with a single active group".

    Parameters
    ----------
    p : float
        Activity probability of every device, one over an integer above 1.

    Raises
    ------
    ValueError
        If 1/p is not an integer above 1; from the methods, if G does not divide N.
    """

    p: float

    def __post_init__(self) -> None:
        """Reject a p that gives no whole number of groups."""
        as_scalar("p", self.p, PROBABILITY)
        if abs(self.n_groups * self.p - 1) > 1e-9:
            raise ValueError(f"p must be 1/G for an integer number of groups G; got {self.p:g}, 1/p = {1 / self.p:g}")

    @property
    def n_groups(self) -> int:
        """G, the number of groups."""
        return round(1 / self.p)

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        size = as_group_size(N, self.n_groups)
        active_group = as_generator(rng).integers(self.n_groups, size=as_count("T", T))
        group_of_device = np.arange(N) // size
        return np.asarray(group_of_device == active_group[:, np.newaxis])

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_group_size(N, self.n_groups)
        return np.full(N, 1 / self.n_groups)


@dataclass(frozen=True, slots=True)
class GroupActivity:
    """Groups of N/G consecutive devices, each group active or idle as a whole, independently.

    Cui, Li, Zhang, 2021, section V, "correlated case with i.i.d. group activity".

    Parameters
    ----------
    p : float
        Probability that a group is active, in (0, 1).
    n_groups : int
        G, the number of groups.

    Raises
    ------
    TypeError
        If ``n_groups`` is not an integer.
    ValueError
        If p is outside (0, 1) or ``n_groups`` is below 1; from the methods, if it does not divide N.
    """

    p: float
    n_groups: int

    def __post_init__(self) -> None:
        """Reject what is no probability and no count."""
        as_scalar("p", self.p, PROBABILITY)
        as_count("n_groups", self.n_groups)

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        size = as_group_size(N, self.n_groups)
        active_groups = as_generator(rng).random((as_count("T", T), self.n_groups)) < self.p
        return np.repeat(active_groups, size, axis=1)

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_group_size(N, self.n_groups)
        return np.full(N, float(self.p))


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
    """

    A: NDArray[np.complexfloating]
    Y: NDArray[np.complexfloating]
    X: NDArray[np.complexfloating]
    activity: NDArray[np.bool_]
    noise_var: float
    activity_prob: NDArray[np.float64]
    channel_var: NDArray[np.float64]

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
    correlation = as_scalar("antenna_correlation", antenna_correlation, _CORRELATION)
    gains = as_per_device("channel_var", channel_var, N, POSITIVE)
    A = _as_or_draw_pilots(rng, L, N, pilots).astype(precision)
    sigma2 = _noise_var(noise_var, snr_db, A, gains)
    active = activity.draw(rng, N, T)
    X = draw_channels(rng, active, gains, M, correlation).astype(precision)
    Z = np.sqrt(sigma2) * complex_normal(rng, (T, L, M))
    return MMVData(A, A @ X + Z.astype(precision), X, active, sigma2, activity.marginal(N), gains)


def draw_pilots(rng: np.random.Generator, L: int, N: int, kind: str = "gaussian") -> NDArray[np.complex128]:
    """Draw a pilot matrix of shape (L, N).

    Parameters
    ----------
    rng : numpy.random.Generator
    L, N : int
        Pilot length, number of devices.
    kind : {"gaussian", "unit_norm", "low_coherence"}, default "gaussian"
        "gaussian": i.i.d. CN(0, 1), so that ‖a_n‖² is L on average only. "unit_norm": the same, each column then
        scaled to ‖a_n‖ = √L, unit power per symbol. "low_coherence": the same again, then spread apart, see
        :func:`spread_apart`.

    Raises
    ------
    TypeError, ValueError
        For an ``rng`` that is not a Generator, counts that are not positive integers, an unknown ``kind``.
    """
    as_choice("kind", kind, PILOTS)
    A = complex_normal(as_generator(rng), (as_count("L", L), as_count("N", N)))
    if kind != "gaussian":
        A *= np.sqrt(L) / np.linalg.norm(A, axis=0)
    return spread_apart(A).astype(A.dtype) if kind == "low_coherence" else A


def draw_channels(
    rng: np.random.Generator,
    active: NDArray[np.bool_],
    channel_var: NDArray[np.float64],
    M: int,
    antenna_correlation: float = 0.0,
) -> NDArray[np.complex128]:
    """Draw X (T, N, M) with rows CN(0, g_n R) where ``active`` (T, N) and zero elsewhere; see :func:`generate`."""
    _, device = np.nonzero(active)
    X = np.zeros((*active.shape, M), np.complex128)
    rows = complex_normal(rng, (device.size, M)) @ _correlation_root(M, antenna_correlation).T
    X[active] = np.sqrt(channel_var[device])[:, np.newaxis] * rows
    return X


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    """Draw i.i.d. CN(0, 1) entries."""
    parts = np.sqrt(0.5) * rng.standard_normal((*shape, 2))
    entries: NDArray[np.complex128] = parts.view(np.complex128)[..., 0]
    return entries


def as_generator(rng: Any) -> np.random.Generator:
    """Return ``rng`` if it is a Generator; a seed or a legacy state would hide which draws are shared."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, as from numpy.random.default_rng(0); got {rng!r}")
    return rng


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


def _correlation_root(M: int, correlation: float) -> NDArray[np.float64]:
    """Cholesky factor of R_ij = r^|i−j| in closed form: that of a first-order autoregression."""
    antenna = np.arange(M)
    root: NDArray[np.float64] = np.tril(correlation ** np.abs(antenna[:, np.newaxis] - antenna))
    root[:, 1:] *= np.sqrt(1 - correlation**2)
    return root
