"""Coordinate descent on the (regularised) Gaussian likelihood of the received covariance: ML and MAP.

ML is MAP with a flat prior (``log_odds = 0``) and no upper bound. The iterates are those of the textbook recursion,
a rank-1 update of Σ⁻¹ for every device that moves, up to rounding. Two things make it fast:

* Devices are visited in blocks, unless pilots are very short. One product gives the block's rows a_nᴴΣ⁻¹, the devices
  then move one after the other, correcting the rows of those still to come, and one product puts all their rank-1
  updates into Σ⁻¹.
* A silent device is skipped where it provably stays silent. The gradient of a device depends on Σ⁻¹ alone, and how far
  Σ⁻¹ has moved since the device was last visited is bounded by the sum of the norms of the rank-1 updates.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.inverses import invert
from mmvsolvers.kernels.products import blas_product, matmul, matmul_into, subtract_product
from mmvsolvers.kernels.shared import (
    UNCOUNTED,
    ascending,
    combine,
    conjugated,
    copy_into,
    everyone,
    filled,
    positive,
    real_inner,
    row_norms,
    squared_norm,
    subtract_outer,
)

# Devices a block: products want many, the corrections inside a block cost its square. While nobody moves there are no
# corrections, and blocks grow to the largest.
BLOCK, LARGEST_BLOCK = 32, 128
# Where pilots are shorter than this, devices are quicker visited one by one.
SHORT = 48
# Every rank-1 update leaves a rounding error of its own norm times the machine precision in Σ⁻¹. Before a full sweep,
# Σ⁻¹ is built anew where the errors since the last time may add more than this to an active device's scaled step; in a
# run to tolerance, whose path is free, more than this fraction of the last full sweep's largest one, if it is below 1.
STEP_ERROR = 1e-3
STEP_ERROR_FRACTION = 0.1
# A run to tolerance sweeps, between two full sweeps, over the likely devices alone: those active, and those whose last
# r came this close to q (a device becomes active where r > q). They are swept until their steps are this much smaller
# than the full sweep's were.
LIKELY_RATIO = 0.9
LIKELY_REDUCTION = 0.1
LIKELY_SWEEPS = 20
# It gives up after this many full sweeps without a new smallest step: the precision is exhausted.
STALL = 15
# Σ is formed where its rounding errors are at most this fraction of the noise.
ROUNDING = 1e-6
EPS = np.finfo(np.float64).eps

# One problem's prior: real, (N,) each.
Prior = namedtuple("Prior", "log_odds upper")
# One problem's iterate. `q`, `root_r`, `seen` and `seen_y` are what a device's last visit found, (N,) each;
# `moved[0]` sums the norms of Σ⁻¹'s updates, `moved[1]` those of Σ⁻¹Y's divided by √M.
State = namedtuple("State", "inverse value q root_r seen seen_y moved")
# A block at work: positions of its devices in the visiting order, conjugate pilots, a_nᴴΣ⁻¹, a_nᴴΣ⁻¹Y, scaled rows, and
# factors of one device's row in all others.
Scratch = namedtuple("Scratch", "positions conjugate rows correlations scaled factors")


@njit()
def coordinate_step(q, r, value, log_odds, upper):
    """Return the step d to the exact minimum of log(1 + dq) - rd/(1 + dq) - log_odds·d over the admissible d."""
    if not q > 0.0:
        # only rounding errors make it so: wait until Σ⁻¹ is built anew
        return 0.0 * q
    if log_odds == 0.0:
        return min(max((r - q) / (q * q), -value), upper - value)
    discriminant = q * q - 4.0 * log_odds * r
    if discriminant < 0.0:
        # Only where log_odds > 0: the objective falls all the way to the bound.
        return upper - value
    u = 2.0 * r / (q + np.sqrt(discriminant))
    d = min(max((u - 1.0) / q, -value), upper - value)
    if log_odds > 0.0:
        bound = upper - value
        u, u_bound = 1.0 + d * q, 1.0 + bound * q
        if np.log(u_bound / u) + r / q * (1.0 / u_bound - 1.0 / u) - log_odds * (bound - d) < 0.0:
            return bound
    return d


@njit()
def prior_in(unit, log_odds, upper):
    """Return the prior of a problem, one of whose ``value`` is worth ``unit``."""
    prior = Prior(empty(log_odds.shape, log_odds.dtype), empty(upper.shape, upper.dtype))
    for n in range(upper.size):
        prior.log_odds[n] = log_odds[n] * unit
        prior.upper[n] = upper[n] / unit
    return prior


@njit(**UNCOUNTED)
def stays_silent(n, column_norms, prior, state):
    """Tell whether device n, silent now, provably has no reason to move."""
    if state.value[n] > 0.0 or prior.log_odds[n] > 0.0:
        return False
    q = state.q[n] - column_norms[n] * column_norms[n] * (state.moved[0] - state.seen[n])
    root_r = state.root_r[n] + column_norms[n] * (state.moved[1] - state.seen_y[n])
    return q - prior.log_odds[n] > root_r * root_r


@njit(**UNCOUNTED)
def first_restless(devices, start, stop, column_norms, prior, state):
    """Return the first position in [start, stop) whose device may move, or ``stop``."""
    for position in range(start, stop):
        if not stays_silent(devices[position], column_norms, prior, state):
            return position
    return stop


@njit(**UNCOUNTED)
def load_block(AT, Y, column_norms, devices, start, most, prior, state, scratch):
    """Gather the next devices that may move, at most ``most``, with a_nᴴΣ⁻¹ and a_nᴴΣ⁻¹Y; return how many."""
    L = AT.shape[1]
    count = 0
    position = first_restless(devices, start, devices.size, column_norms, prior, state)
    while position < devices.size and count < most:
        scratch.positions[count] = position
        for i in range(L):
            scratch.conjugate[count, i] = np.conj(AT[devices[position], i])
        count += 1
        position = first_restless(devices, position + 1, devices.size, column_norms, prior, state)
    scratch.positions[count] = position
    matmul_into(scratch.rows[:count], scratch.conjugate[:count], state.inverse)
    matmul_into(scratch.correlations[:count], scratch.rows[:count], Y)
    for k in range(count):
        state.q[devices[scratch.positions[k]]] = real_inner(scratch.conjugate[k], scratch.rows[k])
    return count


@njit(**UNCOUNTED)
def correct_rows(AT, devices, k, count, c, state, scratch):
    """Carry the rank-1 update of the block's k-th device into the rows of those after it."""
    rows, correlations = scratch.rows, scratch.correlations
    factors = scratch.factors[: count - k - 1]
    if factors.size:
        blas_product(rows[k + 1 : count], AT[devices[scratch.positions[k]]], factors)
    for i in range(factors.size):
        p = factors[i]
        state.q[devices[scratch.positions[k + 1 + i]]] -= c * (p.real * p.real + p.imag * p.imag)
        factors[i] = c * p
    subtract_outer(correlations[k + 1 : count], factors, correlations[k])
    subtract_outer(rows[k + 1 : count], factors, rows[k])


@njit(**UNCOUNTED)
def move(n, row, r, prior, state):
    """Move device n, whose a_nᴴΣ⁻¹ is ``row``, to its coordinate minimum; return d, |d|q, and c: Σ⁻¹ -= c·rowᴴrow."""
    q = state.q[n]
    d = coordinate_step(q, r, state.value[n], prior.log_odds[n], prior.upper[n])
    u = max(1.0 + d * q, np.finfo(state.value.dtype).eps)
    # not in double precision, which would slow all that it multiplies
    c = state.value.dtype.type(d / u)
    if d != 0.0:
        # at the bound to the bit, by which derivatives know that it ended there
        state.value[n] = prior.upper[n] if d == prior.upper[n] - state.value[n] else state.value[n] + d
        square = squared_norm(row)
        state.moved[0] += abs(c) * square
        state.moved[1] += abs(c) * np.sqrt(square * r)
    state.q[n] = q / u
    state.root_r[n] = np.sqrt(r) / u
    state.seen[n], state.seen_y[n] = state.moved[0], state.moved[1]
    return d, abs(d) * q, c


@njit(**UNCOUNTED)
def visit(AT, devices, k, count, n_moved, prior, state, scratch):
    """Move the block's k-th device; return the step d and the scaled step |d|q."""
    row = scratch.rows[k]
    r = squared_norm(scratch.correlations[k]) / scratch.correlations.shape[1]
    d, scaled_step, c = move(devices[scratch.positions[k]], row, r, prior, state)
    if d != 0.0:
        correct_rows(AT, devices, k, count, c, state, scratch)
        for i in range(row.size):
            scratch.scaled[n_moved, i] = c * np.conj(row[i])
            scratch.rows[n_moved, i] = row[i]
    return d, scaled_step


@njit(**UNCOUNTED)
def block_sweep(AT, Y, column_norms, devices, prior, state, scratch):
    """Visit ``devices`` in order, a block at a time; return the largest scaled step |d|q."""
    largest = 0.0
    position = 0
    most = BLOCK
    while position < devices.size and not interrupted():
        count = load_block(AT, Y, column_norms, devices, position, most, prior, state, scratch)
        n_moved = 0
        for k in range(count + 1):
            # Skipped devices were judged before this block's updates. If one of them may move after all, the block
            # ends here and the next one begins with it.
            stop = scratch.positions[k]
            position = first_restless(devices, position, stop, column_norms, prior, state)
            if position < stop or k == count:
                break
            d, step = visit(AT, devices, k, count, n_moved, prior, state, scratch)
            largest = max(largest, step)
            if d != 0.0:
                n_moved += 1
            position += 1
        most = BLOCK if n_moved else min(2 * most, LARGEST_BLOCK)
        if n_moved:
            subtract_product(state.inverse, scratch.scaled[:n_moved].T, scratch.rows[:n_moved])
    return largest


@njit(**UNCOUNTED)
def single_sweep(AT, Y, column_norms, devices, prior, state, scratch):
    """Visit ``devices`` in order, one by one; return the largest scaled step |d|q."""
    largest = 0.0
    conjugate, row, correlation = scratch.conjugate[0], scratch.rows[0], scratch.correlations[0]
    for n in devices:
        if stays_silent(n, column_norms, prior, state):
            continue
        for i in range(row.size):
            conjugate[i] = np.conj(AT[n, i])
        combine(conjugate, state.inverse, row)
        combine(row, Y, correlation)
        state.q[n] = real_inner(conjugate, row)
        d, scaled_step, c = move(n, row, squared_norm(correlation) / correlation.size, prior, state)
        largest = max(largest, scaled_step)
        if d != 0.0:
            for i in range(row.size):
                conjugate[i] = c * np.conj(row[i])
            subtract_outer(state.inverse, conjugate, row)
    return largest


@njit(**UNCOUNTED)
def sweep(AT, Y, column_norms, devices, prior, state, scratch):
    """Visit ``devices`` in order, skipping those that provably stay silent; return the largest scaled step |d|q."""
    if AT.shape[1] < SHORT:
        return single_sweep(AT, Y, column_norms, devices, prior, state, scratch)
    return block_sweep(AT, Y, column_norms, devices, prior, state, scratch)


@njit(**UNCOUNTED)
def stationarity(AT, Y, column_norms, devices, prior, state, scratch):
    """Return the largest scaled step |d|q that any device would make from here."""
    largest = 0.0
    position = 0
    while position < devices.size and not interrupted():
        count = load_block(AT, Y, column_norms, devices, position, LARGEST_BLOCK, prior, state, scratch)
        for k in range(count):
            n = devices[scratch.positions[k]]
            r = squared_norm(scratch.correlations[k]) / Y.shape[1]
            d = coordinate_step(state.q[n], r, state.value[n], prior.log_odds[n], prior.upper[n])
            largest = max(largest, abs(d) * state.q[n])
        position = scratch.positions[count]
    return largest


@njit()
def weighted_rows(AT, value):
    """Return the rows a_nᵀ√value_n of the active devices, in double precision."""
    active = positive(value)
    rows = empty((active.size, AT.shape[1]), np.complex128)
    for k in range(active.size):
        root = np.sqrt(np.float64(value[active[k]]))
        for i in range(AT.shape[1]):
            rows[k, i] = AT[active[k], i] * root
    return rows


@njit()
def rebuild_inverse(AT, noise_var, value, inverse):
    """Set ``inverse`` to Σ⁻¹ = (AΓAᴴ + σ²I)⁻¹, computed in double precision; return log|Σ| and whether Σ was formed.

    Where the noise is lost in the rounding errors of Σ, Σ⁻¹ comes from a whitener of it instead.
    """
    rows = weighted_rows(AT, value)
    covariance = matmul(rows.T, conjugated(rows))
    power = 0.0
    for i in range(AT.shape[1]):
        power += covariance[i, i].real
        covariance[i, i] += noise_var
    sound = power * EPS < ROUNDING * noise_var
    # not where there is anything to overflow
    if sound:
        log_det = invert(covariance)
    else:
        root, log_det = whitener(rows, noise_var)
        covariance = matmul(conjugated(root).T, root)
    copy_into(inverse, covariance)
    return log_det, sound


@njit()
def set_inverse(AT, noise_var, value, inverse):
    """Set ``inverse`` to Σ⁻¹ at the start, which is I/σ² where all devices are silent."""
    for n in range(value.size):
        if value[n] > 0.0:
            rebuild_inverse(AT, noise_var, value, inverse)
            return
    for i in range(inverse.shape[0]):
        for j in range(inverse.shape[0]):
            inverse[i, j] = (i == j) / noise_var


@njit()
def whitener(rows, noise_var):
    """Return W, lower triangular, with WΣWᴴ = I for Σ = Σ_k rows_kᵀ rows_k* + σ²I, and log|Σ|, without ever forming Σ.

    Rotations put one row after the other into a triangular root of Σ, so that the rounding errors are those of the
    root, whose condition number is the root of Σ's. The rows are overwritten.
    """
    L = rows.shape[1]
    root = zeros((L, L), rows.dtype)
    for i in range(L):
        root[i, i] = np.sqrt(noise_var)
    for k in range(rows.shape[0]):
        if interrupted():
            break
        x = rows[k]
        for i in range(L):
            diagonal = root[i, i].real
            length = np.sqrt(diagonal * diagonal + x[i].real * x[i].real + x[i].imag * x[i].imag)
            cosine, sine = diagonal / length, x[i] * (1.0 / length)
            for j in range(i, L):
                kept = root[j, i]
                root[j, i] = cosine * kept + np.conj(sine) * x[j]
                x[j] = cosine * x[j] - sine * kept
    inverse, log_det = zeros((L, L), rows.dtype), 0.0
    for i in range(L):
        inverse[i, i] = 1.0 / root[i, i].real
        log_det += 2.0 * np.log(root[i, i].real)
        for j in range(i):
            for k in range(j + 1):
                inverse[i, k] -= root[i, j] * inverse[j, k]
        for k in range(i):
            inverse[i, k] *= inverse[i, i].real
    return inverse, log_det


@njit()
def objective(Y, log_det, value, prior, inverse):
    """Return log|Σ| + tr(Σ⁻¹YYᴴ)/M - log_odds·value, the regularised negative log-likelihood up to a constant."""
    fit, whitened = 0.0, matmul(inverse, Y)
    for i in range(Y.shape[0]):
        fit += real_inner(Y[i], whitened[i])
    return log_det + fit / Y.shape[1] - real_inner(prior.log_odds, value)


@njit()
def whitened_judgement(AT, Y, noise_var, value, prior):
    """Return the objective and the largest scaled step left, where Σ may not be trusted: see `whitener`."""
    root, log_det = whitener(weighted_rows(AT, value), noise_var)
    double = empty(Y.shape, np.complex128)
    copy_into(double, Y)
    received = matmul(root, double)
    fit, largest = 0.0, 0.0
    for i in range(Y.shape[0]):
        fit += squared_norm(received[i])
    pilot, correlation = empty(Y.shape[0], root.dtype), empty(Y.shape[1], root.dtype)
    for n in range(value.size):
        if interrupted():
            break
        for i in range(pilot.size):
            pilot[i] = 0.0
            for j in range(i + 1):
                pilot[i] += root[i, j] * AT[n, j]
        for m in range(correlation.size):
            correlation[m] = 0.0
            for i in range(pilot.size):
                correlation[m] += np.conj(received[i, m]) * pilot[i]
        q, r = squared_norm(pilot), squared_norm(correlation) / correlation.size
        d = coordinate_step(q, r, float(value[n]), float(prior.log_odds[n]), float(prior.upper[n]))
        largest = max(largest, abs(d) * q)
    return log_det + fit / Y.shape[1] - real_inner(prior.log_odds, value), largest


@njit(**UNCOUNTED)
def step_error(column_norms, state, rebuilt_at):
    """Bound what the rounding errors in Σ⁻¹, built at ``rebuilt_at`` of its path, add to an active device's |d|q."""
    worst = 0.0
    for n in range(state.value.size):
        if state.value[n] > 0.0:
            power = column_norms[n] * column_norms[n]
            worst = max(worst, power / state.q[n]) if state.q[n] > 0.0 else np.inf
    error = np.finfo(state.value.dtype).eps * (state.moved[0] - rebuilt_at)
    return error * worst if error > 0.0 else 0.0


@njit()
def likeliest_first(AT, Y, column_norms):
    """Order the devices by their matched filter: fewer sweeps, and an answer free of the devices' numbering."""
    score = empty(AT.shape[0], column_norms.dtype)
    # the norms of a_nᵀY* are those of a_nᴴY
    matched = matmul(AT, conjugated(Y))
    for n in range(score.size):
        score[n] = -squared_norm(matched[n]) / (column_norms[n] * column_norms[n])
    return ascending(score)


@njit()
def likely_first(order, state):
    """Return ``order`` with the devices first that are active or nearly so, and their number."""
    arranged, rest = empty(order.size, np.int64), empty(order.size, np.int64)
    likely = 0
    for k in range(order.size):
        n = order[k]
        root_r = np.float64(state.root_r[n])
        if state.value[n] > 0.0 or root_r * root_r > LIKELY_RATIO * state.q[n]:
            arranged[likely] = n
            likely += 1
        else:
            rest[k - likely] = n
    for k in range(order.size - likely):
        arranged[likely + k] = rest[k]
    return arranged, likely


@njit()
def workspace(AT, M, value):
    """Allocate what sweeps over one problem's ``value`` (N,) work with; the inverse is not built yet."""
    N, L = AT.shape
    state = State(
        inverse=empty((L, L), AT.dtype),
        value=value,
        q=zeros(N, value.dtype),
        root_r=filled(N, np.inf, value.dtype),
        seen=zeros(N),
        seen_y=zeros(N),
        moved=zeros(2),
    )
    block = min(LARGEST_BLOCK, N)
    scratch = Scratch(
        positions=empty(block + 1, np.int64),
        conjugate=empty((block, L), AT.dtype),
        rows=empty((block, L), AT.dtype),
        correlations=empty((block, M), AT.dtype),
        scaled=empty((block, L), AT.dtype),
        factors=empty(block, AT.dtype),
    )
    return state, scratch


@njit()
def solve(AT, Y, noise_var, column_norms, prior, max_iter, tol, value):
    """Solve one problem from ``value`` (N,), in place; return objective, optimality and sweeps done."""
    state, scratch = workspace(AT, Y.shape[1], value)
    order = everyone(value.size) if tol == 0.0 else likeliest_first(AT, Y, column_norms)
    done, stalled = 0, 0
    optimality, largest, smallest, rebuilt_at = np.inf, np.inf, np.inf, 0.0
    set_inverse(AT, noise_var, value, state.inverse)
    while optimality > tol and done < max_iter and stalled < STALL:
        error = step_error(column_norms, state, rebuilt_at)
        if error > STEP_ERROR and (tol == 0.0 or error > STEP_ERROR_FRACTION * min(largest, 1.0)):
            rebuild_inverse(AT, noise_var, state.value, state.inverse)
            rebuilt_at = state.moved[0]
        largest = sweep(AT, Y, column_norms, order, prior, state, scratch)
        if interrupted():
            return np.inf, np.inf, done
        done += 1
        stalled = 0 if largest < smallest or tol == 0.0 else stalled + 1
        smallest = min(largest, smallest)
        if largest <= tol or done == max_iter or stalled == STALL:
            log_det, sound = rebuild_inverse(AT, noise_var, state.value, state.inverse)
            optimality = stationarity(AT, Y, column_norms, order, prior, state, scratch)
        elif tol > 0.0:
            enough = max(LIKELY_REDUCTION * largest, 0.5 * tol)
            for _ in range(min(LIKELY_SWEEPS, max_iter - 1 - done)):
                done += 1
                order, n_likely = likely_first(order, state)
                if sweep(AT, Y, column_norms, order[:n_likely], prior, state, scratch) <= enough:
                    break
    if sound:
        value_there = objective(Y, log_det, state.value, prior, state.inverse)
    else:
        value_there, optimality = whitened_judgement(AT, Y, noise_var, state.value, prior)
    return value_there, optimality, done


@entry()
def judge(AT, Y, noise_var, log_odds, upper, value):
    """Return objective and optimality of one problem, in double precision; see `whitened_judgement`."""
    return whitened_judgement(AT, Y, noise_var, value, Prior(log_odds, upper))


@entry()
def solve_batch(AT, Y, noise_var, log_odds, upper, unit, max_iter, tol, value):
    """Solve T problems, from ``value`` (T, N), in place.

    AT is (N, L), Y (T, L, M), noise_var (T,), log_odds and upper (N,), unit what one ``value`` is worth in them (T,).
    Returns objective (T,), optimality (T,) and n_iter (T,).
    """
    T = Y.shape[0]
    objectives = empty(T, noise_var.dtype)
    optimality = empty(T, noise_var.dtype)
    n_iter = empty(T, np.int64)
    column_norms = row_norms(AT)
    for t in range(T):
        if interrupted():
            break
        prior = prior_in(unit[t], log_odds, upper)
        objectives[t], optimality[t], n_iter[t] = solve(
            AT, Y[t], noise_var[t], column_norms, prior, max_iter, tol, value[t]
        )
    return objectives, optimality, n_iter
