"""How the devices' signals reach the antennas: models of the channel."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.normal import complex_normal
from mmvsolvers.validation import POSITIVE, Range, as_count, as_generator, as_per_device, as_real, as_scalar

_CORRELATION = Range("at least 0 and below 1", lambda value: (value >= 0) & (value < 1))


@runtime_checkable
class ChannelModel(Protocol):
    """What a scenario asks of a channel model; write your own with these two methods."""

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
    """

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
        _, device = np.nonzero(active)
        rows = complex_normal(as_generator(rng), (device.size, as_count("M", M)))
        rows = rows @ _correlation_root(M, self.antenna_correlation).T
        rows *= np.sqrt(variance[device])[:, np.newaxis]
        X = np.zeros((*active.shape, M), np.complex128)
        X[active] = rows
        return X


def _correlation_root(M: int, correlation: float) -> NDArray[np.float64]:
    """Cholesky factor of R_ij = r^|i−j| in closed form: that of a first-order autoregression."""
    antenna = np.arange(M)
    root: NDArray[np.float64] = np.tril(correlation ** np.abs(antenna[:, np.newaxis] - antenna))
    root[:, 1:] *= np.sqrt(1 - correlation**2)
    return root
