"""Block coordinate descent for GROUP LASSO: one device, that is one row of X, at a time.

The iterates are those of the textbook recursion up to rounding. Devices are visited in blocks: one product gives a_nᴴR
for the block, the devices then move one after the other, correcting the products of those still to come, and one
product brings the residual up to date. A silent device is skipped where it provably stays silent: its a_nᴴR has moved
by no more than ‖a_n‖ times the length of the residual's path since its last visit.

A run to tolerance sweeps over working sets, with Anderson extrapolation (Bertrand, Massias, "Anderson acceleration of
coordinate descent", AISTATS 2021), and checks the duality gap over all devices between two sets.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.products import matmul, matmul_into, subtract_product
from mmvsolvers.kernels.shared import (
    COUNTED,
    UNCOUNTED,
    ascending,
    copy_into,
    everyone,
    filled,
    gather_rows,
    positive,
    real_inner,
    row_norms,
    scatter_rows,
    squared_norm,
    subtract,
)

# Devices a block: products want many, the corrections inside a block cost its square.
BLOCK = 32
# Where the residual has fewer entries than this, L times M, devices are quicker visited one by one.
FEW_ENTRIES = 1000
# A working set has at least this many devices, and at least this many times the active ones.
SMALLEST_SET = 16
GROWTH = 2
# It is swept until its own gap is this fraction of the gap over all devices, or half the tolerance.
INNER_REDUCTION = 0.1
# Anderson extrapolation combines the changes of this many successive sweeps.
DEPTH = 5
TINY = np.finfo(np.float64).tiny

# The pilots of N devices: rows a_nᵀ and a_nᴴ (N, L), ‖a_n‖ (N,), and the Gram matrices of the blocks (N, BLOCK).
Pilots = namedtuple("Pilots", "rows conjugate norms gram")
# The iterate: X (N, M), R = Y - AX (L, M), ‖a_nᴴR‖ and the length of the residual's path at a device's last visit
# (N,), and that length now (1,).
State = namedtuple("State", "X R correlation seen moved")
# A block at work: its devices, a_nᴴ, a_nᵀ, a_nᴴR, and the changes of X.
Scratch = namedtuple("Scratch", "devices conjugate rows correlations change")


@njit()
def block_grams(rows, conjugate):
    """Return the Gram matrices of the consecutive blocks, one under the other: (W, BLOCK)."""
    W = rows.shape[0]
    gram = zeros((W, BLOCK), rows.dtype)
    for start in range(0, W, BLOCK):
        stop = min(start + BLOCK, W)
        product = matmul(conjugate[start:stop], rows[start:stop].T)
        for k in range(stop - start):
            for j in range(stop - start):
                gram[start + k, j] = product[k, j]
    return gram


@njit()
def choose_pilots(pilots, devices):
    """Copy the pilots of ``devices``."""
    rows, conjugate = gather_rows(pilots.rows, devices), gather_rows(pilots.conjugate, devices)
    return Pilots(rows, conjugate, row_norms(rows), block_grams(rows, conjugate))


@njit(**UNCOUNTED)
def first_restless(pilots, start, stop, lam, state):
    """Return the first device in [start, stop) that may move, or ``stop``."""
    for n in range(start, stop):
        if state.correlation[n] + pilots.norms[n] * (state.moved[0] - state.seen[n]) >= lam:
            return n
    return stop


@njit(**UNCOUNTED)
def load_block(pilots, start, stop, lam, state, scratch):
    """Gather the devices of a block that may move, with their a_nᴴR; return how many."""
    count = 0
    n = first_restless(pilots, start, stop, lam, state)
    while n < stop:
        scratch.devices[count] = n
        for i in range(pilots.rows.shape[1]):
            scratch.conjugate[count, i] = pilots.conjugate[n, i]
            scratch.rows[count, i] = pilots.rows[n, i]
        count += 1
        n = first_restless(pilots, n + 1, stop, lam, state)
    scratch.devices[count] = stop
    if count:
        matmul_into(scratch.correlations[:count], scratch.conjugate[:count], state.R)
    return count


@njit(**UNCOUNTED)
def threshold_row(t, lam, scale, row, change):
    """Set ``row`` to max(1 - λ/‖t‖, 0)·t·scale and ``change`` to what that changes; return ‖change‖ and ‖t‖."""
    length = np.sqrt(squared_norm(t))
    factor = scale * (1.0 - lam / length) if length > lam else 0.0 * scale
    for m in range(t.size):
        new = factor * t[m]
        change[m] = new - row[m]
        row[m] = new
    return np.sqrt(squared_norm(change)), length


@njit(**UNCOUNTED)
def visit(pilots, k, count, lam, state, scratch):
    """Minimise over the row of X of the block's k-th device, and correct a_nᴴR of those after it."""
    n = scratch.devices[k]
    t, change = scratch.correlations[k], scratch.change[k]
    square = pilots.norms[n] * pilots.norms[n]
    for m in range(t.size):
        t[m] += square * state.X[n, m]
    moved, length = threshold_row(t, lam, 1.0 / square, state.X[n], change)
    # after its visit ‖a_nᴴR‖ is λ for an active device and ‖t‖ ≤ λ for a silent one
    state.correlation[n] = min(length, lam)
    if moved > 0.0:
        state.moved[0] += pilots.norms[n] * moved
        for i in range(k + 1, count):
            g = pilots.gram[scratch.devices[i], n % BLOCK]
            for m in range(t.size):
                scratch.correlations[i, m] -= g * change[m]
    state.seen[n] = state.moved[0]


@njit(**UNCOUNTED)
def single_sweep(pilots, lam, state, scratch):
    """Visit every device of ``pilots`` once, in order, with the residual brought up to date after each."""
    rows, conjugate, norms = pilots.rows, pilots.conjugate, pilots.norms
    X, R, correlation, seen = state.X, state.R, state.correlation, state.seen
    t, change = scratch.correlations[0], scratch.change[0]
    L, M = R.shape
    path = state.moved[0]
    for n in range(norms.size):
        if correlation[n] + norms[n] * (path - seen[n]) < lam:
            continue
        square = norms[n] * norms[n]
        for m in range(M):
            t[m] = square * X[n, m]
        for i in range(L):
            factor = conjugate[n, i]
            for m in range(M):
                t[m] += factor * R[i, m]
        moved, length = threshold_row(t, lam, 1.0 / square, X[n], change)
        correlation[n] = min(length, lam)
        if moved > 0.0:
            path += norms[n] * moved
            for i in range(L):
                factor = rows[n, i]
                for m in range(M):
                    R[i, m] -= factor * change[m]
        seen[n] = path
    state.moved[0] = path


@njit(**UNCOUNTED)
def block_sweep(pilots, lam, state, scratch):
    """Visit every device of ``pilots`` once, in order, a block at a time."""
    N = pilots.norms.size
    n = 0
    while n < N:
        stop = min(N, (n // BLOCK + 1) * BLOCK)
        count = load_block(pilots, n, stop, lam, state, scratch)
        visited = 0
        for k in range(count + 1):
            # Skipped devices were judged before this block's changes. If one of them may move after all, the block
            # ends here and the next one begins with it.
            n = first_restless(pilots, n, scratch.devices[k], lam, state)
            if n < scratch.devices[k] or k == count:
                break
            visit(pilots, k, count, lam, state, scratch)
            visited = k + 1
            n += 1
        if visited:
            subtract_product(state.R, scratch.rows[:visited].T, scratch.change[:visited])


@njit(**UNCOUNTED)
def sweep(pilots, lam, state, scratch):
    """Visit every device of ``pilots`` once, in order."""
    if state.R.size < FEW_ENTRIES:
        single_sweep(pilots, lam, state, scratch)
    else:
        block_sweep(pilots, lam, state, scratch)


@njit()
def active_rows(X):
    """Return the devices whose row of X is not zero."""
    active = empty(X.shape[0], np.int64)
    count = 0
    for n in range(X.shape[0]):
        if squared_norm(X[n]) > 0.0:
            active[count] = n
            count += 1
    return active[:count]


@njit(**COUNTED)
def set_residual(rows, Y, X, R):
    """Set R = Y - Σ_n a_n X_n, with a_nᵀ in ``rows``."""
    copy_into(R, Y)
    active = active_rows(X)
    if active.size:
        subtract_product(R, gather_rows(rows, active).T, gather_rows(X, active))


@njit(**COUNTED)
def certificate(conjugate, Y, lam, bound, X, R, lengths):
    """Set ``lengths`` to ‖a_nᴴR‖ of every pilot; return the objective and its relative duality gap.

    ``bound`` is a lower bound of the optimum known beforehand. At λ = 0, where Θ is zero and the optimum may be, the
    gap is what the objective exceeds that bound by, relative to ½‖Y‖².
    """
    products = matmul(conjugate, R)
    largest = 0.0
    for n in range(lengths.size):
        lengths[n] = np.sqrt(squared_norm(products[n]))
        largest = max(largest, lengths[n])
    fit, inner, penalty = 0.0, 0.0, 0.0
    for i in range(Y.shape[0]):
        fit += squared_norm(R[i])
        inner += real_inner(R[i], Y[i])
    for n in range(X.shape[0]):
        penalty += np.sqrt(squared_norm(X[n]))
    scale = lam / largest if largest > lam else 1.0
    primal = 0.5 * fit + lam * penalty
    gap, reference = primal - scale * inner + 0.5 * scale * scale * fit, primal
    if lam == 0.0:
        gap, reference = primal - bound, 0.0
        for i in range(Y.shape[0]):
            reference += 0.5 * squared_norm(Y[i])
    return primal, max(gap, 0.0) / reference if reference > 0.0 else 0.0


@njit()
def smallest_combination(gram):
    """Return w with G w ∝ 1, and its sum, by elimination in place: w / sum(w) minimises wᵀGw over sum(w) = 1."""
    # keeps the pivots positive when changes are parallel or zero
    ridge = TINY
    for i in range(DEPTH):
        ridge += 1e-10 * gram[i, i]
    weights = filled(DEPTH, 1.0, np.float64)
    for i in range(DEPTH):
        gram[i, i] += ridge
        for k in range(i):
            factor = gram[i, k] / gram[k, k]
            weights[i] -= factor * weights[k]
            for j in range(k, DEPTH):
                gram[i, j] -= factor * gram[k, j]
    total = 0.0
    for i in range(DEPTH - 1, -1, -1):
        for j in range(i + 1, DEPTH):
            weights[i] -= gram[i, j] * weights[j]
        weights[i] /= gram[i, i]
        total += weights[i]
    return weights, total


@njit(**COUNTED)
def extrapolate(history, X):
    """Set X to the combination of the last DEPTH iterates whose combined change is smallest."""
    gram = zeros((DEPTH, DEPTH))
    change = empty((DEPTH, X.shape[1]), X.dtype)
    for n in range(X.shape[0]):
        for k in range(DEPTH):
            for m in range(X.shape[1]):
                change[k, m] = history[k + 1, n, m] - history[k, n, m]
        for i in range(DEPTH):
            for j in range(DEPTH):
                gram[i, j] += real_inner(change[i], change[j])
    weights, total = smallest_combination(gram)
    for n in range(X.shape[0]):
        for m in range(X.shape[1]):
            X[n, m] = 0.0
            for k in range(DEPTH):
                X[n, m] += weights[k] / total * history[k + 1, n, m]


@njit()
def start_state(pilots, Y, X):
    """Return the state at X, which the sweeps update in place, with no device visited yet."""
    N = X.shape[0]
    R = empty(Y.shape, Y.dtype)
    set_residual(pilots.rows, Y, X, R)
    return State(X, R, filled(N, np.inf, pilots.norms.dtype), zeros(N), zeros(1))


@njit()
def make_scratch(Y):
    """Return the work space of one block."""
    L, M = Y.shape
    return Scratch(
        empty(BLOCK + 1, np.int64),
        empty((BLOCK, L), Y.dtype),
        empty((BLOCK, L), Y.dtype),
        empty((BLOCK, M), Y.dtype),
        empty((BLOCK, M), Y.dtype),
    )


@njit(**UNCOUNTED)
def accelerate(pilots, Y, lam, bound, target, max_sweeps, state, scratch, ahead):
    """Sweep, extrapolating where that lowers the objective, until the relative gap is ``target``; return the sweeps."""
    history, X_ahead, R_ahead, lengths = ahead
    X = state.X
    done = 0
    while done < max_sweeps and not interrupted():
        copy_into(history[0], X)
        for k in range(min(DEPTH, max_sweeps - done)):
            if interrupted():
                break
            sweep(pilots, lam, state, scratch)
            copy_into(history[k + 1], X)
            done += 1
        objective, gap = certificate(pilots.conjugate, Y, lam, bound, X, state.R, lengths)
        if gap <= target or done >= max_sweeps:
            break
        extrapolate(history, X_ahead)
        set_residual(pilots.rows, Y, X_ahead, R_ahead)
        objective_ahead, gap_ahead = certificate(pilots.conjugate, Y, lam, bound, X_ahead, R_ahead, lengths)
        if objective_ahead < objective:
            subtract(state.R, R_ahead)
            square = 0.0
            for i in range(Y.shape[0]):
                square += squared_norm(state.R[i])
            state.moved[0] += np.sqrt(square)
            copy_into(X, X_ahead)
            copy_into(state.R, R_ahead)
            if gap_ahead <= target:
                break
    return done


@njit()
def accelerated_sweeps(pilots, Y, lam, bound, X, target, max_sweeps):
    """Allocate what `accelerate` works with, and return its sweeps."""
    history = empty((DEPTH + 1, *X.shape), X.dtype)
    ahead = history, empty(X.shape, X.dtype), empty(Y.shape, Y.dtype), empty(X.shape[0])
    return accelerate(pilots, Y, lam, bound, target, max_sweeps, start_state(pilots, Y, X), make_scratch(Y), ahead)


@njit()
def working_set(lengths, lam, X):
    """Return the active devices and those with the largest ‖a_nᴴR‖, in ascending order; all where λ = 0."""
    if lam == 0.0:
        return everyone(lengths.size)
    active = active_rows(X)
    size = min(lengths.size, max(SMALLEST_SET, GROWTH * active.size))
    priority = empty(lengths.size, lengths.dtype)
    for n in range(lengths.size):
        priority[n] = -lengths[n]
    for k in range(active.size):
        priority[active[k]] = -np.inf
    chosen = zeros(lengths.size, np.bool_)
    order = ascending(priority)
    for k in range(size):
        chosen[order[k]] = True
    return positive(chosen)


@njit()
def solve_to_tolerance(pilots, Y, lam, bound, X, max_iter, tol):
    """Solve one problem from X, in place; return objective, relative gap and sweeps done."""
    R = empty(Y.shape, Y.dtype)
    lengths = empty(X.shape[0])
    done = 0
    while True:
        set_residual(pilots.rows, Y, X, R)
        objective, gap = certificate(pilots.conjugate, Y, lam, bound, X, R, lengths)
        if gap <= tol or done >= max_iter or interrupted():
            return objective, gap, done
        devices = working_set(lengths, lam, X)
        X_set = gather_rows(X, devices)
        target = max(INNER_REDUCTION * gap, 0.5 * tol)
        done += accelerated_sweeps(choose_pilots(pilots, devices), Y, lam, bound, X_set, target, max_iter - done)
        scatter_rows(X, devices, X_set)


@njit()
def solve_sweeps(pilots, Y, lam, bound, X, max_iter):
    """Make ``max_iter`` textbook sweeps from X, in place; return objective, relative gap and sweeps done."""
    state, scratch = start_state(pilots, Y, X), make_scratch(Y)
    for _ in range(max_iter):
        if interrupted():
            break
        sweep(pilots, lam, state, scratch)
    set_residual(pilots.rows, Y, X, state.R)
    objective, gap = certificate(pilots.conjugate, Y, lam, bound, X, state.R, empty(X.shape[0]))
    return objective, gap, max_iter


@entry()
def solve_batch(rows, conjugate, Y, lam, bound, X, max_iter, tol):
    """Solve T problems, from X (T, N, M), in place.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), Y (T, L, M), lam and a lower bound of the optimum (T,). Returns
    objective, relative gap, n_iter, (T,).
    """
    T = Y.shape[0]
    objective, gap, n_iter = empty(T, lam.dtype), empty(T, lam.dtype), empty(T, np.int64)
    pilots = Pilots(rows, conjugate, row_norms(rows), block_grams(rows, conjugate))
    for t in range(T):
        if interrupted():
            break
        if tol > 0.0:
            objective[t], gap[t], n_iter[t] = solve_to_tolerance(pilots, Y[t], lam[t], bound[t], X[t], max_iter, tol)
        else:
            objective[t], gap[t], n_iter[t] = solve_sweeps(pilots, Y[t], lam[t], bound[t], X[t], max_iter)
    return objective, gap, n_iter
