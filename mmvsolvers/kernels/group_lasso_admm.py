"""ADMM in sharing form for GROUP LASSO: all devices move at once.

Signals are kept conjugate, since AX is the conjugate of (Aᴴ)ᵀ times that of X: both products of an iteration then read
one array, Aᴴ, which has a better chance to stay in the cache than two.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.group_lasso_bcd import certificate
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.products import matmul_into, product_of_rows
from mmvsolvers.kernels.shared import squared_norm

# The gap costs as much as half an iteration, so a run to tolerance looks at it only now and then.
CHECK_EVERY = 10
# Residual balancing (Boyd et al., 2011, section 3.4.1): ρ doubles or halves when one residual is this much larger.
IMBALANCE = 10.0

# conj X (N, M), which of its rows are not zero (N,) and their numbers, the first of N, the mean AX/N, B and C (L, M),
# and work space: B - mean - C (L, M) and its aₙᴴ-products (N, M).
State = namedtuple("State", "X active heard mean B C difference pull")


@njit()
def shrink_rows(squares, lam, rho, state):
    """Set X_n to the group soft threshold of t_n = ‖a_n‖²X_n + pull_n, for every device; return how many are active."""
    X, active, pull = state.X, state.active, state.pull
    level = lam / rho
    n_heard = 0
    # most devices are silent and stay so, and are spared all but the test
    for n in range(squares.size):
        if active[n]:
            for m in range(X.shape[1]):
                pull[n, m] += squares[n] * np.conj(X[n, m])
        square = squared_norm(pull[n])
        if square > level * level:
            factor = squares.dtype.type((1.0 - level / np.sqrt(square)) / squares[n])
            for m in range(X.shape[1]):
                X[n, m] = factor * np.conj(pull[n, m])
            active[n] = True
            state.heard[n_heard] = n
            n_heard += 1
        elif active[n]:
            for m in range(X.shape[1]):
                X[n, m] = 0.0
            active[n] = False
    return n_heard


@njit()
def iterate(conjugate, squares, Y, lam, rho, state):
    """Make one iteration in place; return the squared norms of AX̄ - B and of the change of B."""
    N = squares.size
    real = squares.dtype.type
    keep, blend, share = real(1.0 / (N + rho)), real(rho / (N + rho)), real(1.0 / N)
    X, mean, B, C, difference = state.X, state.mean, state.B, state.C, state.difference
    for i in range(B.shape[0]):
        for m in range(B.shape[1]):
            difference[i, m] = B[i, m] - mean[i, m] - C[i, m]
    matmul_into(state.pull, conjugate, difference)
    n_heard = shrink_rows(squares, lam, real(rho), state)
    product_of_rows(mean, conjugate, X, state.heard[:n_heard])
    primal, dual = 0.0, 0.0
    for i in range(B.shape[0]):
        for m in range(B.shape[1]):
            mean[i, m] = share * np.conj(mean[i, m])
            new = keep * Y[i, m] + blend * (mean[i, m] + C[i, m])
            change, miss = new - B[i, m], mean[i, m] - new
            B[i, m] = new
            C[i, m] += miss
            primal += miss.real * miss.real + miss.imag * miss.imag
            dual += change.real * change.real + change.imag * change.imag
    return primal, dual


@njit()
def rebalance(rho, primal, dual, C):
    """Return ρ moved towards equal residuals, with the scaled multiplier C moved along."""
    # the dual residual of the sharing form is ρ times the change of B
    factor = 1.0
    if primal > IMBALANCE * IMBALANCE * rho * rho * dual:
        factor = 2.0
    elif rho * rho * dual > IMBALANCE * IMBALANCE * primal:
        factor = 0.5
    if factor != 1.0:
        for i in range(C.shape[0]):
            for m in range(C.shape[1]):
                C[i, m] *= C.real.dtype.type(1.0 / factor)
    return rho * factor


@njit()
def solve(conjugate, squares, Y, lam, bound, rho, adaptive, X, max_iter, tol):
    """Solve one problem from conj X = 0, in place; return objective, relative gap and iterations done."""
    state = State(
        X,
        zeros(squares.size, np.bool_),
        empty(squares.size, np.int64),
        zeros(Y.shape, Y.dtype),
        zeros(Y.shape, Y.dtype),
        zeros(Y.shape, Y.dtype),
        empty(Y.shape, Y.dtype),
        empty(X.shape, X.dtype),
    )
    R, lengths = empty(Y.shape, Y.dtype), empty(X.shape[0])
    gap = np.inf
    done = 0
    while gap > tol and done < max_iter and not interrupted():
        primal, dual = iterate(conjugate, squares, Y, lam, rho, state)
        done += 1
        if done == max_iter or (tol > 0.0 and done % CHECK_EVERY == 0):
            for i in range(R.shape[0]):
                for m in range(R.shape[1]):
                    R[i, m] = Y[i, m] - X.shape[0] * state.mean[i, m]
            objective, gap = certificate(conjugate, Y, lam, bound, X, R, lengths)
        if adaptive and done % CHECK_EVERY == 0:
            rho = rebalance(rho, primal, dual, state.C)
    return objective, gap, done


@entry()
def solve_batch(conjugate, squares, Y, lam, bound, rho, adaptive, max_iter, tol):
    """Solve T problems.

    conjugate is a_nᴴ (N, L), squares ‖a_n‖² (N,), Y (T, L, M), lam, a lower bound of the optimum and
    rho (T,). Returns X (T, N, M), objective, relative gap and n_iter, (T,).
    """
    T, _, M = Y.shape
    X = zeros((T, conjugate.shape[0], M), conjugate.dtype)
    objective, gap, n_iter = empty(T, lam.dtype), empty(T, lam.dtype), empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        objective[t], gap[t], n_iter[t] = solve(
            conjugate, squares, Y[t], lam[t], bound[t], rho[t], adaptive, X[t], max_iter, tol
        )
        for n in range(X.shape[1]):
            for m in range(M):
                X[t, n, m] = np.conj(X[t, n, m])
    return X, objective, gap, n_iter
