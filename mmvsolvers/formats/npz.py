"""NumPy's .npz: a zip archive of .npy files."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def contents(path: Path) -> dict[str, str]:
    """Say what the file holds, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): _describe(archive, name) for name in archive.namelist()}


def read(path: Path, name: str) -> NDArray[Any]:
    """Read one array."""
    with zipfile.ZipFile(path) as archive, _member(archive, name) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        # The archive's check sum is compared at the end only.
        if stream.read(1):
            raise ValueError(f"{name} is longer than its shape {array.shape} says")
        return array


def save(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays, compressed."""
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    if f"{name}.npy" not in archive.namelist():
        raise KeyError(name)
    return archive.open(f"{name}.npy")


def _describe(archive: zipfile.ZipFile, name: str) -> str:
    try:
        with archive.open(name) as stream:
            shape, _, dtype = _HEADERS[npy.read_magic(stream)](stream)
    except Exception:
        # What else lies in the archive need not be an array, nor sound.
        return "unreadable"
    return "objects" if dtype.hasobject else f"{dtype} {shape}"
