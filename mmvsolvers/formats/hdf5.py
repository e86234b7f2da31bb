"""HDF5: the datasets at the top of a file.

HDF5 can say that the contents of a dataset lie in other files, any on the machine: such datasets are refused.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py

# What MATLAB calls the parts of a complex number; h5py knows those of its own, r and i.
_COMPLEX = ("real", "imag")


def contents(path: Path) -> dict[str, str]:
    """Say what the file holds, by name."""
    import h5py

    with h5py.File(path, "r") as stream:
        return {name: describe(stream, name) for name in stream}


def read(path: Path, name: str) -> NDArray[Any]:
    """Read one array."""
    import h5py

    with h5py.File(path, "r") as stream:
        return values(dataset(stream, name))


def save(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays; built in memory, since a full disk leaves the HDF5 library in pieces."""
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, value in arrays.items():
            file.create_dataset(name, data=value)
    stream.write(buffer.getbuffer())


def dataset(file: "h5py.File", name: str) -> "h5py.Dataset":
    """Return a dataset at the top of a file, whose contents lie in the file itself."""
    import h5py

    if name not in file.keys():  # noqa: SIM118 - `in file` follows links
        raise KeyError(name)
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise TypeError(f"{name} is a link; save the dataset itself")
    item = file[name]
    if not isinstance(item, h5py.Dataset):
        raise TypeError(f"{name} is a group, no dataset")
    if item.external or item.is_virtual:
        raise TypeError(f"the contents of {name} lie in other files, which are not opened")
    return item


def values(item: "h5py.Dataset") -> NDArray[Any]:
    """Read a dataset; pairs called real and imag, as MATLAB writes them, are complex numbers."""
    if item.dtype.names != _COMPLEX:
        return np.asarray(item[()])
    pairs = item[()]
    return np.asarray(pairs["real"] + 1j * pairs["imag"], np.result_type(pairs["real"], np.complex64))


def describe(file: "h5py.File", name: str, *, is_reversed: bool = False) -> str:
    """Say what there is under a name at the top of a file, with the axes reversed or as they are."""
    try:
        item = dataset(file, name)
        shape = item.shape[::-1] if is_reversed else item.shape
        return f"{'complex' if item.dtype.names == _COMPLEX else item.dtype} {shape}"
    except TypeError:
        return "no dataset of its own"
    except Exception:
        # What else lies in the file need not be sound.
        return "unreadable"
