"""Problems with their ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        Labels: the devices of a label are always active together. None where the activity model has no groups.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> data = mmv.generate(rng, N=20, L=8, M=4, T=5, noise_var=0.1, activity=mmv.GroupActivity(0.2, n_groups=5))
    >>> data
    MMVData(N=20, L=8, M=4, T=5, noise_var=0.1, dtype=complex128)
    >>> noise = data.Y - data.A @ data.X
    >>> round(float((np.abs(noise) ** 2).mean()), 1)
    0.1
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


def as_data(name: str, value: Any) -> MMVData:
    """Return ``value`` if it is problems with their ground truth."""
    if not isinstance(value, MMVData):
        raise TypeError(f"{name} must be MMVData, as from Scenario.draw; got {type(value).__name__}")
    return value
