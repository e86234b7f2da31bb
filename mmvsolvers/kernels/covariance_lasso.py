"""Coordinate descent for the covariance LASSO, min over r ⪰ 0 of ½‖S - A diag(r) Aᴴ‖²_F + λ Σ_n r_n.

The gradient of device n is a_nᴴ E a_n with the residual E = S - A diag(r) Aᴴ. Two forms give the same iterates: where
the Gram matrix |AᴴA|² of all devices fits in memory, all gradients are kept up to date with its rows; where it does
not, E is kept up to date, a block of devices at a time. A single problem moves few of its devices, and computes only
the rows of those; a batch shares the whole matrix.
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

# The pilots: rows a_nᵀ and a_nᴴ (N, L), ‖a_n‖² (N,), |AᴴA|² (N, N) or (0, 0) where it is too large, and which of its
# rows are there, (N,).
Pilots = namedtuple("Pilots", "rows conjugate squares gram known")
# The iterate: r (N,), the gradients a_nᴴEa_n (N,) where the Gram matrix is there, and E (L, L) where it is not.
State = namedtuple("State", "r gradient E")


@njit()
def fill_gram(pilots, n):
    """Compute row n of |AᴴA|², elementwise: one at a time, so that its rounding is the same alone and in a batch."""
    product = np.dot(pilots.rows, pilots.conjugate[n])
    for j in range(product.size):
        p = product[j]
        pilots.gram[n, j] = p.real * p.real + p.imag * p.imag
    pilots.known[n] = True


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
            if not pilots.known[n]:
                fill_gram(pilots, n)
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
def all_gradients(pilots, S, state):
    """Compute E anew, and from it the gradients of all devices."""
    set_residual(pilots, S, state.r, state.E)
    for start in range(0, state.r.size, BLOCK):
        stop = min(start + BLOCK, state.r.size)
        block_gradients(pilots.conjugate[start:stop], pilots.rows[start:stop], state.E, state.gradient[start:stop])


@njit()
def duality_gap(pilots, lam, state):
    """Return by how much the objective exceeds a lower bound of the optimum.

    Any Hermitian Θ with a_nᴴΘa_n ≤ λ bounds the optimum by Re⟨Θ, S⟩ - ½‖Θ‖². With Θ = E - μI, for the least μ that
    serves, what the objective exceeds it by needs the gradients g alone: Σ_n r_n(λ - g_n + μ‖a_n‖²) + ½Lμ².
    """
    mu = 0.0
    for n in range(state.r.size):
        mu = max(mu, (state.gradient[n] - lam) / pilots.squares[n])
    gap = 0.5 * pilots.rows.shape[1] * mu * mu
    for n in range(state.r.size):
        gap += state.r[n] * (lam - state.gradient[n] + mu * pilots.squares[n])
    return max(gap, 0.0)


@njit()
def objective(pilots, S, lam, state):
    """Return ½‖E‖² + λ Σ_n r_n, with E computed anew."""
    set_residual(pilots, S, state.r, state.E)
    fit = 0.0
    for i in range(state.E.shape[0]):
        fit += squared_norm(state.E[i])
    return 0.5 * fit + lam * np.sum(state.r)


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
    # Likeliest first: fewer devices move, and the answer is free of their numbering.
    everyone = np.arange(r.size) if tol == 0.0 else np.argsort(-state.gradient)
    value, gap = objective(pilots, S, lam, state), duality_gap(pilots, lam, state)
    done = 0
    while done < max_iter and (gap > tol * value or tol == 0.0):
        largest = sweep(pilots, everyone, lam, state)
        done += 1
        if tol > 0.0:
            active = everyone[r[everyone] > 0.0]
            for _ in range(min(ACTIVE_SWEEPS, max_iter - done)):
                done += 1
                if sweep(pilots, active, lam, state) <= ACTIVE_REDUCTION * largest:
                    break
        if tol > 0.0 or done == max_iter:
            if not pilots.gram.size:
                all_gradients(pilots, S, state)
            gap = duality_gap(pilots, lam, state)
            # The objective only falls: while the gap is too large for its last value, it is too large for the new one.
            if gap <= tol * value or done == max_iter:
                value = objective(pilots, S, lam, state)
    return value, gap / value if value > 0.0 else 0.0, done


@njit(parallel=True)
def solve_batch(rows, conjugate, squares, gram, known, Y, noise_var, lam, max_iter, tol):
    """Solve T problems in parallel.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), squares ‖a_n‖² (N,), gram room for |AᴴA|² (N, N) or (0, 0) and known
    which of its rows are there (N,), both filled in for the next call, Y (T, L, M), noise_var and lam (T,). Returns r
    (T, N) in double precision, objective, relative gap and n_iter, (T,).
    """
    T, N = Y.shape[0], squares.size
    r = np.zeros((T, N))
    value, gap, n_iter = np.empty(T), np.empty(T), np.empty(T, np.int64)
    pilots = Pilots(rows, conjugate, squares, gram, known)
    if gram.size and T > 1:
        for n in prange(N):
            if not known[n]:
                fill_gram(pilots, n)
    for t in prange(T):
        value[t], gap[t], n_iter[t] = solve(pilots, Y[t], noise_var[t], lam[t], r[t], max_iter, tol)
    return r, value, gap, n_iter
