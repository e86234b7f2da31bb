"""Coordinate descent for the covariance LASSO, min over r ⪰ 0 of ½‖S - A diag(r) Aᴴ‖²_F + λ Σ_n r_n.

The gradient of device n is a_nᴴ E a_n with the residual E = S - A diag(r) Aᴴ. Two forms give the same iterates: where
the Gram matrix |AᴴA|² of all devices fits in memory, all gradients are kept up to date with its columns; where it does
not, E is kept up to date, a block of devices at a time.
"""

from collections import namedtuple

import numpy as np
from numba import prange

from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.shared import gather_rows, real_inner, squared_norm, subtract

# Devices a block.
BLOCK = 32
# A run to tolerance visits only the active devices until their steps are this much smaller than the last full sweep's.
ACTIVE_REDUCTION = 0.1
ACTIVE_SWEEPS = 20

# The pilots: rows a_nᵀ and a_nᴴ (N, L), ‖a_n‖² (N,), and |AᴴA|² (N, N) or (0, 0) where it is too large.
Pilots = namedtuple("Pilots", "rows conjugate squares gram")
# The iterate: r (N,), the gradients a_nᴴEa_n (N,) where the Gram matrix is there, and E (L, L) where it is not.
State = namedtuple("State", "r gradient E")


@njit()
def squared_gram(rows, conjugate):
    """Return |AᴴA|², elementwise, a block of rows at a time."""
    N = rows.shape[0]
    gram = np.empty((N, N), rows.real.dtype)
    for start in range(0, N, BLOCK):
        product = np.dot(conjugate[start : start + BLOCK], rows.T)
        for k in range(product.shape[0]):
            for j in range(N):
                p = product[k, j]
                gram[start + k, j] = p.real * p.real + p.imag * p.imag
    return gram


@njit()
def step(n, gradient, square, lam, r):
    """Move r_n to its coordinate minimum; return the change."""
    new = max(0.0, r[n] + (gradient - lam) / (square * square))
    change = new - r[n]
    r[n] = new
    return change


@njit()
def gram_sweep(pilots, devices, lam, state):
    """Visit ``devices`` in order with all gradients kept up to date; return the largest |change|·‖a_n‖⁴."""
    largest = 0.0
    for n in devices:
        change = step(n, state.gradient[n], pilots.squares[n], lam, state.r)
        if change != 0.0:
            largest = max(largest, abs(change) * pilots.squares[n] ** 2)
            for j in range(state.r.size):
                state.gradient[j] -= pilots.gram[n, j] * change
    return largest


@njit()
def block_gradients(conjugate, rows, E, gradient):
    """Set ``gradient`` to a_nᴴEa_n for the devices of a block."""
    products = np.dot(conjugate, E)
    for k in range(gradient.size):
        # the conjugate of a_nᵀ is a_nᴴ
        gradient[k] = real_inner(products[k], np.conj(rows[k]))


@njit()
def residual_sweep(pilots, devices, lam, state):
    """Visit ``devices`` in order with E kept up to date; return the largest |change|·‖a_n‖⁴."""
    largest = 0.0
    gradient, change = np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, devices.size, BLOCK):
        block = devices[start : start + BLOCK]
        rows, conjugate = gather_rows(pilots.rows, block), gather_rows(pilots.conjugate, block)
        block_gradients(conjugate, rows, state.E, gradient[: block.size])
        for k in range(block.size):
            n = block[k]
            change[k] = step(n, gradient[k], pilots.squares[n], lam, state.r)
            if change[k] != 0.0:
                largest = max(largest, abs(change[k]) * pilots.squares[n] ** 2)
                inner = np.dot(conjugate[k + 1 :], rows[k])
                for i in range(inner.size):
                    gradient[k + 1 + i] -= (inner[i].real ** 2 + inner[i].imag ** 2) * change[k]
        for k in range(block.size):
            for i in range(rows.shape[1]):
                conjugate[k, i] *= conjugate.real.dtype.type(change[k])
        subtract(state.E, np.dot(rows.T, conjugate))
    return largest


@njit()
def sweep(pilots, devices, lam, state):
    """Visit ``devices`` in order in the form that the pilots are in."""
    if pilots.gram.size:
        return gram_sweep(pilots, devices, lam, state)
    return residual_sweep(pilots, devices, lam, state)


@njit()
def set_residual(pilots, S, r, E):
    """Set E = S - A diag(r) Aᴴ."""
    active = np.flatnonzero(r)
    rows, weighted = gather_rows(pilots.rows, active), gather_rows(pilots.conjugate, active)
    for k in range(active.size):
        for i in range(weighted.shape[1]):
            weighted[k, i] *= weighted.real.dtype.type(r[active[k]])
    for i in range(E.shape[0]):
        for j in range(E.shape[0]):
            E[i, j] = S[i, j]
    if active.size:
        subtract(E, np.dot(rows.T, weighted))


@njit()
def certificate(pilots, S, lam, state):
    """Return the objective and its relative duality gap, with E computed anew.

    Any Hermitian Θ with a_nᴴΘa_n ≤ λ bounds the optimum by Re⟨Θ, S⟩ - ½‖Θ‖²; Θ = E - μI is one for large enough μ.
    """
    L = S.shape[0]
    set_residual(pilots, S, state.r, state.E)
    if not pilots.gram.size:
        for start in range(0, state.r.size, BLOCK):
            stop = min(start + BLOCK, state.r.size)
            block_gradients(pilots.conjugate[start:stop], pilots.rows[start:stop], state.E, state.gradient[start:stop])
    mu = 0.0
    for n in range(state.r.size):
        mu = max(mu, (state.gradient[n] - lam) / pilots.squares[n])
    fit, inner, theta, penalty = 0.0, 0.0, 0.0, 0.0
    for i in range(L):
        fit += squared_norm(state.E[i])
        state.E[i, i] -= state.E.real.dtype.type(mu)
        theta += squared_norm(state.E[i])
        inner += real_inner(state.E[i], S[i])
        state.E[i, i] += state.E.real.dtype.type(mu)
    for n in range(state.r.size):
        penalty += state.r[n]
    primal = 0.5 * fit + lam * penalty
    gap = primal - inner + 0.5 * theta
    return primal, max(gap, 0.0) / primal if primal > 0.0 else 0.0


@njit()
def sample_covariance(Y, noise_var):
    """Return S = YYᴴ/M - σ²I."""
    S = np.dot(Y, np.conj(Y).T)
    for i in range(S.shape[0]):
        for j in range(S.shape[0]):
            S[i, j] /= Y.real.dtype.type(Y.shape[1])
        S[i, i] -= noise_var
    return S


@njit()
def first_gradients(pilots, Y, noise_var):
    """Return a_nᴴSa_n for every device, (N,)."""
    gradient = np.empty(pilots.squares.size)
    products = np.dot(pilots.conjugate, Y)
    for n in range(gradient.size):
        gradient[n] = squared_norm(products[n]) / Y.shape[1] - noise_var * pilots.squares[n]
    return gradient


@njit()
def solve(pilots, Y, noise_var, lam, r, max_iter, tol):
    """Solve one problem from r (N,) = 0, in place; return objective, relative gap and sweeps done."""
    S = sample_covariance(Y, noise_var)
    state = State(r, first_gradients(pilots, Y, noise_var), np.empty_like(S))
    everyone = np.arange(r.size)
    objective, gap = certificate(pilots, S, lam, state)
    done = 0
    while done < max_iter and (gap > tol or tol == 0.0):
        largest = sweep(pilots, everyone, lam, state)
        done += 1
        if tol > 0.0:
            active = np.flatnonzero(r)
            for _ in range(min(ACTIVE_SWEEPS, max_iter - done)):
                done += 1
                if sweep(pilots, active, lam, state) <= ACTIVE_REDUCTION * largest:
                    break
        if tol > 0.0 or done == max_iter:
            objective, gap = certificate(pilots, S, lam, state)
    return objective, gap, done


@njit(parallel=True)
def solve_batch(rows, conjugate, squares, gram, Y, noise_var, lam, max_iter, tol):
    """Solve T problems in parallel.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), squares ‖a_n‖² (N,), gram |AᴴA|² (N, N) or (0, 0), Y (T, L, M),
    noise_var and lam (T,). Returns r (T, N) in double precision, objective, relative gap and n_iter, (T,).
    """
    T = Y.shape[0]
    r = np.zeros((T, squares.size))
    objective, gap, n_iter = np.empty(T), np.empty(T), np.empty(T, np.int64)
    pilots = Pilots(rows, conjugate, squares, gram)
    for t in prange(T):
        objective[t], gap[t], n_iter[t] = solve(pilots, Y[t], noise_var[t], lam[t], r[t], max_iter, tol)
    return r, objective, gap, n_iter
