"""Binary activities one group at a time: the ratio of the likelihoods of active and silent, and what a flip changes.

Devices stand group by group; a device of its own is a group of one. With S = Σ⁻¹A_g, B = A_gᴴS and U = SᴴY the
log-likelihood of group g active over that of it silent, everything else as it is, is tr(Uᴴ(I ± B)⁻¹U) ∓ M log|I ± B|,
with the upper signs while g is silent and the lower ones while it is active. U and B of all groups are kept up to date:
a look at a group costs nothing that grows with L or N, and a flip a rank-1 update for each of its devices.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import as_real, empty, zeros
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.map_cd import rebuild_inverse
from mmvsolvers.kernels.products import matmul
from mmvsolvers.kernels.shared import COUNTED, REORDER, UNCOUNTED, conjugated, real_inner, squared_norm

# Σ⁻¹ is built anew where rounding errors since the last time may have moved an active device's 1 - q by this fraction.
DRIFT = 1e-6
# I ± B is positive definite; rounding errors must not make it look otherwise.
SMALLEST_PIVOT = np.finfo(np.float64).eps

# What T problems share: √g_n·a_nᵀ (N, L), the real and the imaginary part of its conjugate, (L, N) with a row of zeros
# below where L is odd, largest ‖a_n‖², the first device of every group and N behind (G + 1,), log ε/(1 - ε) of the
# groups (G,), couplings (N, N) or (0, 0), and what the log-likelihood ratio of complex data is multiplied by: 1, or ½
# for real data.
Model = namedtuple("Model", "rows real imag power first log_odds couplings weight")
# One problem: who is active (G,), the log-odds of the prior given the others (G,), Σ⁻¹ (L, L), U = AᴴΣ⁻¹Y as (M, N),
# the blocks B, those of group g in its columns of (K, N), a rounding error (1,); then work space: (Σ⁻¹a_n)* of one
# device, with a zero below where L is odd, sums of Σ⁻¹'s rows (2, 2L), the product of it with all pilots, the real and
# the imaginary part of that (2, N), i times it, and one group's factor and whitened U.
State = namedtuple("State", "active log_odds inverse U B drift column sums product parts turned factor whitened")


@njit()
def largest_power(rows):
    """Return the largest squared norm of a row."""
    power = 0.0
    for n in range(rows.shape[0]):
        power = max(power, squared_norm(rows[n]))
    return power


@njit()
def make_model(rows, first, log_odds, couplings, weight):
    """Prepare what problems share."""
    N, L = rows.shape
    real, imag = zeros((L + L % 2, N)), zeros((L + L % 2, N))
    for i in range(L):
        for n in range(N):
            real[i, n], imag[i, n] = rows[n, i].real, -rows[n, i].imag
    return Model(rows, real, imag, largest_power(rows), first, log_odds, couplings, weight)


@njit()
def make_state(model, M):
    """Allocate the state of one problem; nothing in it is set."""
    N, L = model.rows.shape
    G = model.first.size - 1
    K = 0
    for g in range(G):
        K = max(K, model.first[g + 1] - model.first[g])
    dtype = model.rows.dtype
    return State(
        empty(G, np.bool_),
        empty(G),
        empty((L, L), dtype),
        empty((M, N), dtype),
        empty((K, N), dtype),
        empty(1),
        zeros(L + L % 2, dtype),
        empty((2, 2 * L)),
        empty(N, dtype),
        empty((2, N)),
        empty(N, dtype),
        empty((K, K), dtype),
        empty((K, M), dtype),
    )


@njit(**COUNTED)
def rebuild(model, Y, noise_var, state):
    """Compute Σ⁻¹, U and B of the activity as it is; return log|Σ|."""
    value = zeros(model.rows.shape[0])
    for g in range(state.active.size):
        if state.active[g]:
            for n in range(model.first[g], model.first[g + 1]):
                value[n] = 1.0
    log_det, _ = rebuild_inverse(model.rows, noise_var, value, state.inverse)
    products = matmul(conjugated(model.rows), state.inverse)
    U = matmul(products, Y)
    for n in range(U.shape[0]):
        for m in range(U.shape[1]):
            state.U[m, n] = U[n, m]
    for g in range(state.active.size):
        start, stop = model.first[g], model.first[g + 1]
        B = matmul(products[start:stop], model.rows[start:stop].T)
        for i in range(stop - start):
            for j in range(stop - start):
                state.B[i, start + j] = B[i, j]
    state.drift[0] = 0.0
    return log_det


@njit(**UNCOUNTED)
def start_from(model, Y, noise_var, active, state):
    """Start where the given groups are active; return by how much prior and likelihood are above those of silence."""
    log_prior = 0.0
    for g in range(active.size):
        state.active[g] = active[g]
        state.log_odds[g] = model.log_odds[g]
    for g in range(active.size):
        if active[g]:
            log_prior += state.log_odds[g]
            for other in range(model.couplings.shape[0]):
                state.log_odds[other] += model.couplings[g, other]
    log_det = rebuild(model, Y, noise_var, state)
    return log_prior, model.weight * log_likelihood(Y, noise_var, log_det, state.inverse)


@njit(**COUNTED)
def log_likelihood(Y, noise_var, log_det, inverse):
    """Return the log-likelihood of complex data over that of silence, M log|σ²Σ⁻¹| + ‖Y‖²/σ² - tr(YᴴΣ⁻¹Y)."""
    L, M = Y.shape
    fit, whitened = 0.0, matmul(inverse, Y)
    for i in range(L):
        fit += squared_norm(Y[i]) / noise_var - real_inner(Y[i], whitened[i])
    return M * (L * np.log(noise_var) - log_det) + fit


@njit(**UNCOUNTED)
def whiten(B, U, start, size, sign, factor, whitened):
    """Factor I ± B of a group into CCᴴ and put C⁻¹U into ``whitened``; return log|I ± B| and ‖C⁻¹U‖²."""
    log_det, fit = 0.0, 0.0
    for i in range(size):
        for j in range(i):
            entry = sign * B[i, start + j]
            for k in range(j):
                entry -= factor[i, k] * np.conj(factor[j, k])
            factor[i, j] = entry / factor[j, j].real
        pivot = 1.0 + sign * B[i, start + i].real
        for k in range(i):
            pivot -= factor[i, k].real ** 2 + factor[i, k].imag ** 2
        # exact arithmetic keeps it positive
        pivot = max(pivot, SMALLEST_PIVOT)
        log_det += np.log(pivot)
        root = np.sqrt(pivot)
        factor[i, i] = root
        for m in range(U.shape[0]):
            entry = U[m, start + i]
            for k in range(i):
                entry -= factor[i, k] * whitened[k, m]
            entry /= root
            whitened[i, m] = entry
            fit += entry.real * entry.real + entry.imag * entry.imag
    return log_det, fit


@njit(**UNCOUNTED)
def solve_back(factor, size, whitened):
    """Turn C⁻¹U into (CCᴴ)⁻¹U in place."""
    for i in range(size - 1, -1, -1):
        for m in range(whitened.shape[1]):
            entry = whitened[i, m]
            for k in range(i + 1, size):
                entry -= np.conj(factor[k, i]) * whitened[k, m]
            whitened[i, m] = entry / factor[i, i].real


@njit(fastmath=REORDER, **UNCOUNTED)
def add_multiple(factor, row, turned, result):
    """Add factor·row to ``result``, given i·row too: as real numbers, side by side, they fill vector registers."""
    real, imag = factor.real, factor.imag
    for k in range(result.size):
        result[k] += real * row[k] + imag * turned[k]


@njit(fastmath=REORDER, **UNCOUNTED)
def add_two_rows(left, right, real, imag, result):
    """Add left·row_0 + right·row_1 of a matrix to a vector, all but the factors by their real and imaginary parts.

    Parts fill vector registers and are read once; two rows at a time, the result half as often.
    """
    a, b, c, d = left.real, left.imag, right.real, right.imag
    for k in range(result.shape[1]):
        result[0, k] += a * real[0, k] - b * imag[0, k] + c * real[1, k] - d * imag[1, k]
        result[1, k] += a * imag[0, k] + b * real[0, k] + c * imag[1, k] + d * real[1, k]


@njit(fastmath=REORDER, **UNCOUNTED)
def add_rows(scale, factors, matrix, sums):
    """Set ``sums`` to those of a matrix's rows, as real numbers, times the real and the imaginary parts of factors."""
    for k in range(sums.shape[1]):
        sums[0, k] = sums[1, k] = 0.0
    for j in range(factors.size):
        real, imag, row = scale * factors[j].real, scale * factors[j].imag, as_real(matrix[j])
        for k in range(row.size):
            sums[0, k] += real * row[k]
            sums[1, k] += imag * row[k]


@njit(**UNCOUNTED)
def update(model, Y, n, local, sign, state):
    """Put the rank-1 change of Σ by sign·a_n a_nᴴ into Σ⁻¹, U and B."""
    N, L = model.rows.shape
    column, sums, product, parts, turned = state.column, state.sums, state.product, state.parts, state.turned
    U, B = state.U, state.B
    scale = 1.0 / np.sqrt(max(1.0 + sign * B[local, n].real, SMALLEST_PIVOT))
    add_rows(scale, model.rows[n], state.inverse, sums)
    for i in range(L):
        column[i] = complex(sums[0, 2 * i] + sums[1, 2 * i + 1], sums[0, 2 * i + 1] - sums[1, 2 * i])
    for j in range(N):
        parts[0, j] = parts[1, j] = 0.0
    for i in range(0, L, 2):
        add_two_rows(np.conj(column[i]), np.conj(column[i + 1]), model.real[i : i + 2], model.imag[i : i + 2], parts)
    for j in range(N):
        product[j], turned[j] = complex(parts[0, j], parts[1, j]), complex(-parts[1, j], parts[0, j])
    for m in range(U.shape[0]):
        pull = 0.0j
        for i in range(L):
            pull -= sign * column[i] * Y[i, m]
        add_multiple(pull, as_real(product), as_real(turned), as_real(U[m]))
    for i in range(L):
        sums[0, 2 * i], sums[0, 2 * i + 1] = -column[i].imag, column[i].real
    for i in range(L):
        factor = -sign * np.conj(column[i])
        add_multiple(factor, as_real(column[:L]), sums[0], as_real(state.inverse[i]))
    if B.shape[0] == 1:
        for j in range(N):
            B[0, j] -= sign * (product[j].real ** 2 + product[j].imag ** 2)
    else:
        for g in range(state.active.size):
            start, size = model.first[g], model.first[g + 1] - model.first[g]
            for i in range(size):
                factor = sign * product[start + i]
                for j in range(size):
                    B[i, start + j] -= factor * np.conj(product[start + j])
    state.drift[0] += SMALLEST_PIVOT * model.power * squared_norm(column)


@njit(**UNCOUNTED)
def smallest_pivot(model, state):
    """Return the smallest 1 - q of the active devices."""
    least = 1.0
    for g in range(state.active.size):
        if state.active[g]:
            for n in range(model.first[g], model.first[g + 1]):
                least = min(least, 1.0 - state.B[n - model.first[g], n].real)
    return least


@njit(**UNCOUNTED)
def flip(model, Y, noise_var, g, state):
    """Change group g from silent to active or back."""
    sign = -1.0 if state.active[g] else 1.0
    for n in range(model.first[g], model.first[g + 1]):
        update(model, Y, n, n - model.first[g], sign, state)
    state.active[g] = not state.active[g]
    for other in range(model.couplings.shape[0]):
        state.log_odds[other] += sign * model.couplings[g, other]
    # an active device's 1 - q is at least 1/(1 + ‖a‖²/σ²): most flips need not look for the smallest
    if state.drift[0] * (1.0 + model.power / noise_var) > DRIFT and state.drift[0] > DRIFT * smallest_pivot(
        model, state
    ):
        rebuild(model, Y, noise_var, state)
