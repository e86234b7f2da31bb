"""Vectors and hermitian matrices, in place, in the precision of what is changed; too small for BLAS to pay."""

import numpy as np

from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.shared import REORDER


@njit(fastmath=REORDER)
def scale(vector, weight):
    """Multiply ``vector`` by a real number."""
    factor = vector.real.dtype.type(weight)
    for i in range(vector.size):
        vector[i] *= factor


@njit(fastmath=REORDER)
def add_scaled(total, weight, vector):
    """Add a real multiple of ``vector`` to ``total``."""
    factor = total.real.dtype.type(weight)
    for i in range(total.size):
        total[i] += factor * vector[i]


@njit(fastmath=REORDER)
def add_hermitian_product(P, vector, total):
    """Add P·vector to ``total``; P is hermitian, so its rows serve as conjugate columns."""
    for j in range(vector.size):
        for i in range(total.size):
            total[i] += np.conj(P[j, i]) * vector[j]


@njit()
def hermitian_product(P, vector, product):
    """Set ``product`` to P·vector."""
    product[:] = 0
    add_hermitian_product(P, vector, product)


@njit(fastmath=REORDER)
def add_outer(P, weight, vector):
    """Add weight·vector·vectorᴴ to P."""
    factor = vector.real.dtype.type(weight)
    for i in range(vector.size):
        scaled = factor * vector[i]
        for j in range(vector.size):
            P[i, j] += scaled * np.conj(vector[j])


@njit(fastmath=REORDER)
def add_symmetric_outer(P, left, right):
    """Add left·rightᴴ + right·leftᴴ to P."""
    for i in range(left.size):
        for j in range(left.size):
            P[i, j] += left[i] * np.conj(right[j]) + right[i] * np.conj(left[j])


@njit(fastmath=REORDER)
def inner_products(rows, vector, products):
    """Set ``products`` to vectorᴴ·row for every row."""
    for m in range(rows.shape[0]):
        products[m] = 0
        for i in range(vector.size):
            products[m] += np.conj(vector[i]) * rows[m, i]


@njit(fastmath=REORDER)
def add_combination(total, weights, rows):
    """Add Σ_m weights_m·rows_m to ``total``."""
    for m in range(rows.shape[0]):
        for i in range(total.size):
            total[i] += weights[m] * rows[m, i]


@njit(fastmath=REORDER)
def add_rows(rows, weights, vector):
    """Add weights_m·vector to every row m."""
    for m in range(rows.shape[0]):
        for i in range(vector.size):
            rows[m, i] += weights[m] * vector[i]
