"""Binary activities one group at a time: the ratio of the likelihoods of active and silent, and what a flip changes.

Devices stand group by group; a device of its own is a group of one. With S = Σ⁻¹A_g, B = A_gᴴS and U = SᴴY the
log-likelihood of group g active over that of it silent, everything else as it is, is tr(Uᴴ(I ± B)⁻¹U) ∓ M log|I ± B|,
with the upper signs while g is silent and the lower ones while it is active. U and B of all groups are kept up to date:
a look at a group costs nothing that grows with L or N, and a flip a rank-1 update for each of its devices.

What single devices and groups do differently is in modules of their own.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import as_real, empty, zeros
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.products import matmul
from mmvsolvers.kernels.shared import COUNTED, REORDER, UNCOUNTED, real_inner, squared_norm

# Σ⁻¹ is built anew where rounding errors since the last time may have moved an active device's 1 - q by this fraction.
DRIFT = 1e-6
# I ± B is positive definite; rounding errors must not make it look otherwise.
SMALLEST_PIVOT = np.finfo(np.float64).eps

# What is done in another way with single devices than with groups. `rebuild` computes Σ⁻¹, U and B of the activity as
# it is and returns log|Σ|, `own` returns q_n = a_nᴴΣ⁻¹a_n, `update` puts a device's rank-1 change of Σ into all three,
# `judge` finds conditionals for a chain, and `settle` lets it count what its visits have found.
Kind = namedtuple("Kind", "rebuild own update judge settle")
# What T problems share: √g_n·a_nᵀ (N, L), the real and the imaginary part of its conjugate, (L, N) with a row of zeros
# below where L is odd, largest ‖a_n‖², the first device of every group and N behind (G + 1,), log ε/(1 - ε) of the
# groups (G,), couplings (N, N) or (0, 0), and what the log-likelihood ratio of complex data is multiplied by: 1, or ½
# for real data.
Model = namedtuple("Model", "kind rows real imag power first log_odds couplings weight")
# One problem: who is active (G,), the log-odds of the prior given the others (G,), Σ⁻¹ (L, L), the real and imaginary
# parts of U = AᴴΣ⁻¹Y in turn, (2M, N), the blocks B, those of group g in its columns of (K, N), or real (N,) of single
# devices, a rounding error (1,); then work space: (Σ⁻¹a_n)* of one device, with a zero below where L is odd, sums of
# Σ⁻¹'s rows (2, 2L), the real and the imaginary part of its product with all pilots (2, N), and what `judge` wants.
State = namedtuple("State", "active log_odds inverse U B drift column sums parts room")
# A chain: the state of its random numbers, what it sees of the log-likelihood, a sweep's random numbers; flips so far,
# and that at each group's last look (G,), the log-odds and probability found there, the visits since the last flip;
# what `judge` keeps to tell their conditional means; sums of probabilities (G,) and means (2M, N) over the visits.
# `level` holds the log-posterior and the log-likelihood, from silence, the sum of the log-posterior over the sweeps,
# and their number.
Chain = namedtuple(
    "Chain",
    "stream power draws flips seen odds probability visits kept total_probability total_mean level",
)


@njit()
def largest_power(rows):
    """Return the largest squared norm of a row."""
    power = 0.0
    for n in range(rows.shape[0]):
        power = max(power, squared_norm(rows[n]))
    return power


@njit()
def make_model(kind, rows, first, log_odds, couplings, weight):
    """Prepare what problems share."""
    N, L = rows.shape
    real, imag = zeros((L + L % 2, N)), zeros((L + L % 2, N))
    for i in range(L):
        for n in range(N):
            real[i, n], imag[i, n] = rows[n, i].real, -rows[n, i].imag
    return Model(kind, rows, real, imag, largest_power(rows), first, log_odds, couplings, weight)


@njit()
def make_state(model, M, B, room):
    """Allocate the state of one problem around B and the room that `judge` wants; nothing in it is set."""
    N, L = model.rows.shape
    G = model.first.size - 1
    dtype = model.rows.dtype
    return State(
        empty(G, np.bool_),
        empty(G),
        empty((L, L), dtype),
        empty((2 * M, N)),
        B,
        empty(1),
        zeros(L + L % 2, dtype),
        empty((2, 2 * L)),
        empty((2, N)),
        room,
    )


@njit()
def make_chain(model, power, M, kept):
    """Allocate a chain that sees the log-likelihood times ``power``, and averages M columns of X; a companion none."""
    G, N = model.first.size - 1, model.rows.shape[0]
    return Chain(
        zeros(1, np.uint64),
        power,
        empty(G),
        zeros(1, np.int64),
        zeros(G, np.int64),
        zeros(G),
        zeros(G),
        zeros(G),
        kept,
        zeros(G),
        zeros((2 * M, N)),
        zeros(4),
    )


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
    log_det = model.kind.rebuild(model, Y, noise_var, state)
    return log_prior, model.weight * log_likelihood(Y, noise_var, log_det, state.inverse)


@njit(**COUNTED)
def log_likelihood(Y, noise_var, log_det, inverse):
    """Return the log-likelihood of complex data over that of silence, M log|σ²Σ⁻¹| + ‖Y‖²/σ² - tr(YᴴΣ⁻¹Y)."""
    L, M = Y.shape
    fit, whitened = 0.0, matmul(inverse, Y)
    for i in range(L):
        fit += squared_norm(Y[i]) / noise_var - real_inner(Y[i], whitened[i])
    return M * (L * np.log(noise_var) - log_det) + fit


@njit(fastmath=REORDER, **UNCOUNTED)
def add_multiple(real, imag, row, turned, result):
    """Add a row times a complex number to ``result``, all as real numbers side by side, given i·row too."""
    for k in range(result.size):
        result[k] += real * row[k] + imag * turned[k]


@njit(fastmath=REORDER, **UNCOUNTED)
def add_row(real, imag, parts, result):
    """Add a row times a complex number to ``result``, both by their real and imaginary parts."""
    for k in range(result.shape[1]):
        result[0, k] += real * parts[0, k] - imag * parts[1, k]
        result[1, k] += real * parts[1, k] + imag * parts[0, k]


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
def spread(model, n, sign, q, state):
    """Put the rank-1 change of Σ by sign·a_n a_nᴴ into Σ⁻¹ and U; leave AᴴΣ⁻¹a_n/√(1 ± q_n) in the state's parts."""
    N, L = model.rows.shape
    column, sums, parts, U = state.column, state.sums, state.parts, state.U
    scale = 1.0 / np.sqrt(max(1.0 + sign * q, SMALLEST_PIVOT))
    add_rows(scale, model.rows[n], state.inverse, sums)
    for i in range(L):
        column[i] = complex(sums[0, 2 * i] + sums[1, 2 * i + 1], sums[0, 2 * i + 1] - sums[1, 2 * i])
    for j in range(N):
        parts[0, j] = parts[1, j] = 0.0
    for i in range(0, L, 2):
        add_two_rows(np.conj(column[i]), np.conj(column[i + 1]), model.real[i : i + 2], model.imag[i : i + 2], parts)
    # (Σ⁻¹a_n)ᴴY is the device's own U
    for m in range(0, U.shape[0], 2):
        add_row(-sign * scale * U[m, n], -sign * scale * U[m + 1, n], parts, U[m : m + 2])
    for i in range(L):
        sums[0, 2 * i], sums[0, 2 * i + 1] = -column[i].imag, column[i].real
    for i in range(L):
        real, imag = -sign * column[i].real, sign * column[i].imag
        add_multiple(real, imag, as_real(column[:L]), sums[0], as_real(state.inverse[i]))
    state.drift[0] += SMALLEST_PIVOT * model.power * squared_norm(column)


@njit(**UNCOUNTED)
def smallest_pivot(model, state):
    """Return the smallest 1 - q of the active devices."""
    least = 1.0
    for g in range(state.active.size):
        if state.active[g]:
            for n in range(model.first[g], model.first[g + 1]):
                least = min(least, 1.0 - model.kind.own(state, n, n - model.first[g]))
    return least


@njit(**UNCOUNTED)
def flip(model, Y, noise_var, g, state):
    """Change group g from silent to active or back."""
    sign = -1.0 if state.active[g] else 1.0
    for n in range(model.first[g], model.first[g + 1]):
        model.kind.update(model, n, n - model.first[g], sign, state)
    state.active[g] = not state.active[g]
    for other in range(model.couplings.shape[0]):
        state.log_odds[other] += sign * model.couplings[g, other]
    # an active device's 1 - q is at least 1/(1 + ‖a‖²/σ²): most flips need not look for the smallest
    if state.drift[0] * (1.0 + model.power / noise_var) > DRIFT and state.drift[0] > DRIFT * smallest_pivot(
        model, state
    ):
        model.kind.rebuild(model, Y, noise_var, state)
