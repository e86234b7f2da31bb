"""How the devices' signals reach the antennas: models of the channel.

References
----------
Z. Chen, F. Sohrabi, W. Yu, "Sparse activity detection for massive connectivity", IEEE Transactions on Signal
Processing 66(7), 2018: a cell with the path loss 128.1 + 37.6 log10(d/km) dB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.normal import complex_normal
from mmvsolvers.validation import (
    DECIBELS,
    NON_NEGATIVE,
    POSITIVE,
    Range,
    as_choice,
    as_count,
    as_generator,
    as_per_device,
    as_real,
    as_scalar,
)

_CORRELATION = Range("at least 0 and below 1", lambda value: (value >= 0) & (value < 1))
# Distance of a hexagon's edges over that of its corners.
_INNER = np.sqrt(3) / 2


@runtime_checkable
class ChannelModel(Protocol):
    """What a scenario asks of a channel model; write your own with these two methods.

    A model whose g the receiver does not know may have a third, ``told(variance) -> ndarray of shape (N,)``: what
    solvers are told in the place of ``variance``.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> class LineOfSight:
    ...     def variance(self, rng, N):
    ...         return np.ones(N)
    ...     def draw(self, rng, active, variance, M):
    ...         phase = rng.uniform(0, 2 * np.pi, (*active.shape, 1))
    ...         return np.repeat(active[..., None] * np.exp(1j * phase), M, axis=-1)
    ...
    >>> isinstance(LineOfSight(), mmv.ChannelModel)
    True
    """

    def variance(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Draw the large-scale power g of N devices, shape (N,), once for all samples of a draw."""

    def draw(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64], M: int
    ) -> NDArray[np.complexfloating]:
        """Draw X (T, N, M): rows of mean power ``variance`` (N,) where ``active`` (T, N), zero elsewhere."""


@dataclass(frozen=True, slots=True)
class Rayleigh:
    """Rayleigh fading: the channel of device n is CN(0, g_n R), with R_ij = r^|i−j| over the antennas.

    Parameters
    ----------
    channel_var : float or array_like of shape (N,), default 1
        g_n > 0, the large-scale fading: one number for all devices, or one for each.
    antenna_correlation : float, default 0
        r of the exponential correlation across antennas, 0 ≤ r < 1.

    Raises
    ------
    TypeError, ValueError
        For values that are not real or outside their range; from ``variance``, if there are not N of them.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> channel = mmv.Rayleigh(channel_var=[1.0, 4.0])
    >>> active = np.ones((20_000, 2), dtype=bool)
    >>> X = channel.draw(np.random.default_rng(0), active, channel.variance(None, 2), 3)
    >>> (np.abs(X) ** 2).mean(axis=(0, 2)).round(1).tolist()
    [1.0, 4.0]
    """

    words: ClassVar[str] = "Rayleigh fading"
    symbols: ClassVar[Mapping[str, str]] = {"channel_var": "g", "antenna_correlation": "r"}
    channel_var: float | tuple[float, ...] = 1.0
    antenna_correlation: float = 0.0

    def __post_init__(self) -> None:
        """Reject values outside their range; keep arrays as tuples, which compare and can be written as text."""
        as_scalar("antenna_correlation", self.antenna_correlation, _CORRELATION)
        gains = as_real("channel_var", self.channel_var, POSITIVE)
        if gains.ndim > 1:
            raise ValueError(f"channel_var must be a scalar or have shape (N,), one per device; got {gains.shape}")
        object.__setattr__(self, "channel_var", tuple(gains.tolist()) if gains.ndim else float(gains))

    def variance(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Return g, shape (N,); nothing is drawn."""
        return as_per_device("channel_var", self.channel_var, as_count("N", N), POSITIVE)

    def draw(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64], M: int
    ) -> NDArray[np.complex128]:
        """Draw X (T, N, M): rows CN(0, g_n R) where ``active`` (T, N), zero elsewhere."""
        rows = complex_normal(as_generator(rng), (int(np.count_nonzero(active)), as_count("M", M)))
        if self.antenna_correlation:
            rows = rows @ _correlation_root(M, self.antenna_correlation).T
        return _spread(rows, active, variance)


@dataclass(frozen=True, slots=True)
class Rician:
    """Rician fading: a line of sight and, κ times weaker, scatter; E|h|² is g whatever κ is.

    The channel of device n is h = √(g_n/(κ+1)) (√κ v + w), with w ~ CN(0, I). Every active device has another v, of
    entries of modulus 1, in every sample.

    Parameters
    ----------
    k_factor_db : float, default 10
        κ in dB, between −300 and 300: the power of the line of sight over that of the scatter.
    channel_var : float or array_like of shape (N,), default 1
        g_n > 0: one number for all devices, or one for each.
    line_of_sight : {"array", "random"}, default "array"
        "array": v_m = exp(j(ψ + π m sin θ)), a plane wave on a uniform linear array of half a wavelength, with ψ and θ
        uniform on [0, 2π). "random": all phases of v are independent and uniform.

    Raises
    ------
    TypeError, ValueError
        For values that are not real or outside their range; from ``variance``, if there are not N of them.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> channel = mmv.Rician(k_factor_db=20)  # hardly any scatter: all entries have nearly the same modulus
    >>> X = channel.draw(np.random.default_rng(0), np.ones((1000, 1), dtype=bool), np.ones(1), 4)
    >>> round(float(np.abs(X).mean()), 1), round(float(np.abs(X).std()), 1)
    (1.0, 0.1)
    """

    words: ClassVar[str] = "Rician fading"
    symbols: ClassVar[Mapping[str, str]] = {"k_factor_db": "κ/dB", "channel_var": "g"}
    k_factor_db: float = 10.0
    channel_var: float | tuple[float, ...] = 1.0
    line_of_sight: str = "array"

    def __post_init__(self) -> None:
        """Reject values outside their range; keep arrays as tuples."""
        as_scalar("k_factor_db", self.k_factor_db, DECIBELS)
        as_choice("line_of_sight", self.line_of_sight, ("array", "random"))
        object.__setattr__(self, "channel_var", Rayleigh(self.channel_var).channel_var)

    def variance(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Return g, shape (N,); nothing is drawn."""
        return Rayleigh(self.channel_var).variance(rng, N)

    def draw(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64], M: int
    ) -> NDArray[np.complex128]:
        """Draw X (T, N, M): Rician rows where ``active`` (T, N), zero elsewhere."""
        n_rows, factor = int(np.count_nonzero(active)), 10 ** (self.k_factor_db / 10)
        phases = self._phases(as_generator(rng), n_rows, as_count("M", M))
        rows = complex_normal(rng, (n_rows, M))
        rows *= np.sqrt(1 / (factor + 1))
        rows += np.sqrt(factor / (factor + 1)) * np.exp(1j * phases)
        return _spread(rows, active, variance)

    def _phases(self, rng: np.random.Generator, n_rows: int, M: int) -> NDArray[np.float64]:
        if self.line_of_sight == "random":
            return rng.uniform(0, 2 * np.pi, (n_rows, M))
        phase, angle = rng.uniform(0, 2 * np.pi, (2, n_rows, 1))
        return np.asarray(phase + np.pi * np.arange(M) * np.sin(angle))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFading:
    """Large-scale fading of a cell, over Rayleigh fading: devices anywhere in it, near and far.

    Distances are those of places uniform over the cell, drawn anew with every draw of a scenario. The path loss is
    128.1 + 37.6 log10(d/km) dB, to which log-normal shadowing is added. Powers are in units of the noise floor, so the
    scenario's ``noise_var`` is 1: the transmitted power over −169 dBm/Hz times 10 MHz, which is −99 dBm, unless said
    otherwise.

    Parameters
    ----------
    radius : float, default 1.0
        From the base station to the farthest place, km.
    min_distance : float, default 0.05
        No device is nearer than this, km.
    shape : {"disc", "hexagon"}, default "disc"
        Of the cell; ``radius`` is that of the hexagon's corners.
    shadowing_db : float, default 0
        Standard deviation of the shadowing.
    transmit_dbm : float, default 23
        Power of every device.
    bandwidth_hz, noise_dbm_hz : float, default 10e6 and -169
        Bandwidth and noise density, whose product is the noise floor.
    power_control : bool, default False
        Devices that are received more strongly than one at ``radius`` without shadowing send less, until they are
        received as that one is; those that are received more weakly stay so.
    known : bool, default True
        Whether solvers are told every device's g, or only the average over the devices, for each of them.

    Raises
    ------
    TypeError, ValueError
        For values that are not real or outside their range.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> cell = mmv.CellFading(radius=0.25, power_control=True)
    >>> print(np.round(10 * np.log10(cell.variance(np.random.default_rng(0), 3)), 2))
    [16.54 16.54 16.54]
    """

    words: ClassVar[str] = "fading of a cell"
    radius: float = 1.0
    min_distance: float = 0.05
    shape: str = "disc"
    shadowing_db: float = 0.0
    transmit_dbm: float = 23.0
    bandwidth_hz: float = 10e6
    noise_dbm_hz: float = -169.0
    power_control: bool = False
    known: bool = True

    def __post_init__(self) -> None:
        """Reject values outside their range."""
        for name in ("radius", "min_distance", "bandwidth_hz"):
            as_scalar(name, getattr(self, name), POSITIVE)
        as_scalar("shadowing_db", self.shadowing_db, NON_NEGATIVE)
        for name in ("transmit_dbm", "noise_dbm_hz"):
            as_scalar(name, getattr(self, name), DECIBELS)
        as_choice("shape", self.shape, ("disc", "hexagon"))
        # Within a hexagon every direction must have room between the two distances.
        if self.min_distance >= self.radius * (1.0 if self.shape == "disc" else _INNER):
            raise ValueError(
                f"min_distance must be below the edge of the cell of radius {self.radius:g}; got {self.min_distance:g}"
            )

    def variance(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Draw places and shadowing of N devices; return their g, shape (N,), in units of the noise floor."""
        distance = self._distances(as_generator(rng), as_count("N", N))
        gain_db = self._mean_db(distance) + self.shadowing_db * rng.standard_normal(N)
        if self.power_control:
            gain_db = np.minimum(gain_db, self._mean_db(np.array(self.radius)))
        return np.asarray(10 ** (gain_db / 10))

    def told(self, variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what solvers are told of ``variance`` (N,): itself, or its average for each device."""
        return variance if self.known else np.full(variance.size, variance.mean())

    def draw(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64], M: int
    ) -> NDArray[np.complex128]:
        """Draw X (T, N, M): rows CN(0, g_n I) where ``active`` (T, N), zero elsewhere."""
        return Rayleigh().draw(rng, active, variance, M)

    def _mean_db(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean received power over the noise floor at distances in km."""
        noise_dbm = self.noise_dbm_hz + 10 * np.log10(self.bandwidth_hz)
        return np.asarray(self.transmit_dbm - noise_dbm - 128.1 - 37.6 * np.log10(distance))

    def _distances(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Draw distances of places that are uniform over the cell, by rejection where it is a hexagon."""
        found = np.empty(0)
        while found.size < N:
            squares = rng.uniform(self.min_distance**2, self.radius**2, N)
            angle = rng.uniform(-np.pi / 6, np.pi / 6, N)  # by symmetry, one sixth of it with an edge in the middle
            inside = np.sqrt(squares) * np.cos(angle) <= _INNER * self.radius
            found = np.append(found, np.sqrt(squares[inside | (self.shape == "disc")]))
        return found[:N]


def _spread(
    rows: NDArray[np.complex128], active: NDArray[np.bool_], variance: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Put rows of unit power, which are overwritten, at the active places of X (T, N, M), each with its own power."""
    rows *= np.sqrt(variance[np.nonzero(active)[1]])[:, np.newaxis]
    X = np.zeros((*active.shape, rows.shape[1]), np.complex128)
    X[active] = rows
    return X


def _correlation_root(M: int, correlation: float) -> NDArray[np.float64]:
    """Cholesky factor of R_ij = r^|i−j| in closed form: that of a first-order autoregression."""
    antenna = np.arange(M)
    root: NDArray[np.float64] = np.tril(correlation ** np.abs(antenna[:, np.newaxis] - antenna))
    root[:, 1:] *= np.sqrt(1 - correlation**2)
    return root
