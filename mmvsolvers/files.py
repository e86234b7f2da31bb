"""Named arrays in the files that users of this field have: MATLAB .mat (v5 and v7.3), NumPy .npz and HDF5."""

import warnings
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.writing import atomically, check_output

Arrays = dict[str, NDArray[Any]]

_FORMATS = {".mat": "matlab5", ".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5"}
SUFFIXES = tuple(_FORMATS)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# MATLAB puts a header of this size in front of the HDF5 file that a v7.3 file is.
# Bytes of one array that a .mat file of version 5 can hold.
_MATLAB5_LIMIT = 2**31


def load_arrays(path: str | Path, names: Collection[str]) -> Arrays:
    """Read numeric arrays of a .mat, .npz, .h5 or .hdf5 file, in the axis order they were saved with.

    Nothing else in the file is read, no object unpickled, and no other file opened that an HDF5 file may point to.

    Parameters
    ----------
    path : path-like
        The file.
    names : collection of str
        What to read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its suffix is none of the four, it cannot be read as what the suffix says, or one of the names is none of a
        numeric array.
    """
    path = Path(path)
    module = _format(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the readers, about what is not read
        return {name: _load(module, path, name) for name in names}


def contents(path: str | Path) -> dict[str, str]:
    """Say in words what a file holds, by name, such as "complex128 (12, 100)".

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_arrays`.
    """
    path = Path(path)
    module = _format(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: dict[str, str] = module.contents(path)
            return found
    except Exception as error:
        raise _unreadable(path, error) from error


def save_arrays(
    path: str | Path, arrays: Mapping[str, Any], *, overwrite: bool = False, matlab73: bool = False
) -> None:
    """Write named arrays in the format of the path's suffix, whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in .mat, .npz, .h5 or .hdf5.
    arrays : mapping of str to array_like
        Scalars and vectors become 1×1 matrices and columns in .mat files.
    overwrite : bool
        Whether a file that is there may be replaced.
    matlab73 : bool
        Write .mat as v7.3 (HDF5), and not as v5, which holds no array of 2 GB or more: with one, it is v7.3 anyway.

    Raises
    ------
    FileExistsError
        If there is such a file and ``overwrite`` is False.
    OSError
        If it cannot be written.
    TypeError
        If something is no numeric array.
    ValueError
        If the suffix is none of the four.
    """
    path = Path(path)
    module = _FORMATS[_suffix(path)]
    values = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in values.items():
        if value.dtype.kind not in "biufc":
            raise TypeError(f"{name} must be a numeric array; got dtype {value.dtype}")
    if module == "matlab5" and (matlab73 or any(value.nbytes >= _MATLAB5_LIMIT for value in values.values())):
        module = "matlab73"
    check_output(path, overwrite)
    with atomically(path) as stream:
        _module(module).save(stream, values)


def check_destination(path: str | Path, overwrite: bool) -> None:
    """Find out whether `save_arrays` can write there; raises what it would."""
    _suffix(Path(path))
    check_output(Path(path), overwrite)


def is_matlab73(path: str | Path) -> bool:
    """Tell whether a file is a v7.3 .mat file, which is HDF5 behind a header."""
    from mmvsolvers.formats.matlab73 import HEADER_SIZE

    with Path(path).open("rb") as stream:
        stream.seek(HEADER_SIZE)
        return stream.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE


def _load(module: ModuleType, path: Path, name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = module.read(path, name)
    except KeyError as error:
        if error.args[:1] != (name,):
            raise _unreadable(path, error) from error
        held = ", ".join(f"{name} {words}" for name, words in contents(path).items()) or "nothing"
        raise ValueError(f"{path} has no variable {name!r}; it holds {held}") from None
    except Exception as error:
        raise _unreadable(path, error) from error
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{path} cannot be read: {name} is of type {array.dtype}, no numeric array")
    return array


def _unreadable(path: Path, error: Exception) -> ValueError:
    # The readers' own errors range from KeyError to zlib.error, and some say nothing.
    return ValueError(f"{path} cannot be read as a {path.suffix} file: {error or type(error).__name__}")


def _format(path: Path) -> ModuleType:
    """Return the module that reads a file which is there."""
    name = _FORMATS[_suffix(path)]
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    return _module("matlab73" if name == "matlab5" and is_matlab73(path) else name)


def _module(name: str) -> ModuleType:
    # On first use: SciPy and h5py take a while to import.
    return import_module(f"mmvsolvers.formats.{name}")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path} must end in one of {', '.join(SUFFIXES)}")
    return suffix
