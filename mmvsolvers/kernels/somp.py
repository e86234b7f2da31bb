"""Simultaneous orthogonal matching pursuit: the strongest column joins, and the residual is made orthogonal to it.

A·X is kept as Q·G with orthonormal columns Q and A_S = Q·T, so that a new column costs one product with A; X comes from
the triangle T at the end.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.products import blas_product, matmul, matmul_into
from mmvsolvers.kernels.shared import combine, squared_norm, subtract_outer

# A column whose part outside the span has less than this many machine precisions of its norm is taken for dependent.
DEPENDENT = 1e3

# One problem's iterate. residual (L, M), correlations AᴴR (N, M), basis rows q_iᵀ (K, L), triangle (K, K), gains
# q_iᴴY (K, M), chosen (K,).
State = namedtuple("State", "residual correlations basis triangle gains chosen")


@njit()
def total_power(matrix):
    """Return ‖matrix‖²_F."""
    power = 0.0
    for i in range(matrix.shape[0]):
        power += squared_norm(matrix[i])
    return power


@njit()
def strongest(correlations, squares, chosen):
    """Return the column, not chosen yet, with the largest ‖a_nᴴR‖²/‖a_n‖², and that power; -1 and 0 if none has any."""
    best, largest = -1, 0.0
    for n in range(squares.size):
        power = float(squared_norm(correlations[n])) / squares[n]
        if power > largest:
            is_new = True
            for k in chosen:
                is_new = is_new and k != n
            if is_new:
                best, largest = n, power
    return best, largest


@njit()
def orthogonalise(row, k, state):
    """Make ``row`` a unit vector orthogonal to the first k basis vectors; say if it was possible.

    Gram-Schmidt, twice. The coefficients go into column k of the triangle.
    """
    before = np.sqrt(squared_norm(row))
    for _ in range(2):
        for i in range(k):
            inner = np.vdot(state.basis[i], row)
            state.triangle[i, k] += inner
            for l in range(row.size):
                row[l] -= inner * state.basis[i, l]
    length = np.sqrt(squared_norm(row))
    if length <= DEPENDENT * np.finfo(row.real.dtype).eps * before:
        return False
    state.triangle[k, k] = length
    inverse = row.real.dtype.type(1.0 / length)
    for l in range(row.size):
        row[l] *= inverse
    return True


@njit()
def add_column(AT, conjugate, n, k, state):
    """Let column n join as the k-th; return whether it could."""
    row = state.basis[k]
    for l in range(row.size):
        row[l] = AT[n, l]
    if not orthogonalise(row, k, state):
        return False
    state.chosen[k] = n
    adjoint, products = empty(row.size, row.dtype), empty(AT.shape[0], row.dtype)
    for l in range(row.size):
        adjoint[l] = np.conj(row[l])
    combine(adjoint, state.residual, state.gains[k])
    subtract_outer(state.residual, row, state.gains[k])
    blas_product(conjugate, row, products)
    subtract_outer(state.correlations, products, state.gains[k])
    return True


@njit()
def solve_triangle(count, state, X):
    """Put the least-squares solution on the chosen columns, T X_S = G, into ``X``."""
    for i in range(count - 1, -1, -1):
        row = X[state.chosen[i]]
        for m in range(row.size):
            row[m] = state.gains[i, m]
        for j in range(i + 1, count):
            factor = state.triangle[i, j]
            for m in range(row.size):
                row[m] -= factor * X[state.chosen[j], m]
        inverse = row.real.dtype.type(1.0 / state.triangle[i, i].real)
        for m in range(row.size):
            row[m] *= inverse


@njit()
def solve(AT, conjugate, squares, Y, noise_var, max_iter, tol, X):
    """Solve one problem, into X (N, M) = 0; return ‖Y - AX‖², the optimality and the number of columns."""
    L, M = Y.shape
    most = min(min(L, AT.shape[0]), max_iter)
    state = State(
        residual=Y.copy(),
        correlations=matmul(conjugate, Y),
        basis=empty((most, L), AT.dtype),
        triangle=zeros((most, most), AT.dtype),
        gains=empty((most, M), AT.dtype),
        chosen=empty(most, np.int64),
    )
    energy = total_power(Y)
    left, floor = energy, noise_var * L * M
    count = 0
    n, power = strongest(state.correlations, squares, state.chosen[:0])
    while count < most and n >= 0 and (tol == 0.0 or (power > tol * energy and left > floor)):
        if interrupted() or not add_column(AT, conjugate, n, count, state):
            break
        count += 1
        left = total_power(state.residual)
        n, power = strongest(state.correlations, squares, state.chosen[:count])
    solve_triangle(count, state, X)
    matmul_into(state.correlations, conjugate, state.residual)
    n, power = strongest(state.correlations, squares, state.chosen[:count])
    return left, power / energy if left > floor else 0.0, count


@entry()
def solve_batch(AT, conjugate, squares, Y, noise_var, max_iter, tol):
    """Solve T problems.

    AT and its conjugate are (N, L), squares ‖a_n‖² (N,), Y (T, L, M), noise_var (T,). Returns X (T, N, M), and
    ‖Y - AX‖², optimality and n_iter, (T,).
    """
    T, _, M = Y.shape
    X = zeros((T, AT.shape[0], M), AT.dtype)
    objective, optimality = empty(T, squares.dtype), empty(T, squares.dtype)
    n_iter = empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        objective[t], optimality[t], n_iter[t] = solve(AT, conjugate, squares, Y[t], noise_var[t], max_iter, tol, X[t])
    return X, objective, optimality, n_iter
