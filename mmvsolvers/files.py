"""Named arrays in the files that users of this field have: MATLAB .mat (v5 and v7.3), NumPy .npz and HDF5."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

HDF5_SUFFIXES = (".h5", ".hdf5")
SUFFIXES = (".mat", ".npz", *HDF5_SUFFIXES)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# MATLAB puts a header of this size in front of the HDF5 file that a v7.3 file is.
_MATLAB_USER_BLOCK = 512


def load_arrays(path: str | Path) -> Arrays:
    """Read all numeric arrays of a .mat, .npz, .h5 or .hdf5 file, by name, in the axis order they were saved with.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its suffix is none of the four, it cannot be read as what the suffix says, or it holds no array.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    readers = {".mat": _load_mat, ".npz": _load_npz, ".h5": _load_hdf5, ".hdf5": _load_hdf5}
    reader = readers[_suffix(path)]
    try:
        found = reader(path)
    except Exception as error:
        # The readers' own errors range from KeyError to zlib.error; all say that the file is broken.
        raise ValueError(f"{path} cannot be read as a {path.suffix} file: {error}") from error
    arrays = {name: np.asarray(value) for name, value in found.items() if np.asarray(value).dtype.kind in "biufc"}
    if not arrays:
        raise ValueError(f"{path} holds no numeric array")
    return arrays


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
        Write .mat as v7.3 (HDF5), which MATLAB needs for arrays above 2 GB, and not as v5.

    Raises
    ------
    FileExistsError
        If there is such a file and ``overwrite`` is False.
    ValueError
        If the suffix is none of the four.
    """
    path = Path(path)
    suffix = _suffix(path)
    refuse_to_overwrite(path, overwrite)
    contents = {name: np.asarray(value) for name, value in arrays.items()}
    with atomic_path(path) as temporary:
        if suffix == ".npz":
            np.savez_compressed(temporary, allow_pickle=False, **contents)
        elif suffix in HDF5_SUFFIXES:
            _save_hdf5(temporary, contents)
        elif matlab73:
            import hdf5storage

            hdf5storage.savemat(str(temporary), contents, format="7.3", oned_as="column", store_python_metadata=False)
        else:
            from scipy.io import savemat

            savemat(temporary, contents, oned_as="column")


def is_matlab73(path: str | Path) -> bool:
    """Tell whether a file is a v7.3 .mat file, which is HDF5 behind a header."""
    with Path(path).open("rb") as stream:
        stream.seek(_MATLAB_USER_BLOCK)
        return stream.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE


def refuse_to_overwrite(path: Path, overwrite: bool) -> None:
    """Raise FileExistsError where a file is in the way and may not be replaced, FileNotFoundError without a folder."""
    _require_folder(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; choose another name, or allow to overwrite it")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which takes the place of ``path`` when all went well."""
    _require_folder(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def describe(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return what a file holds, in words for an error message."""
    return ", ".join(f"{name} {value.dtype} {value.shape}" for name, value in arrays.items())


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path} must end in one of {', '.join(SUFFIXES)}")
    return suffix


def _load_mat(path: Path) -> dict[str, Any]:
    if is_matlab73(path):
        import hdf5storage

        found = hdf5storage.loadmat(str(path))
    else:
        from scipy.io import loadmat

        found = loadmat(path)
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _load_npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _load_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as stream:
        return {name: item[()] for name, item in stream.items() if isinstance(item, h5py.Dataset)}


def _save_hdf5(path: Path, contents: Arrays) -> None:
    import h5py

    with h5py.File(path, "w") as stream:
        for name, value in contents.items():
            stream.create_dataset(name, data=value)
