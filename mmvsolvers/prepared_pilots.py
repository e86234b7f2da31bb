"""Pilots prepared once for calls without end: a receiver has one A, and ever new Y."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mmvsolvers.units import exponents, largest, rescaled
from mmvsolvers.validation import as_precise, refuse_infinite

Made = TypeVar("Made")


class Pilots:
    """A pilot matrix, checked once, that keeps what calls with it compute of it alone.

    Every solver takes it in the place of the array, and gives the same answer to the bit. What is kept: the matrix in
    the precisions, units and layouts that the solvers want, norms, Gram matrices. The first call of a solver makes it.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128. They are copied.

    Attributes
    ----------
    shape : tuple of int
        (L, N).
    dtype : dtype
        That of A.

    Raises
    ------
    TypeError, ValueError
        For what is no pilot matrix.

    Notes
    -----
    ``covariance_lasso`` keeps the Gram matrix |AᴴA|², of N² numbers, for N up to 4096. ``np.asarray`` of pilots is a
    read-only array.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> pilots = mmv.Pilots(np.eye(3) + 0.1)
    >>> pilots
    Pilots(L=3, N=3, float64)
    >>> Y = np.asarray(pilots) @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.ml_cd(pilots, Y, noise_var=0.01).score.round(1).tolist()
    [4.0, 0.0, 0.0]
    """

    __slots__ = ("_kept", "array")

    array: NDArray[np.inexact]
    _kept: dict[Any, Any]

    def __init__(self, A: ArrayLike) -> None:
        self.array = np.array(as_prepared("A", A).array, order="C")
        self._kept = {}

    @classmethod
    def of(cls, A: NDArray[np.inexact]) -> Pilots:
        """Prepare a matrix, without a copy unless its layout asks for one; see `as_prepared`."""
        found = cls.__new__(cls)
        # Read-only arrays are another type to numba: compiled for once more, and rounded in another order.
        found.array, found._kept = np.require(A, A.dtype.newbyteorder("="), ("C", "W")), {}
        return found

    def __repr__(self) -> str:
        """Sizes and precision."""
        L, N = self.shape
        return f"Pilots(L={L}, N={N}, {self.dtype.name})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix: a read-only view, or a copy where one is asked for."""
        if copy or (dtype is not None and dtype != self.dtype):
            return np.array(self.array, dtype=dtype)
        view = self.array.view()
        view.flags.writeable = False
        return view

    @property
    def shape(self) -> tuple[int, int]:
        """(L, N)."""
        L, N = self.array.shape
        return L, N

    @property
    def dtype(self) -> np.dtype[np.inexact]:
        """That of the matrix."""
        return self.array.dtype

    def keep(self, key: Any, make: Callable[[], Made]) -> Made:
        """Return what ``make`` makes, made at the first call with this key."""
        try:
            found: Made = self._kept[key]
        except KeyError:
            found = self._kept[key] = make()
        return found

    def astype(self, dtype: DTypeLike) -> Pilots:
        """Return the pilots in another precision."""
        if dtype == self.dtype:
            return self
        return self.keep(("astype", np.dtype(dtype)), lambda: Pilots.of(self.array.astype(dtype)))

    def in_unit(self, exponent: int) -> Pilots:
        """Return the pilots in units of two to this power."""
        if exponent == 0:
            return self
        return self.keep(("unit", exponent), lambda: Pilots.of(rescaled(self.array, -exponent)))

    def weighted(self, weights: NDArray[np.floating]) -> Pilots:
        """Return the pilots with column n times ``weights[n]``; those of the last weights are kept."""
        if (weights == 1.0).all():
            return self
        kept: tuple[NDArray[np.floating], Pilots] | None = self._kept.get("weighted")
        if kept is None or not np.array_equal(kept[0], weights):
            kept = self._kept["weighted"] = weights, Pilots.of(self.array * weights)
        return kept[1]

    @property
    def sizes(self) -> NDArray[np.floating]:
        """The largest magnitude of a real or imaginary part of each column, (N,)."""
        return self.keep("sizes", lambda: largest(self.array, axis=0))

    @property
    def extremes(self) -> tuple[float, float]:
        """The least and the largest of the columns' ``sizes``."""
        return self.keep("extremes", lambda: (float(self.sizes.min()), float(self.sizes.max())))

    @property
    def exponent(self) -> int:
        """That of the unit in which the matrix is ordinary."""
        return self.keep("exponent", lambda: int(exponents(self.sizes.max())))

    @property
    def norms(self) -> NDArray[np.floating]:
        """‖a_n‖, (N,)."""
        return self.keep("norms", lambda: np.asarray(np.linalg.norm(self.array, axis=0)))

    @property
    def adjoint(self) -> NDArray[np.inexact]:
        """Aᴴ, (N, L), a view."""
        return self.keep("adjoint", lambda: self.array.conj().T)

    def rows(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return Aᵀ in a precision, (N, L), C-contiguous."""
        return self.keep(("rows", np.dtype(dtype)), lambda: np.ascontiguousarray(self.array.T, dtype))

    def conjugate_rows(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return Aᴴ in a precision, (N, L), C-contiguous."""
        return self.keep(("conjugate", np.dtype(dtype)), partial(np.conjugate, self.rows(dtype)))

    def squares(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return ‖a_n‖² in the real precision of a complex one, (N,)."""
        rows = self.rows(dtype)
        return self.keep(("squares", np.dtype(dtype)), lambda: (rows.real**2 + rows.imag**2).sum(axis=1))


def as_pilots(name: str, value: ArrayLike) -> NDArray[np.inexact]:
    """Return a pilot matrix of shape (L, N) with no zero column; that of ``Pilots`` as it is, checked before."""
    return as_prepared(name, value).array


def as_prepared(name: str, value: ArrayLike) -> Pilots:
    """Return pilots that keep what is computed of them, for this call or, where the user prepared them, for all."""
    if isinstance(value, Pilots):
        return value
    A = as_precise(name, value)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"{name} must have shape (L, N) with L, N >= 1; got {A.shape}")
    pilots = Pilots.of(A)
    least, most = pilots.extremes
    if not most < np.inf:
        refuse_infinite(name, A)
    if not least > 0:
        zero = np.flatnonzero(pilots.sizes == 0)
        raise ValueError(f"{name} must have no zero column; got zero column(s) {zero[:5].tolist()}")
    return pilots
