"""Units in which the numbers of a problem are ordinary: powers of two, so that changing to them and back is exact."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.inexact)

# Amplitudes from 2⁻¹² to 2¹² are ordinary: kernels multiply up to eight of them, which any precision can hold.
ORDINARY = 12
LEAST_ORDINARY, MOST_ORDINARY = 2.0**-ORDINARY, 2.0**ORDINARY


def exponents(amplitudes: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the exponents of the powers of two just above ``amplitudes``, 0 for zeros and ordinary ones."""
    found = np.frexp(amplitudes)[1].astype(np.int64)
    return np.where(np.abs(found) <= ORDINARY, 0, found)


def power_exponents(powers: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the exponents of the amplitudes' units where squares of amplitudes are given."""
    found = np.frexp(powers)[1].astype(np.int64) >> 1
    return np.where(np.abs(found) <= ORDINARY, 0, found)


def largest(array: NDArray[np.inexact], axis: int) -> NDArray[np.floating]:
    """Return the largest magnitude of a real or imaginary part along an axis of a matrix; no number if one is none."""
    parts = array.view(array.real.dtype)
    found: NDArray[np.floating] = np.maximum(np.maximum.reduce(parts, axis), -np.minimum.reduce(parts, axis))
    return np.maximum(found[::2], found[1::2]) if axis == 0 and array.dtype.kind == "c" else found


def are_ordinary(least: float, most: float) -> bool:
    """Tell whether amplitudes from ``least`` to ``most`` are ordinary for certain: all have the exponent 0."""
    return least >= LEAST_ORDINARY and most < MOST_ORDINARY


def rescaled(array: NDArray[Number], exponents: NDArray[np.int64] | int) -> NDArray[Number]:
    """Return ``array`` times 2 to the power ``exponents``, one per entry of its first axes; itself where that is 1."""
    if not np.any(exponents):
        return array
    shift = np.asarray(exponents)
    parts = np.ascontiguousarray(array).view(array.real.dtype).reshape(*array.shape, -1)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(parts, shift.reshape(shift.shape + (1,) * (parts.ndim - shift.ndim)))
    return np.ascontiguousarray(scaled).view(array.dtype).reshape(array.shape)


@dataclass(frozen=True, slots=True)
class Units:
    """The units of A and of the problems' Y: 2 to these powers. X is in units of the second over the first.

    A unit of anything else is a pair of exponents: (1, 1) is that of AᴴY, (0, 2) that of a power of Y.

    Attributes
    ----------
    pilots : int
        Exponent of A's unit.
    received : ndarray of shape (T,), int64
        Exponents of the units of Y, problem by problem.
    users : bool
        Whether all of them are known to be 0: the units are the user's own.
    """

    pilots: int
    received: NDArray[np.int64]
    users: bool = False

    @classmethod
    def of_user(cls, T: int) -> "Units":
        """Return the units that T problems came in."""
        return cls(0, np.zeros(T, np.int64), users=True)

    def exponents(self, unit: tuple[int, int]) -> NDArray[np.int64]:
        """Return the exponents of a unit, (T,)."""
        return unit[0] * self.pilots + unit[1] * self.received

    def enter(self, values: NDArray[Number], unit: tuple[int, int]) -> NDArray[Number]:
        """Express numbers with leading axis T in the unit."""
        return values if self.users else rescaled(values, -self.exponents(unit))

    def leave(self, values: NDArray[Number], unit: tuple[int, int]) -> NDArray[Number]:
        """Give numbers with leading axis T in the unit their own size back."""
        return values if self.users else rescaled(values, self.exponents(unit))


def fits(exponents: NDArray[np.int64], dtype: np.dtype[np.floating]) -> NDArray[np.bool_]:
    """Tell which powers of two ``dtype`` holds with room around them."""
    limits = np.finfo(dtype)
    return (exponents >= limits.minexp + ORDINARY) & (exponents <= limits.maxexp - ORDINARY)
