"""Steps that several kernels take."""

import numpy as np

from mmvsolvers.kernels.compiling import njit

# A sum may be reordered, so that it runs in vector registers; NaN and inf keep their meaning.
REORDER = {"reassoc", "contract"}


@njit(fastmath=REORDER)
def squared_norm(vector):
    """Return ‖vector‖²."""
    total = vector[0].real * 0.0
    for i in range(vector.size):
        total += vector[i].real * vector[i].real + vector[i].imag * vector[i].imag
    return total


@njit(fastmath=REORDER)
def real_inner(left, right):
    """Return Re⟨left, right⟩ of two vectors."""
    total = left[0].real * 0.0
    for i in range(left.size):
        total += left[i].real * right[i].real + left[i].imag * right[i].imag
    return total


@njit()
def combine(factors, rows, result):
    """Set ``result`` to the combination Σ_j factors_j rows_j of the rows of a matrix."""
    for i in range(result.size):
        result[i] = factors[0] * rows[0, i]
    for j in range(1, factors.size):
        factor = factors[j]
        for i in range(result.size):
            result[i] += factor * rows[j, i]


@njit()
def subtract_outer(matrix, column, row):
    """Subtract the product of a column and a row from ``matrix`` in place."""
    for i in range(column.size):
        factor = column[i]
        for j in range(row.size):
            matrix[i, j] -= factor * row[j]


@njit()
def row_norms(rows):
    """Return the Euclidean norm of every row."""
    norms = np.empty(rows.shape[0], rows.real.dtype)
    for n in range(norms.size):
        norms[n] = np.sqrt(squared_norm(rows[n]))
    return norms


@njit()
def subtract(left, right):
    """Subtract ``right`` from the matrix ``left`` in place."""
    for i in range(left.shape[0]):
        for j in range(left.shape[1]):
            left[i, j] -= right[i, j]


# numba compiles slice assignment and indexing by an array into seconds' worth of code for their error messages; the
# three functions below are those without the messages.


@njit()
def copy_into(target, source):
    """Copy a matrix into another of the same shape."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@njit()
def gather_rows(source, rows):
    """Return a copy of the given rows of a matrix."""
    target = np.empty((rows.size, source.shape[1]), source.dtype)
    for k in range(rows.size):
        for j in range(source.shape[1]):
            target[k, j] = source[rows[k], j]
    return target


@njit()
def scatter_rows(target, rows, source):
    """Put the rows of ``source`` into the given rows of ``target``."""
    for k in range(rows.size):
        for j in range(source.shape[1]):
            target[rows[k], j] = source[k, j]
