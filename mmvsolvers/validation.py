"""Everything that looks at a user's arguments; nothing here computes an estimate."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PRECISIONS = tuple(np.dtype(t) for t in (np.float32, np.float64, np.complex64, np.complex128))
# What is said in the place of a number that is to be estimated.
ESTIMATE = "estimate"
LARGEST_COUNT = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Range:
    """A set of admissible real values and the words for it."""

    words: str
    contains: Callable[[Any], Any]
    infinite: bool = False


POSITIVE = Range("finite and positive", lambda value: value > 0)
POSITIVE_OR_INF = Range("positive", lambda value: value > 0, infinite=True)
NON_NEGATIVE = Range("finite and non-negative", lambda value: value >= 0)
PROBABILITY = Range("strictly between 0 and 1", lambda value: (value > 0) & (value < 1))
UNIT_INTERVAL = Range("between 0 and 1", lambda value: (value >= 0) & (value <= 1))
FRACTION = Range("above 0 and at most 1", lambda value: (value > 0) & (value <= 1))
DECIBELS = Range("between -300 and 300", lambda value: np.abs(value) <= 300)
FINITE = Range("finite", np.isfinite)


def as_regular(name: str, value: Any) -> NDArray[Any]:
    """Return an array of what has the shape of one."""
    try:
        array: NDArray[Any] = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array; got rows of different lengths") from error
    return array


def as_array(name: str, value: ArrayLike) -> NDArray[np.inexact]:
    """Return ``value`` as a finite array of one of the four supported precisions.

    Raises
    ------
    TypeError
        For sparse and masked arrays, and for dtypes other than float32, float64, complex64 and complex128.
    ValueError
        For NaN or inf anywhere.
    """
    array = as_precise(name, value)
    refuse_infinite(name, array)
    return array


def refuse_infinite(name: str, array: NDArray[np.inexact]) -> None:
    """Raise ValueError for NaN or inf anywhere."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {np.count_nonzero(~np.isfinite(array))} NaN or infinite entries")


def as_precise(name: str, value: ArrayLike) -> NDArray[np.inexact]:
    """Return ``value`` as an array of one of the four supported precisions, or raise TypeError; it may hold NaN."""
    if type(value).__module__.startswith("scipy.sparse"):
        raise TypeError(f"{name} must be a dense array; got a sparse {type(value).__name__}: use {name}.toarray()")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array; got a masked array, whose mask would be ignored")
    array = as_regular(name, value)
    if array.dtype.newbyteorder("=") not in PRECISIONS:
        wanted = ", ".join(t.name for t in PRECISIONS)
        raise TypeError(f"{name} must have one of the dtypes {wanted}; got {array.dtype.name}")
    return array


def as_scalar(name: str, value: Any, admissible: Range) -> float:
    """Return one real number within ``admissible``."""
    array = as_real(name, value, admissible)
    if array.ndim:
        raise ValueError(f"{name} must be a scalar; got shape {array.shape}")
    return float(array)


def as_real(name: str, value: Any, admissible: Range) -> NDArray[np.float64]:
    """Return real numbers within ``admissible``, as float64."""
    array = as_regular(name, value)
    if isinstance(value, float) and admissible.contains(value) and (admissible.infinite or abs(value) < np.inf):
        return array
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real; got {_describe(value, array)}")
    array = array.astype(np.float64)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    good = admissible.contains(array)
    if not admissible.infinite:
        good &= np.isfinite(array)
    if not good.all():
        raise ValueError(f"{name} must be {admissible.words}; got {array[~good].flat[0]:g}")
    return array


def as_per_device(name: str, value: ArrayLike, N: int, admissible: Range) -> NDArray[np.float64]:
    """Spread a scalar or an array of shape (N,) over the devices: a new array (N,), float64."""
    array = as_real(name, value, admissible)
    if array.shape not in ((), (N,)):
        raise ValueError(f"{name} must be a scalar or have shape ({N},), one per device; got {array.shape}")
    return np.full(N, array)


def as_count(name: str, value: Any, at_least: int = 1) -> int:
    """Return an integer that is not below ``at_least``, nor beyond 64 bits."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {value}")
    if value > LARGEST_COUNT:
        raise ValueError(f"{name} must be at most {LARGEST_COUNT}, the largest of 64 bits; got {value}")
    return int(value)


def is_estimated(value: Any) -> bool:
    """Tell whether a number, such as σ², is to be estimated; other words are no numbers."""
    return isinstance(value, str) and value == ESTIMATE


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
    group = as_labels(groups, N)
    check_constant("activity_prob", prob, group)
    return group


def as_labels(groups: ArrayLike, N: int) -> NDArray[np.int64]:
    """Return the groups 0 … G-1 of N devices, (N,), in the order of their labels."""
    labels = as_regular("groups", groups)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"groups must be integer labels; got dtype {labels.dtype.name}")
    if labels.shape != (N,):
        raise ValueError(f"groups must have shape ({N},), one label per device; got {labels.shape}")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def check_constant(name: str, values: NDArray[Any], group: NDArray[np.int64]) -> None:
    """Refuse values of the devices, (N, ...), that differ within a group."""
    first = np.unique(group, return_index=True)[1]
    if not np.array_equal(values[first][group], values):
        raise ValueError(f"{name} must be constant within a group; got different values in one of the groups")


def as_couplings(couplings: ArrayLike | None, N: int) -> NDArray[np.float64]:
    """Return couplings (N, N), or (0, 0) for none."""
    if couplings is None:
        return np.zeros((0, 0))
    pairs = as_real("couplings", couplings, FINITE)
    if pairs.shape != (N, N):
        raise ValueError(f"couplings must have shape ({N}, {N}); got {pairs.shape}")
    odd = (pairs != pairs.T) | (np.eye(N, dtype=np.bool_) & (pairs != 0))
    if odd.any():
        n, m = np.argwhere(odd)[0].tolist()
        found = f"{pairs[n, m]:g} at ({n}, {m})" + (f" and {pairs[m, n]:g} at ({m}, {n})" if n != m else "")
        raise ValueError(f"couplings must be symmetric with a zero diagonal; got {found}")
    return np.ascontiguousarray(pairs)


def as_structure(
    groups: ArrayLike | None, couplings: ArrayLike | None, N: int, prob: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the groups and the couplings of N devices, of which a prior has one kind at most."""
    if groups is not None and couplings is not None:
        raise ValueError("couplings must not be given together with groups; couplings alone can say both")
    return as_groups(groups, N, prob), as_couplings(couplings, N)


def missing_methods(model: Any, protocol: type) -> str:
    """Return the names of the methods that ``model`` lacks to follow a protocol."""
    methods = [name for name in vars(protocol) if not name.startswith("_")]
    return " and ".join(name for name in methods if not callable(getattr(model, name, None)))


def as_flag(name: str, value: Any) -> bool:
    """Return True or False; other values would count as one of them."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def as_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of the named choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return str(value)


def refuse_other_words(name: str, value: str, word: str) -> None:
    """Refuse all words but one for what may also be numbers."""
    if value != word:
        raise ValueError(f"{name} must be {word!r} or numbers; got {value!r}")


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Return the question that suggests the known name closest to ``name``, or nothing where none is close."""
    close = get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _describe(value: Any, array: NDArray[Any]) -> str:
    return repr(value) if array.ndim == 0 else f"dtype {array.dtype.name}"
