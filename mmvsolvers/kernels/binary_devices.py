"""Binary activities of single devices, all by real and imaginary parts, which fill vector registers."""

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.binary import SMALLEST_PIVOT, Kind, make_chain, make_model, make_state, spread
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.elementary import exp, log
from mmvsolvers.kernels.map_cd import rebuild_inverse
from mmvsolvers.kernels.products import matmul
from mmvsolvers.kernels.shared import COUNTED, REORDER, UNCOUNTED, conjugated, real_inner


@njit(**COUNTED)
def rebuild(model, Y, noise_var, state):
    """Compute Σ⁻¹, U and q of the activity as it is; return log|Σ|."""
    value = zeros(model.rows.shape[0])
    for n in range(value.size):
        value[n] = 1.0 if state.active[n] else 0.0
    log_det, _ = rebuild_inverse(model.rows, noise_var, value, state.inverse)
    whitened = matmul(model.rows, conjugated(state.inverse))
    U = matmul(conjugated(whitened), Y)
    for n in range(U.shape[0]):
        state.B[n] = real_inner(model.rows[n], whitened[n])
        for m in range(U.shape[1]):
            state.U[2 * m, n], state.U[2 * m + 1, n] = U[n, m].real, U[n, m].imag
    state.drift[0] = 0.0
    return log_det


@njit(**UNCOUNTED)
def own(state, n, _):
    """Return q_n = a_nᴴΣ⁻¹a_n."""
    return state.B[n]


@njit(fastmath=REORDER, **UNCOUNTED)
def update(model, n, _, sign, state):
    """Put the rank-1 change of Σ by sign·a_n a_nᴴ into Σ⁻¹, U and q."""
    parts, q = state.parts, state.B
    spread(model, n, sign, q[n], state)
    for j in range(q.size):
        q[j] -= sign * (parts[0, j] * parts[0, j] + parts[1, j] * parts[1, j])


@njit(fastmath=REORDER, **UNCOUNTED)
def add_powers(real, imag, power):
    """Add the squared magnitudes of a vector, given by its parts."""
    for n in range(power.size):
        power[n] += real[n] * real[n] + imag[n] * imag[n]


@njit(fastmath=REORDER, **UNCOUNTED)
def weigh(active, q, M, weight, log_odds, odds, probability, share):
    """Turn ‖U‖² of single devices, in ``odds``, into log-odds; set probabilities, and E[x]/u."""
    # one loop each: those of many arrays do not run in vector registers
    for n in range(odds.size):
        share[n] = 1.0 / max(1.0 + (-q[n] if active[n] else q[n]), SMALLEST_PIVOT)
    for n in range(odds.size):
        odds[n] = weight * (odds[n] * share[n] + (-M if active[n] else M) * log(share[n])) + log_odds[n]
    for n in range(odds.size):
        probability[n] = 1.0 / (1.0 + exp(-odds[n]))
    for n in range(odds.size):
        share[n] = probability[n] * (1.0 if active[n] else share[n])


@njit(**UNCOUNTED)
def judge(model, start, stop, state, chain):
    """Find the conditionals of the devices in [start, stop)."""
    U, odds = state.U, chain.odds[start:stop]
    for n in range(odds.size):
        odds[n] = 0.0
    for m in range(0, U.shape[0], 2):
        add_powers(U[m, start:stop], U[m + 1, start:stop], odds)
    weight, q, active, log_odds = (
        chain.power * model.weight,
        state.B[start:stop],
        state.active[start:stop],
        state.log_odds[start:stop],
    )
    probability, share = chain.probability[start:stop], chain.kept[start:stop]
    weigh(active, q, U.shape[0] // 2, weight, log_odds, odds, probability, share)


@njit(fastmath=REORDER, **UNCOUNTED)
def count(visits, probability, share, total_probability):
    """Count probabilities as often as they were visited; turn ``share`` into that times visits, and forget these."""
    for n in range(visits.size):
        total_probability[n] += visits[n] * probability[n]
        share[n] *= visits[n]
        visits[n] = 0.0


@njit(fastmath=REORDER, **UNCOUNTED)
def settle(_, state, chain):
    """Count what the visits since the last flip have found, and be done with all conditionals."""
    share, U, total = chain.kept, state.U, chain.total_mean
    count(chain.visits, chain.probability, share, chain.total_probability)
    for m in range(total.shape[0]):
        for n in range(share.size):
            total[m, n] += share[n] * U[m, n]


@njit()
def device_model(rows, first, log_odds, couplings, weight):
    """Prepare what problems of single devices share."""
    return make_model(Kind(rebuild, own, update, judge, settle), rows, first, log_odds, couplings, weight)


@njit()
def device_state(model, M):
    """Allocate the state of a problem of single devices."""
    return make_state(model, M, empty(model.rows.shape[0]), None)


@njit()
def device_chain(model, power, M):
    """Allocate a chain of single devices, which keeps what of U their conditional means are."""
    return make_chain(model, power, M, empty(model.rows.shape[0]))
