"""MATLAB's .mat from version 7.3: HDF5 behind a header, with axes reversed and attributes that tell MATLAB's types."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.formats import hdf5

if TYPE_CHECKING:
    import h5py

HEADER_SIZE = 512
_TEXT = b"MATLAB 7.3 MAT-file, written by mmvsolvers".ljust(116)
# No subsystem data, version 2, little-endian.
_HEADER = _TEXT + bytes(8) + b"\x00\x02IM"
_CLASSES = {"float64": "double", "float32": "single", "bool": "logical", "complex128": "double", "complex64": "single"}


def contents(path: Path) -> dict[str, str]:
    """Say what the file holds, by name; ``#refs#`` and its like are MATLAB's own."""
    import h5py

    with h5py.File(path, "r") as stream:
        return {name: hdf5.describe(stream, name, is_reversed=True) for name in stream if not name.startswith("#")}


def read(path: Path, name: str) -> NDArray[Any]:
    """Read one array."""
    import h5py

    with h5py.File(path, "r") as stream:
        item = hdf5.dataset(stream, name)
        kind = item.attrs.get("MATLAB_class", b"")
        if kind in (b"char", b"cell", b"function_handle", b"string"):
            raise TypeError(f"{name} is a {kind.decode()}, no numeric array")
        if item.attrs.get("MATLAB_empty", 0):
            return np.zeros(tuple(item[()]))
        array = hdf5.values(item).T
        return array.astype(bool) if kind == b"logical" else array


def save(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays; vectors become columns."""
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w", userblock_size=HEADER_SIZE) as file:
        for name, value in arrays.items():
            matrix = value.reshape(-1, 1) if value.ndim < 2 else value
            item = file.create_dataset(name, data=_stored(matrix))
            item.attrs["MATLAB_class"] = np.bytes_(_CLASSES.get(value.dtype.name, value.dtype.name))
            _mark(item, matrix)
    buffer.getbuffer()[: len(_HEADER)] = _HEADER
    stream.write(buffer.getbuffer())


def _stored(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return what lies in the file for a matrix."""
    if not matrix.size:
        return np.array(matrix.shape, np.uint64)
    reverse = np.ascontiguousarray(matrix.T)
    if matrix.dtype.kind == "c":
        part = reverse.real.dtype
        return reverse.view([("real", part), ("imag", part)])
    return reverse.astype(np.uint8) if matrix.dtype.kind == "b" else reverse


def _mark(item: "h5py.Dataset", matrix: NDArray[Any]) -> None:
    if matrix.dtype.kind == "b":
        item.attrs["MATLAB_int_decode"] = np.int32(1)
    if not matrix.size:
        item.attrs["MATLAB_empty"] = np.uint8(1)
