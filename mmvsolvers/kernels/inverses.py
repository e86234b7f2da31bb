"""Inverses by LAPACK, in place: Numba's copy the matrix, and bring four functions for what cannot go wrong here."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numba.np.linalg import _LAPACK

from mmvsolvers.kernels.arrays import empty

KIND = ord("z")
factor, invert_factors = _LAPACK().numba_xxgetrf(types.complex128), _LAPACK().numba_ez_xxgetri(types.complex128)


def invert(matrix: Any) -> float:
    """Invert a regular matrix of complex128, in C order, in place; return log|det|."""
    log_det = np.linalg.slogdet(matrix)[1]
    matrix[:] = np.linalg.inv(matrix)
    return float(log_det)


@overload(invert)
def _compiled_invert(matrix: Any) -> Callable[[Any], float]:
    def compiled(matrix: Any) -> float:
        # LAPACK takes rows for columns: it inverts the transpose, into the transpose of the inverse
        L = matrix.shape[0]
        pivots = empty(L, np.int32)
        factor(KIND, L, L, matrix.ctypes, L, pivots.ctypes)
        log_det = 0.0
        for i in range(L):
            log_det += np.log(abs(matrix[i, i]))
        invert_factors(KIND, L, matrix.ctypes, L, pivots.ctypes)
        # they count from 1; and are kept until here
        return log_det if pivots[0] > 0 else np.nan

    return compiled
