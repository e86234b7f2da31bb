"""Inverses by LAPACK, in place: Numba's copy the matrix, and bring four functions for what cannot go wrong here."""

import numpy as np
from numba import types
from numba.np.linalg import _LAPACK

from mmvsolvers.kernels.arrays import empty
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.shared import COUNTED

KIND = ord("z")
factor, invert_factors = _LAPACK().numba_xxgetrf(types.complex128), _LAPACK().numba_ez_xxgetri(types.complex128)


@njit(**COUNTED)
def invert(matrix):
    """Invert a regular matrix of complex128, in C order, in place; return log|det|.

    LAPACK takes rows for columns, and so inverts the transpose, into the transpose of the inverse.
    """
    L = matrix.shape[0]
    pivots = empty(L, np.int32)
    factor(KIND, L, L, matrix.ctypes, L, pivots.ctypes)
    log_det = 0.0
    for i in range(L):
        log_det += np.log(abs(matrix[i, i]))
    invert_factors(KIND, L, matrix.ctypes, L, pivots.ctypes)
    # they count from 1; and are kept until here
    return log_det if pivots[0] > 0 else np.nan
