"""Steps that several kernels take."""

import numpy as np
from numba import njit

# A sum may be reordered, so that it runs in vector registers; NaN and inf keep their meaning.
REORDER = {"reassoc", "contract"}


@njit(cache=True, fastmath=REORDER)
def squared_norm(vector):
    """Return ‖vector‖²."""
    total = vector[0].real * 0.0
    for i in range(vector.size):
        total += vector[i].real * vector[i].real + vector[i].imag * vector[i].imag
    return total


@njit(cache=True, fastmath=REORDER)
def real_inner(left, right):
    """Return Re⟨left, right⟩ of two vectors."""
    total = left[0].real * 0.0
    for i in range(left.size):
        total += left[i].real * right[i].real + left[i].imag * right[i].imag
    return total


@njit(cache=True)
def row_norms(rows):
    """Return the Euclidean norm of every row."""
    norms = np.empty(rows.shape[0], rows.real.dtype)
    for n in range(norms.size):
        norms[n] = np.sqrt(squared_norm(rows[n]))
    return norms


@njit(cache=True)
def subtract(left, right):
    """Subtract ``right`` from the matrix ``left`` in place."""
    for i in range(left.shape[0]):
        for j in range(left.shape[1]):
            left[i, j] -= right[i, j]
