"""MATLAB's .mat up to version 7, which SciPy knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

_PRECISIONS = {"double": np.float64, "single": np.float32}


def contents(path: Path) -> dict[str, str]:
    """Say what the file holds, by name."""
    return {name: f"{kind} {tuple(shape)}" for name, shape, kind in _listing(path)}


def read(path: Path, name: str) -> NDArray[Any]:
    """Read one array, in MATLAB's type: a double of whole numbers may lie in the file as integers."""
    from scipy.io import loadmat

    value = loadmat(path, appendmat=False, variable_names=[name])[name]
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} is a {type(value).__name__}, no full array")
    kind = next(kind for listed, _, kind in _listing(path) if listed == name)
    if kind in _PRECISIONS and value.dtype.kind in "biufc":
        precision = _PRECISIONS[kind]
        # SciPy's own conversion (mat_dtype=True) leaves out the imaginary part.
        return value.astype(np.result_type(precision, np.complex64) if value.dtype.kind == "c" else precision)
    return value.astype(bool) if kind == "logical" else value


def _listing(path: Path) -> Sequence[tuple[str, Sequence[int], str]]:
    from scipy.io import whosmat

    return whosmat(path, appendmat=False)


def save(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays; vectors become columns."""
    from scipy.io import savemat

    savemat(cast(Any, stream), dict(arrays), oned_as="column")
