"""MATLAB's .mat up to version 7, which SciPy knows.

SciPy trusts the numbers that stand for types, and crashes where there is no such type: those of what is read are looked
at first.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

_PRECISIONS = {"double": np.float64, "single": np.float32}
_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_HEADER_SIZE = 128
# What stands for numeric types of elements, and for a compressed variable.
_NUMERIC, _COMPRESSED = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13), 15
_ENOUGH_FOR_A_NAME = 1 << 12
_IS_COMPLEX = 1 << 11


def contents(path: Path) -> dict[str, str]:
    """Say what the file holds, by name."""
    return {name: f"{kind} {tuple(shape)}" for name, shape, kind in _listing(path)}


def read(path: Path, name: str) -> NDArray[Any]:
    """Read one array, in MATLAB's type: a double of whole numbers may lie in the file as integers."""
    from scipy.io import loadmat

    kinds = {listed: kind for listed, _, kind in _listing(path)}
    kind = kinds[name]
    if kind not in (*_PRECISIONS, *_INTEGERS, "logical"):
        raise TypeError(f"{name} is a {kind} array, no full numeric one")
    _check_types(path, name)
    value: NDArray[Any] = loadmat(path, appendmat=False, variable_names=[name])[name]
    if kind in _PRECISIONS and value.dtype.kind in "biufc":
        precision = _PRECISIONS[kind]
        # SciPy's own conversion (mat_dtype=True) leaves out the imaginary part.
        return value.astype(np.result_type(precision, np.complex64) if value.dtype.kind == "c" else precision)
    return value.astype(bool) if kind == "logical" else value


def _listing(path: Path) -> Sequence[tuple[str, Sequence[int], str]]:
    from scipy.io import whosmat

    return whosmat(path, appendmat=False)


def _check_types(path: Path, name: str) -> None:
    """Raise ValueError where a numeric variable, or what it lies behind, is not what it should be made of."""
    data = np.memmap(path, np.uint8, "r").data
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[_HEADER_SIZE - 2 : _HEADER_SIZE]))
    if order is None or 0 in data[:4]:
        return  # version 4, which has no such numbers
    for kind, body in _elements(data[_HEADER_SIZE:], order):
        variable = _unpacked(body, order, _ENOUGH_FOR_A_NAME) if kind == _COMPRESSED else body
        if _name(variable, order) == name:
            _check_parts(_unpacked(body, order) if kind == _COMPRESSED else body, order)
            return
    raise ValueError(f"the parts of {name} are not where they should be")


def _check_parts(variable: memoryview, order: str) -> None:
    """Raise ValueError for a variable that is not flags, shape, name, numbers and, by its flags, imaginary parts."""
    parts = list(_elements(variable, order))
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    if len(parts) != (5 if flags & _IS_COMPLEX else 4) or not all(kind in _NUMERIC for kind, _ in parts):
        raise ValueError("a variable is not made of numbers of types that there are")


def _name(variable: memoryview, order: str) -> str:
    """Return what a variable is called, after its flags and its shape."""
    parts = [bytes(part) for _, part in islice(_elements(variable, order), 3)]
    return parts[-1].decode("latin-1") if len(parts) == 3 else ""


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield the elements that data consist of: the number of the type, and what is in it."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # up to four bytes are in the place of their size
            yield kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)]
            at += 8
        else:
            yield kind, data[at + 8 : at + 8 + size]
            # compressed elements alone are not padded
            at += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)


def _unpacked(data: memoryview, order: str, at_most: int | None = None) -> memoryview:
    """Return the body of a compressed variable, or its beginning."""
    stream = zlib.decompressobj()
    (size,) = struct.unpack(f"{order}4xI", stream.decompress(data, 8).ljust(8, b"\0"))
    return memoryview(stream.decompress(stream.unconsumed_tail, max(size if at_most is None else at_most, 1)))


def save(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays; vectors become columns."""
    from scipy.io import savemat

    savemat(cast(Any, stream), dict(arrays), oned_as="column")
