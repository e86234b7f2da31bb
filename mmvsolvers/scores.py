"""Powers of the rows of signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mmvsolvers.batch import Batch

# AᴴY of a batch is computed for as many problems at a time as have this many entries together.
ENTRIES = 2**18


def row_scores(X: NDArray[np.inexact]) -> NDArray[np.floating]:
    """Return ‖X_n‖²/M for X of shape (..., N, M)."""
    return np.asarray(np.vecdot(X, X).real / X.real.dtype.type(X.shape[-1]))


def matched_powers(batch: Batch) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Yield ‖(AᴴY)_n‖²/M of a few problems at a time: which they are, and their powers (..., N)."""
    adjoint = batch.pilots.adjoint
    few = max(1, ENTRIES // (batch.N * batch.M))
    for start in range(0, batch.T, few):
        part = slice(start, start + few)
        yield part, row_scores(adjoint @ batch.Y[part])


def mean_power(batch: Batch) -> NDArray[np.float64]:
    """Return the mean power of an entry of Y, (T,), in double precision: the noise variance if nobody is active."""
    parts = batch.Y.reshape(batch.T, -1).view(batch.real_dtype).astype(np.float64)
    power: NDArray[np.float64] = np.sum(parts**2, axis=1) / batch.Y[0].size
    return power
