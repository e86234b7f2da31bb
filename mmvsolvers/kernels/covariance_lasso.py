"""Coordinate descent for the covariance LASSO, min over r ⪰ 0 of ½‖S - A diag(r) Aᴴ‖²_F + λ Σ_n r_n.

S is YYᴴ/M - σ²I; where σ² is not known, it is one more coordinate, σ² ≥ 0, moved after every sweep. The gradient of
device n is a_nᴴ E a_n with the residual E = S - A diag(r) Aᴴ. Two forms give the same iterates: where the Gram matrix
|AᴴA|² of all devices fits in memory, all gradients are kept up to date with its rows; where it does not, E is kept up
to date, a block of devices at a time. A single problem moves few of its devices, and computes only the rows of those;
a batch shares the whole matrix.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.products import blas_product, matmul
from mmvsolvers.kernels.shared import (
    ascending,
    conjugated,
    everyone,
    gather_rows,
    positive,
    real_product,
    squared_norm,
    subtract,
)

# Devices a block.
BLOCK = 32
# A run to tolerance visits only the active devices until their steps are this much smaller than the last full sweep's.
ACTIVE_REDUCTION = 0.1
ACTIVE_SWEEPS = 20

# The pilots: rows a_nᵀ and a_nᴴ (N, L), ‖a_n‖² (N,), |AᴴA|² (N, N) or (0, 0) where it is too large, and which of its
# rows are there, (N,).
Pilots = namedtuple("Pilots", "rows conjugate squares gram known")
# The iterate: r (N,), the gradients a_nᴴEa_n (N,) where the Gram matrix is there, E (L, L) where it is not, and σ² with
# the bounds that it may move between, (3,).
State = namedtuple("State", "r gradient E noise")


@njit()
def fill_gram(pilots, n):
    """Compute row n of |AᴴA|², elementwise: one at a time, so that its rounding is the same alone and in a batch."""
    product = empty(pilots.rows.shape[0], pilots.rows.dtype)
    blas_product(pilots.rows, pilots.conjugate[n], product)
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
            largest = max(largest, abs(change) * pilots.squares[n] * pilots.squares[n])
            if not pilots.known[n]:
                if interrupted():
                    break
                fill_gram(pilots, n)
            for j in range(state.r.size):
                state.gradient[j] -= pilots.gram[n, j] * change
    return largest


@njit()
def block_gradients(conjugate, rows, E, gradient):
    """Set ``gradient`` to a_nᴴEa_n for the devices of a block."""
    products = matmul(conjugate, E)
    for k in range(gradient.size):
        gradient[k] = real_product(products[k], rows[k])


@njit()
def residual_sweep(pilots, devices, lam, state):
    """Visit ``devices`` in order with E kept up to date; return the largest |change|·‖a_n‖⁴."""
    largest = 0.0
    gradient, change, inner = empty(BLOCK), empty(BLOCK), empty(BLOCK, pilots.rows.dtype)
    for start in range(0, devices.size, BLOCK):
        if interrupted():
            break
        block = devices[start : start + BLOCK]
        rows, conjugate = gather_rows(pilots.rows, block), gather_rows(pilots.conjugate, block)
        block_gradients(conjugate, rows, state.E, gradient[: block.size])
        for k in range(block.size):
            n = block[k]
            change[k] = step(n, gradient[k], pilots.squares[n], lam, state.r)
            if change[k] != 0.0:
                largest = max(largest, abs(change[k]) * pilots.squares[n] * pilots.squares[n])
                others = block.size - k - 1
                if others > 0:
                    blas_product(conjugate[k + 1 :], rows[k], inner[:others])
                for i in range(others):
                    p = inner[i]
                    gradient[k + 1 + i] -= (p.real * p.real + p.imag * p.imag) * change[k]
        for k in range(block.size):
            for i in range(rows.shape[1]):
                conjugate[k, i] *= conjugate.real.dtype.type(change[k])
        subtract(state.E, matmul(rows.T, conjugate))
    return largest


@njit()
def sweep(pilots, devices, lam, state):
    """Visit ``devices`` in order in the form that the pilots are in."""
    if pilots.gram.size:
        return gram_sweep(pilots, devices, lam, state)
    return residual_sweep(pilots, devices, lam, state)


@njit()
def move_noise(pilots, power, state):
    """Move σ² to its minimum within its bounds, where ``power`` is ‖Y‖²/M."""
    noise_var = min(max(residual_trace(pilots, power, state.r) / pilots.rows.shape[1], state.noise[1]), state.noise[2])
    change = noise_var - state.noise[0]
    if change != 0.0:
        state.noise[0] = noise_var
        for n in range(state.r.size):
            state.gradient[n] -= change * pilots.squares[n]
        for i in range(state.E.shape[0]):
            state.E[i, i] -= change


@njit()
def residual_trace(pilots, power, r):
    """Return the trace of YYᴴ/M - A diag(r) Aᴴ, where ``power`` is ‖Y‖²/M."""
    for n in range(r.size):
        power -= pilots.squares[n] * r[n]
    return power


@njit()
def set_residual(pilots, sample, state):
    """Set E = YYᴴ/M - σ²I - A diag(r) Aᴴ."""
    active = positive(state.r)
    rows, weighted = gather_rows(pilots.rows, active), gather_rows(pilots.conjugate, active)
    for k in range(active.size):
        for i in range(weighted.shape[1]):
            weighted[k, i] *= weighted.real.dtype.type(state.r[active[k]])
    for i in range(state.E.shape[0]):
        for j in range(state.E.shape[0]):
            state.E[i, j] = sample[i, j]
        state.E[i, i] -= state.noise[0]
    if active.size:
        subtract(state.E, matmul(rows.T, weighted))


@njit()
def all_gradients(pilots, sample, state):
    """Compute E anew, and from it the gradients of all devices."""
    set_residual(pilots, sample, state)
    for start in range(0, state.r.size, BLOCK):
        if interrupted():
            break
        stop = min(start + BLOCK, state.r.size)
        block_gradients(pilots.conjugate[start:stop], pilots.rows[start:stop], state.E, state.gradient[start:stop])


@njit()
def duality_gap(pilots, power, lam, state):
    """Return by how much the objective exceeds a lower bound of the optimum.

    Any Hermitian Θ with a_nᴴΘa_n ≤ λ, and tr Θ ≤ 0 where σ² is free, bounds the optimum by Re⟨Θ, YYᴴ/M - σ²I⟩ - ½‖Θ‖²,
    less the most that a free σ² ≥ 0 could add. With Θ = E - μI, for the least μ that serves, what the objective exceeds
    it by needs the gradients g and tr E alone: Σ_n r_n(λ - g_n + μ‖a_n‖²) + ½Lμ², and σ²(Lμ - tr E) where σ² is free.
    """
    L = pilots.rows.shape[1]
    mu, gap = 0.0, 0.0
    for n in range(state.r.size):
        mu = max(mu, (state.gradient[n] - lam) / pilots.squares[n])
    if state.noise[1] < state.noise[2]:
        trace = residual_trace(pilots, power, state.r) - L * state.noise[0]
        mu = max(mu, trace / L)
        gap = state.noise[0] * (L * mu - trace)
    gap += 0.5 * L * mu * mu
    for n in range(state.r.size):
        gap += state.r[n] * (lam - state.gradient[n] + mu * pilots.squares[n])
    return max(gap, 0.0)


@njit()
def objective(pilots, sample, lam, state):
    """Return ½‖E‖² + λ Σ_n r_n, with E computed anew."""
    set_residual(pilots, sample, state)
    fit, total = 0.0, 0.0
    for i in range(state.E.shape[0]):
        fit += squared_norm(state.E[i])
    for n in range(state.r.size):
        total += state.r[n]
    return 0.5 * fit + lam * total


@njit()
def sample_covariance(Y):
    """Return YYᴴ/M."""
    sample = matmul(Y, conjugated(Y).T)
    for i in range(sample.shape[0]):
        for j in range(sample.shape[0]):
            sample[i, j] *= Y.real.dtype.type(1.0 / Y.shape[1])
    return sample


@njit()
def first_gradients(pilots, Y, noise_var):
    """Return a_nᴴ(YYᴴ/M - σ²I)a_n for every device, (N,)."""
    gradient = empty(pilots.squares.size)
    products = matmul(pilots.conjugate, Y)
    for n in range(gradient.size):
        gradient[n] = squared_norm(products[n]) / Y.shape[1] - noise_var * pilots.squares[n]
    return gradient


@njit()
def steepest_first(gradient):
    """Return the devices in descending order of their gradients."""
    keys = empty(gradient.size)
    for n in range(gradient.size):
        keys[n] = -gradient[n]
    return ascending(keys)


@njit()
def active_in(order, r):
    """Return the devices of positive r, in the given order."""
    active = empty(order.size, np.int64)
    count = 0
    for k in range(order.size):
        if r[order[k]] > 0.0:
            active[count] = order[k]
            count += 1
    return active[:count]


@njit()
def solve(pilots, Y, noise, lam, r, max_iter, tol):
    """Solve one problem from r (N,) = 0, in place; ``noise`` as in State. Return objective, relative gap and sweeps."""
    sample, power = sample_covariance(Y), 0.0
    for i in range(Y.shape[0]):
        power += sample[i, i].real
    state = State(r, first_gradients(pilots, Y, noise[0]), empty(sample.shape, sample.dtype), noise)
    # Likeliest first: fewer devices move, and the answer is free of their numbering.
    order = everyone(r.size) if tol == 0.0 else steepest_first(state.gradient)
    value, gap = objective(pilots, sample, lam, state), duality_gap(pilots, power, lam, state)
    done = 0
    while done < max_iter and (gap > tol * value or tol == 0.0):
        largest = sweep(pilots, order, lam, state)
        if interrupted():
            break
        move_noise(pilots, power, state)
        done += 1
        if tol > 0.0:
            active = active_in(order, r)
            for _ in range(min(ACTIVE_SWEEPS, max_iter - done)):
                done += 1
                steps = sweep(pilots, active, lam, state)
                move_noise(pilots, power, state)
                if steps <= ACTIVE_REDUCTION * largest:
                    break
        if tol > 0.0 or done == max_iter:
            if not pilots.gram.size:
                all_gradients(pilots, sample, state)
            gap = duality_gap(pilots, power, lam, state)
            # The objective only falls: while the gap is too large for its last value, it is too large for the new one.
            if gap <= tol * value or done == max_iter:
                value = objective(pilots, sample, lam, state)
    return value, gap / value if value > 0.0 else 0.0, done


@entry()
def fill_grams(rows, conjugate, squares, gram, known, start, stop):
    """Compute the rows of |AᴴA|² in [start, stop) that are not there yet; arguments as for `solve_batch`."""
    pilots = Pilots(rows, conjugate, squares, gram, known)
    for n in range(start, stop):
        if interrupted():
            break
        if not known[n]:
            fill_gram(pilots, n)


@entry()
def solve_batch(rows, conjugate, squares, gram, known, Y, noise, lam, max_iter, tol):
    """Solve T problems.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), squares ‖a_n‖² (N,), gram room for |AᴴA|² (N, N) or (0, 0) and known
    which of its rows are there (N,), both filled in for the next call, Y (T, L, M), noise σ² and the bounds that it may
    move between (T, 3), lam (T,). Returns r (T, N) in double precision, objective, relative gap and n_iter, (T,); σ² is
    moved in place.
    """
    T, N = Y.shape[0], squares.size
    r = zeros((T, N))
    value, gap, n_iter = empty(T), empty(T), empty(T, np.int64)
    pilots = Pilots(rows, conjugate, squares, gram, known)
    for t in range(T):
        if interrupted():
            break
        value[t], gap[t], n_iter[t] = solve(pilots, Y[t], noise[t], lam[t], r[t], max_iter, tol)
    return r, value, gap, n_iter
