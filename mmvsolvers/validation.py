"""Everything that looks at a user's arguments; nothing here computes an estimate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.result import SolverResult

PRECISIONS = tuple(np.dtype(t) for t in (np.float32, np.float64, np.complex64, np.complex128))


@dataclass(frozen=True, slots=True)
class Range:
    """A set of admissible real values and the words for it."""

    words: str
    contains: Callable[[NDArray[np.floating]], NDArray[np.bool_]]
    infinite: bool = False


POSITIVE = Range("finite and positive", lambda value: value > 0)
POSITIVE_OR_INF = Range("positive", lambda value: value > 0, infinite=True)
NON_NEGATIVE = Range("finite and non-negative", lambda value: value >= 0)
PROBABILITY = Range("strictly between 0 and 1", lambda value: (value > 0) & (value < 1))
FRACTION = Range("above 0 and at most 1", lambda value: (value > 0) & (value <= 1))
FINITE = Range("real", np.isfinite)


def as_array(name: str, value: ArrayLike) -> NDArray[np.inexact]:
    """Return ``value`` as a finite array of one of the four supported precisions.

    Raises
    ------
    TypeError
        For sparse and masked arrays, and for dtypes other than float32, float64, complex64 and complex128.
    ValueError
        For NaN or inf anywhere.
    """
    if type(value).__module__.startswith("scipy.sparse"):
        raise TypeError(f"{name} must be a dense array; got a sparse {type(value).__name__}: use {name}.toarray()")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array; got a masked array, whose mask would be ignored")
    array = np.asarray(value)
    if array.dtype.newbyteorder("=") not in PRECISIONS:
        wanted = ", ".join(t.name for t in PRECISIONS)
        raise TypeError(f"{name} must have one of the dtypes {wanted}; got {array.dtype.name}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {np.count_nonzero(~np.isfinite(array))} NaN or infinite entries")
    return array


def as_pilots(name: str, value: ArrayLike) -> NDArray[np.inexact]:
    """Return a pilot matrix of shape (L, N) with no zero column."""
    A = as_array(name, value)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"{name} must have shape (L, N) with L, N >= 1; got {A.shape}")
    zero = np.flatnonzero(~A.any(axis=0))
    if zero.size:
        raise ValueError(f"{name} must have no zero column; got zero column(s) {zero[:5].tolist()}")
    return A


def as_scalar(name: str, value: Any, admissible: Range) -> float:
    """Return one real number within ``admissible``."""
    array = as_real(name, value, admissible)
    if array.ndim:
        raise ValueError(f"{name} must be a scalar; got shape {array.shape}")
    return float(array)


def as_real(name: str, value: ArrayLike, admissible: Range) -> NDArray[np.float64]:
    """Return real numbers within ``admissible``, as float64."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real; got {_describe(value, array)}")
    array = array.astype(np.float64)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    bad = ~admissible.contains(array)
    if not admissible.infinite:
        bad |= np.isinf(array)
    if bad.any():
        raise ValueError(f"{name} must be {admissible.words}; got {array[bad].flat[0]:g}")
    return array


def as_per_device(name: str, value: ArrayLike, N: int, admissible: Range) -> NDArray[np.float64]:
    """Spread a scalar or an array of shape (N,) over the devices: a new array (N,), float64."""
    array = as_real(name, value, admissible)
    if array.shape not in ((), (N,)):
        raise ValueError(f"{name} must be a scalar or have shape ({N},), one per device; got {array.shape}")
    return np.broadcast_to(array, N).copy()


def as_count(name: str, value: Any, at_least: int = 1) -> int:
    """Return an integer that is not below ``at_least``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {value}")
    return int(value)


def as_group_size(N: Any, n_groups: Any) -> int:
    """Return how many of N devices are in each of ``n_groups`` groups of equal size."""
    if as_count("N", N) % as_count("n_groups", n_groups):
        raise ValueError(f"N must be a multiple of the number of groups, {n_groups}; got {N}")
    return int(N // n_groups)


def as_generator(rng: Any) -> np.random.Generator:
    """Return ``rng`` if it is a Generator; a seed or a legacy state would hide which draws are shared."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, as from numpy.random.default_rng(0); got {rng!r}")
    return rng


def as_groups(groups: ArrayLike | None, N: int, prob: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the group 0 … G-1 of every device, (N,)."""
    if groups is None:
        return np.arange(N)
    labels = np.asarray(groups)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"groups must be integer labels; got dtype {labels.dtype.name}")
    if labels.shape != (N,):
        raise ValueError(f"groups must have shape ({N},), one label per device; got {labels.shape}")
    _, index, group = np.unique(labels, return_index=True, return_inverse=True)
    if not np.array_equal(prob[index][group], prob):
        raise ValueError("activity_prob must be constant within a group; got different values in one of the groups")
    return group.astype(np.int64)


def as_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of the named choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return str(value)


def _describe(value: Any, array: NDArray[Any]) -> str:
    return repr(value) if array.ndim == 0 else f"dtype {array.dtype.name}"


@dataclass(frozen=True, slots=True)
class Batch:
    """A validated batch of problems that share one A, leading axes flattened into one.

    Attributes
    ----------
    A : ndarray of shape (L, N)
        C-contiguous, in the common precision of A and Y.
    Y : ndarray of shape (T, L, M)
        C-contiguous, same dtype as A.
    leading : tuple of int
        The leading axes ``...`` that Y came with; T is their product.
    """

    A: NDArray[np.inexact]
    Y: NDArray[np.inexact]
    leading: tuple[int, ...]

    @classmethod
    def of(cls, A: ArrayLike, Y: ArrayLike) -> "Batch":
        """Validate A (L, N) and Y (..., L, M) and bring them to one dtype and layout; copies only what it must."""
        pilots, received = as_pilots("A", A), as_array("Y", Y)
        L = pilots.shape[0]
        if received.ndim < 2 or received.shape[-2] != L or 0 in received.shape:
            raise ValueError(
                f"Y must have shape (..., {L}, M) to match A of shape {pilots.shape}, with no empty axis; "
                f"got {received.shape}"
            )
        dtype = np.result_type(pilots.dtype.newbyteorder("="), received.dtype.newbyteorder("="))
        *leading, L, M = received.shape
        # Read-only arrays are another type to numba: compiled for once more, and rounded in another order.
        A_own, Y_own = (np.require(array, dtype, ("C", "W")) for array in (pilots, received))
        return cls(A_own, Y_own.reshape(-1, L, M), tuple(leading))

    @property
    def T(self) -> int:
        """Number of problems."""
        return int(self.Y.shape[0])

    @property
    def N(self) -> int:
        """Number of devices."""
        return int(self.A.shape[1])

    @property
    def M(self) -> int:
        """Number of antennas."""
        return int(self.Y.shape[2])

    @property
    def complex_dtype(self) -> np.dtype[np.complexfloating]:
        """The complex dtype of the same precision: real problems are solved by the same formulas."""
        return np.result_type(self.A.dtype, np.complex64)

    @property
    def real_dtype(self) -> np.dtype[np.floating]:
        """The real dtype of the same precision."""
        return np.dtype(self.A.real.dtype)

    def per_problem(self, name: str, value: ArrayLike, admissible: Range) -> NDArray[np.floating]:
        """Spread a scalar or an array of shape ``leading`` over the problems: (T,), real."""
        array = as_real(name, value, admissible)
        if array.shape not in ((), self.leading):
            raise ValueError(
                f"{name} must be a scalar or have shape {self.leading}, one per problem; got {array.shape}"
            )
        return np.require(np.broadcast_to(array, self.leading).reshape(self.T), self.real_dtype, ("C", "W"))

    def per_device(self, name: str, value: ArrayLike, admissible: Range) -> NDArray[np.floating]:
        """Spread a scalar or an array of shape (N,) over the devices: (N,), real."""
        return as_per_device(name, value, self.N, admissible).astype(self.real_dtype)

    def start(self, name: str, value: ArrayLike | None) -> NDArray[np.inexact]:
        """Return a start point (T, N, M) of the solver's own: zeros, or a copy of the user's (..., N, M)."""
        shape = (*self.leading, self.N, self.M)
        if value is None:
            return np.zeros((self.T, self.N, self.M), self.A.dtype)
        array = as_array(name, value)
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
        if array.dtype.kind == "c" and self.A.dtype.kind != "c":
            raise TypeError(f"{name} must be real where A and Y are; got {array.dtype.name}")
        return np.array(array, dtype=self.A.dtype, order="C").reshape(self.T, self.N, self.M)

    def result(
        self,
        *,
        X: NDArray[np.inexact] | None,
        score: NDArray[np.floating],
        objective: NDArray[np.floating],
        optimality: NDArray[np.floating],
        n_iter: NDArray[np.int64],
        tol: float,
        diverged: NDArray[np.bool_] | None = None,
    ) -> SolverResult:
        """Give the flat arrays of a kernel their leading axes back."""
        if diverged is None:
            diverged = np.zeros(self.T, np.bool_)
        return SolverResult(
            X=None if X is None else X.reshape(*self.leading, self.N, self.M),
            score=score.reshape(*self.leading, self.N),
            objective=objective.reshape(self.leading),
            optimality=optimality.reshape(self.leading),
            n_iter=n_iter.reshape(self.leading),
            converged=((optimality <= tol) & ~diverged).reshape(self.leading),
            diverged=diverged.reshape(self.leading),
        )
