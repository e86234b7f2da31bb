"""Steps that several kernels take."""

import numpy as np

from mmvsolvers.kernels.arrays import empty
from mmvsolvers.kernels.compiling import njit

# A sum may be reordered, so that it runs in vector registers; NaN and inf keep their meaning.
REORDER = {"reassoc", "contract"}
# For functions that allocate nothing and return no array: to count who refers to their arrays, at every call and by
# atomic instructions, takes longer than much of what they compute, and Numba long to write. What they call inherits it,
# unless it is COUNTED, as what they call has to be where it allocates for itself.
UNCOUNTED, COUNTED = {"_nrt": False}, {"_nrt": True}


@njit(fastmath=REORDER, **UNCOUNTED)
def squared_norm(vector):
    """Return ‖vector‖²."""
    total = vector[0].real * 0.0
    for i in range(vector.size):
        total += vector[i].real * vector[i].real + vector[i].imag * vector[i].imag
    return total


@njit(fastmath=REORDER, **UNCOUNTED)
def real_inner(left, right):
    """Return Re⟨left, right⟩ of two vectors."""
    total = left[0].real * 0.0
    for i in range(left.size):
        total += left[i].real * right[i].real + left[i].imag * right[i].imag
    return total


@njit(fastmath=REORDER, **UNCOUNTED)
def real_product(left, right):
    """Return the real part of Σ_i left_i right_i."""
    total = left[0].real * 0.0
    for i in range(left.size):
        total += left[i].real * right[i].real - left[i].imag * right[i].imag
    return total


@njit(**UNCOUNTED)
def combine(factors, rows, result):
    """Set ``result`` to the combination Σ_j factors_j rows_j of the rows of a matrix."""
    for i in range(result.size):
        result[i] = factors[0] * rows[0, i]
    for j in range(1, factors.size):
        factor = factors[j]
        for i in range(result.size):
            result[i] += factor * rows[j, i]


@njit(**UNCOUNTED)
def subtract_outer(matrix, column, row):
    """Subtract the product of a column and a row from ``matrix`` in place."""
    for i in range(column.size):
        factor = column[i]
        for j in range(row.size):
            matrix[i, j] -= factor * row[j]


@njit()
def row_norms(rows):
    """Return the Euclidean norm of every row."""
    norms = empty(rows.shape[0], rows.real.dtype)
    for n in range(norms.size):
        norms[n] = np.sqrt(squared_norm(rows[n]))
    return norms


@njit(**UNCOUNTED)
def subtract(left, right):
    """Subtract ``right`` from the matrix ``left`` in place."""
    for i in range(left.shape[0]):
        for j in range(left.shape[1]):
            left[i, j] -= right[i, j]


# numba compiles slice assignment, indexing by an array and NumPy's functions of whole arrays into seconds' worth of
# code; the functions below are those without error messages and special cases.


@njit(**UNCOUNTED)
def copy_into(target, source):
    """Copy a matrix into another of the same shape."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@njit()
def gather_rows(source, rows):
    """Return a copy of the given rows of a matrix."""
    target = empty((rows.size, source.shape[1]), source.dtype)
    for k in range(rows.size):
        for j in range(source.shape[1]):
            target[k, j] = source[rows[k], j]
    return target


@njit(**UNCOUNTED)
def scatter_rows(target, rows, source):
    """Put the rows of ``source`` into the given rows of ``target``."""
    for k in range(rows.size):
        for j in range(source.shape[1]):
            target[rows[k], j] = source[k, j]


@njit()
def conjugated(matrix):
    """Return the conjugate of a matrix."""
    target = empty(matrix.shape, matrix.dtype)
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            target[i, j] = np.conj(matrix[i, j])
    return target


@njit()
def filled(N, value, dtype):
    """Return a vector of one value."""
    vector = empty(N, dtype)
    for n in range(N):
        vector[n] = value
    return vector


@njit()
def everyone(N):
    """Return the numbers 0 … N-1."""
    numbers = empty(N, np.int64)
    for n in range(N):
        numbers[n] = n
    return numbers


@njit()
def positive(values):
    """Return the positions of positive values."""
    found = empty(values.size, np.int64)
    count = 0
    for n in range(values.size):
        if values[n] > 0.0:
            found[count] = n
            count += 1
    return found[:count]


@njit()
def ascending(keys):
    """Return the positions of ``keys`` in ascending order, those of equal ones in their own: a merge sort."""
    order, merged = everyone(keys.size), empty(keys.size, np.int64)
    width = 1
    while width < keys.size:
        for start in range(0, keys.size, 2 * width):
            left, right = start, min(start + width, keys.size)
            middle, stop = right, min(start + 2 * width, keys.size)
            for k in range(start, stop):
                if right == stop or (left < middle and not keys[order[right]] < keys[order[left]]):
                    merged[k] = order[left]
                    left += 1
                else:
                    merged[k] = order[right]
                    right += 1
        order, merged = merged, order
        width *= 2
    return order
