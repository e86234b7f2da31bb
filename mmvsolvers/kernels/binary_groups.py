"""Binary activities of groups of devices that are active together."""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.binary import SMALLEST_PIVOT, Kind, make_chain, make_model, make_state, spread
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.elementary import exp
from mmvsolvers.kernels.map_cd import rebuild_inverse
from mmvsolvers.kernels.products import matmul
from mmvsolvers.kernels.shared import COUNTED, UNCOUNTED, conjugated

# One group's factor (K, K) and whitened U (K, M), for groups of at most K devices.
Room = namedtuple("Room", "factor whitened")
# Conditional means of groups of less than this probability are left out.
NEGLIGIBLE = 1e-9


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
            state.U[2 * m, n], state.U[2 * m + 1, n] = U[n, m].real, U[n, m].imag
    for g in range(state.active.size):
        start, stop = model.first[g], model.first[g + 1]
        B = matmul(products[start:stop], model.rows[start:stop].T)
        for i in range(stop - start):
            for j in range(stop - start):
                state.B[i, start + j] = B[i, j]
    state.drift[0] = 0.0
    return log_det


@njit(**UNCOUNTED)
def own(state, n, local):
    """Return q_n = a_nᴴΣ⁻¹a_n of a group's device."""
    return state.B[local, n].real


@njit(**UNCOUNTED)
def update(model, n, local, sign, state):
    """Put the rank-1 change of Σ by sign·a_n a_nᴴ into Σ⁻¹, U and B."""
    parts, B = state.parts, state.B
    spread(model, n, sign, B[local, n].real, state)
    for g in range(state.active.size):
        start, size = model.first[g], model.first[g + 1] - model.first[g]
        for i in range(size):
            factor = sign * complex(parts[0, start + i], parts[1, start + i])
            for j in range(size):
                B[i, start + j] -= factor * complex(parts[0, start + j], -parts[1, start + j])


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
        for m in range(whitened.shape[1]):
            entry = complex(U[2 * m, start + i], U[2 * m + 1, start + i])
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


@njit(**UNCOUNTED)
def put_mean(model, g, state, chain):
    """Put the conditional mean of a group into the chain, of one whose U is whitened."""
    start, size, P = model.first[g], model.first[g + 1] - model.first[g], chain.probability[g]
    whitened, mean = state.room.whitened, chain.kept
    if not state.active[g]:
        solve_back(state.room.factor, size, whitened)
    for m in range(0, mean.shape[0], 2):
        for i in range(size):
            if state.active[g]:
                real, imag = state.U[m, start + i], state.U[m + 1, start + i]
            else:
                real, imag = whitened[i, m // 2].real, whitened[i, m // 2].imag
            mean[m, start + i], mean[m + 1, start + i] = P * real, P * imag


@njit(**UNCOUNTED)
def judge(model, start, stop, state, chain):
    """Find the conditionals of the groups in [start, stop)."""
    room, weight = state.room, chain.power * model.weight
    for g in range(start, stop):
        if chain.seen[g] != chain.flips[0]:
            size, sign = model.first[g + 1] - model.first[g], -1.0 if state.active[g] else 1.0
            log_det, fit = whiten(state.B, state.U, model.first[g], size, sign, room.factor, room.whitened)
            chain.odds[g] = weight * (fit - sign * room.whitened.shape[1] * log_det) + state.log_odds[g]
            chain.probability[g] = 1.0 / (1.0 + exp(-chain.odds[g]))
            if chain.probability[g] > NEGLIGIBLE:
                put_mean(model, g, state, chain)


@njit(**UNCOUNTED)
def settle(model, _, chain):
    """Count what the visits since the last flip have found."""
    visits, probability, mean, total = chain.visits, chain.probability, chain.kept, chain.total_mean
    for g in range(visits.size):
        if visits[g] > 0.0 and probability[g] > NEGLIGIBLE:
            for m in range(total.shape[0]):
                for n in range(model.first[g], model.first[g + 1]):
                    total[m, n] += visits[g] * mean[m, n]
        chain.total_probability[g] += visits[g] * probability[g]
        visits[g] = 0.0


@njit()
def group_model(rows, first, log_odds, couplings, weight):
    """Prepare what problems of groups share."""
    return make_model(Kind(rebuild, own, update, judge, settle), rows, first, log_odds, couplings, weight)


@njit()
def group_state(model, M):
    """Allocate the state of a problem of groups."""
    K = 0
    for g in range(model.first.size - 1):
        K = max(K, model.first[g + 1] - model.first[g])
    N, dtype = model.rows.shape[0], model.rows.dtype
    return make_state(model, M, empty((K, N), dtype), Room(empty((K, K), dtype), empty((K, M), dtype)))


@njit()
def group_chain(model, power, M):
    """Allocate a chain of groups, which keeps their conditional means, real and imaginary parts in turn."""
    return make_chain(model, power, M, empty((2 * M, model.rows.shape[0])))
