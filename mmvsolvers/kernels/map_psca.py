"""Parallel successive convex approximation of the (regularised) Gaussian likelihood: ML and MAP.

ML is MAP with a flat prior (``log_odds = 0``) and no upper bound. With the log-determinant linearised, what is left of
the objective along every coordinate is convex and has a closed minimum. All devices step towards theirs at once, by a
share that is halved until the objective falls enough. What a pass takes is one product of the pilots with the inverse
Cholesky factor of Σ: Σ = CCᴴ, W = C⁻¹A and Z = C⁻¹Y give q_n = ‖w_n‖² and r_n = ‖Zᴴw_n‖²/M.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.map_cd import coordinate_step, prior_in
from mmvsolvers.kernels.products import matmul, matmul_into, subtract_product
from mmvsolvers.kernels.shared import REORDER, conjugated, everyone, positive, squared_norm

# Devices a product: it must fill the registers, and its result stay in the cache.
BLOCK = 128
# Columns of Σ that are factored at a time; products do the rest.
PANEL = 32
# A step is taken where the objective falls by this share of what its slope promises, or else halved, so often at most.
ARMIJO = 1e-4
HALVINGS = 30
# A run to tolerance passes, between two passes over all devices, over the likely devices alone: those active, and those
# whose r came this close to where they become active. They are passed over until their steps are this much smaller.
LIKELY_RATIO = 0.9
LIKELY_REDUCTION = 0.1
LIKELY_PASSES = 20
# There, this share of what the last pass moved each device by is added to its step.
MOMENTUM = 0.6
# It gives up after this many full passes after which the objective has not fallen beyond its rounding error.
STALL = 3
EPS = np.finfo(np.float64).eps
ROUNDING = 4.0 * EPS

# Where one problem stands: C⁻ᵀ and conj(C⁻¹Y) in the precision of the data, and the objective in double precision.
Point = namedtuple("Point", "factor whitened objective")
# What a pass finds for every device, (N,) each: q, r and the step; and what the last pass has moved it by.
Found = namedtuple("Found", "q r step moved")
# A block at work: pilots, C⁻¹a_n, a_nᴴΣ⁻¹Y (conjugate).
Scratch = namedtuple("Scratch", "pilots rows correlations")


@njit()
def surrogate_step(q, r, value, log_odds, upper):
    """Return the step d to the minimum of (q - log_odds)d - rd/(1 + dq) over -value <= d <= upper - value."""
    if not q > log_odds:
        # The approximation falls all the way to the bound.
        return upper - value
    return min(max((np.sqrt(r / (q - log_odds)) - 1.0) / q, -value), upper - value)


@njit(fastmath=REORDER)
def invert_corner(matrix, least):
    """Turn the upper triangle of a hermitian positive definite matrix into C⁻ᵀ, where it is CCᴴ; return its log|·|.

    Never fails: pivots that rounding has made too small are raised to ``least``.
    """
    L = matrix.shape[0]
    log_det = 0.0
    # first R = Cᴴ, row by row; what is below the diagonal is not looked at
    for j in range(L):
        for i in range(j):
            factor = np.conj(matrix[i, j])
            for k in range(j, L):
                matrix[j, k] -= factor * matrix[i, k]
        pivot = max(matrix[j, j].real, least[j])
        log_det += np.log(pivot)
        scale = 1.0 / np.sqrt(pivot)
        matrix[j, j] = pivot
        for k in range(j, L):
            matrix[j, k] *= scale
    # then R⁻¹ = C⁻ᴴ from the last row up, conjugated
    for i in range(L - 1, -1, -1):
        scale = 1.0 / matrix[i, i].real
        matrix[i, i] = scale
        row = matrix[i].copy()
        for k in range(i + 1, L):
            matrix[i, k] = 0.0
        for j in range(i + 1, L):
            factor = -scale * row[j]
            for k in range(j, L):
                matrix[i, k] += factor * matrix[j, k]
    for i in range(L):
        for k in range(L):
            matrix[i, k] = np.conj(matrix[i, k]) if k >= i else 0.0
    return log_det


@njit()
def upper_panel(columns, noise_var, start, stop):
    """Return the columns start … stop-1 of Σ = columns·columnsᴴ + σ²I, down to the diagonal."""
    chosen = empty((columns.shape[1], stop - start), columns.dtype)
    for k in range(chosen.shape[0]):
        for j in range(chosen.shape[1]):
            chosen[k, j] = np.conj(columns[start + j, k])
    panel = matmul(columns[:stop], chosen)
    for j in range(stop - start):
        panel[start + j, j] += noise_var
    return panel


@njit()
def couple(factor, panel):
    """Take what is left of the panel's rows out of its corner, at its lower end; return C₂₁C₁₁⁻¹."""
    size = panel.shape[1]
    start = panel.shape[0] - size
    if start == 0:
        return empty((size, 0), panel.dtype)
    before, adjoint = empty((start, start), panel.dtype), empty((size, start), panel.dtype)
    for i in range(start):
        for j in range(start):
            before[i, j] = factor[i, j]
    coupling = matmul(before, panel[:start])
    for i in range(start):
        for j in range(size):
            adjoint[j, i] = np.conj(coupling[i, j])
    subtract_product(panel[start:], adjoint, coupling)
    return matmul(adjoint, before)


@njit()
def inverse_factor(columns, noise_var):
    """Return C⁻¹, where CCᴴ = Σ = columns·columnsᴴ + σ²I, and log|Σ|, a panel of Σ's columns after the other.

    C = (C₁₁, 0; C₂₁, C₂₂) has the inverse (C₁₁⁻¹, 0; -C₂₂⁻¹C₂₁C₁₁⁻¹, C₂₂⁻¹).
    """
    L = columns.shape[0]
    factor, log_det = zeros((L, L), columns.dtype), 0.0
    for start in range(0, L, PANEL):
        stop = min(start + PANEL, L)
        panel = upper_panel(columns, noise_var, start, stop)
        corner, least = panel[start:], empty(stop - start)
        for j in range(least.size):
            least[j] = EPS * corner[j, j].real
        coupled = couple(factor, panel)
        log_det += invert_corner(corner, least)
        below = matmul(corner.T, coupled)
        for i in range(stop - start):
            for j in range(start):
                factor[start + i, j] = -below[i, j]
            for j in range(i + 1):
                factor[start + i, start + j] = corner[j, i]
    return factor, log_det


@njit()
def weighted_columns(AT, value):
    """Return AΓ^½ without the silent devices, in double precision."""
    active = positive(value)
    columns = empty((AT.shape[1], active.size), np.complex128)
    for k in range(active.size):
        root = np.sqrt(np.float64(value[active[k]]))
        for i in range(AT.shape[1]):
            columns[i, k] = AT[active[k], i] * root
    return columns


@njit()
def evaluate(AT, Y, noise_var, value, prior, point):
    """Factor Σ at ``value`` into ``point``."""
    factor, objective = inverse_factor(weighted_columns(AT, value), noise_var)
    fit = 0.0
    whitened = matmul(factor, Y.astype(np.complex128))
    for i in range(whitened.shape[0]):
        fit += squared_norm(whitened[i])
        for m in range(whitened.shape[1]):
            point.whitened[i, m] = np.conj(whitened[i, m])
        for j in range(whitened.shape[0]):
            point.factor[j, i] = factor[i, j]
    objective += fit / Y.shape[1]
    for n in range(value.size):
        objective -= np.float64(prior.log_odds[n]) * value[n]
    point.objective[0] = objective


@njit()
def look(AT, devices, value, prior, point, found, scratch):
    """Find q, r and the step of ``devices``; return the slope of the objective along all steps."""
    slope = 0.0
    M = point.whitened.shape[1]
    for start in range(0, devices.size, BLOCK):
        if interrupted():
            break
        count = min(BLOCK, devices.size - start)
        for k in range(count):
            for i in range(AT.shape[1]):
                scratch.pilots[k, i] = AT[devices[start + k], i]
        matmul_into(scratch.rows[:count], scratch.pilots[:count], point.factor)
        matmul_into(scratch.correlations[:count], scratch.rows[:count], point.whitened)
        for k in range(count):
            n = devices[start + k]
            q, r = squared_norm(scratch.rows[k]), squared_norm(scratch.correlations[k]) / M
            found.q[n], found.r[n] = q, r
            found.step[n] = surrogate_step(q, r, value[n], prior.log_odds[n], prior.upper[n])
            slope += (q - r - prior.log_odds[n]) * np.float64(found.step[n])
    return slope


@njit()
def exact_step(n, value, prior, found):
    """Return the step to the exact minimum along coordinate n."""
    return coordinate_step(found.q[n], found.r[n], value[n], prior.log_odds[n], prior.upper[n])


@njit()
def largest_steps(devices, value, prior, found):
    """Return the largest scaled exact step |d|q, the largest but for leaps, and the device of the largest leap.

    A leap goes to the bound of a device with log_odds > 0, or away from it, behind a maximum that the convex
    approximation does not see.
    """
    largest, leap, leaper = 0.0, 0.0, -1
    for n in devices:
        d = exact_step(n, value, prior, found)
        scaled = abs(d) * found.q[n]
        up = d == prior.upper[n] - value[n] and found.step[n] < d
        down = value[n] == prior.upper[n] and d < 0.0 and found.step[n] >= 0.0
        if prior.log_odds[n] > 0.0 and (up or down):
            if scaled > leap:
                leap, leaper = scaled, n
        else:
            largest = max(largest, scaled)
    return max(largest, leap), largest, leaper


@njit()
def gather_momentum(devices, slope, value, prior, found):
    """Add momentum to the steps of ``devices`` if the objective still falls along them; return the slope."""
    with_momentum = 0.0
    for n in devices:
        step = found.step[n] + value.dtype.type(MOMENTUM) * found.moved[n]
        step = min(max(step, -value[n]), prior.upper[n] - value[n])
        with_momentum += (found.q[n] - found.r[n] - prior.log_odds[n]) * np.float64(step)
        found.moved[n] = step
    # at least as steep as a quarter of what it was, so that momentum never leads away
    if with_momentum > 0.25 * slope:
        return slope
    for n in devices:
        found.step[n] = found.moved[n]
    return with_momentum


@njit()
def descend(AT, Y, noise_var, devices, slope, value, prior, point, found):
    """Move ``devices`` along their steps as far as the objective falls enough; return whether it fell."""
    before, start = value.copy(), point.objective[0]
    share = value.dtype.type(1.0)
    for _ in range(HALVINGS):
        for n in devices:
            value[n] = min(max(before[n] + share * found.step[n], 0.0), prior.upper[n])
        evaluate(AT, Y, noise_var, value, prior, point)
        if point.objective[0] <= start + ARMIJO * share * slope + ROUNDING * abs(start) or interrupted():
            for n in range(value.size):
                found.moved[n] = value[n] - before[n]
            return True
        share *= value.dtype.type(0.5)
    for n in devices:
        value[n] = before[n]
    evaluate(AT, Y, noise_var, value, prior, point)
    return False


@njit()
def likely(value, prior, found):
    """Return the devices that are active or nearly so."""
    devices = empty(value.size, np.int64)
    count = 0
    for n in range(value.size):
        if value[n] > 0.0 or found.r[n] > LIKELY_RATIO * (found.q[n] - prior.log_odds[n]):
            devices[count] = n
            count += 1
    return devices[:count]


@njit()
def matched_filter(AT, Y, upper, value):
    """Start from the power that a matched filter sees in each device above what it sees of noise and all the others."""
    scratch = matmul(AT, conjugated(Y))
    L, M = Y.shape
    power = 0.0
    for i in range(L):
        power += squared_norm(Y[i])
    for n in range(value.size):
        square = squared_norm(AT[n])
        value[n] = min(max((squared_norm(scratch[n]) / square - power / L) / (M * square), 0.0), upper[n])


@njit()
def workspace(AT, M, value):
    """Allocate what passes over one problem work with."""
    N, L = AT.shape
    point = Point(empty((L, L), AT.dtype), empty((L, M), AT.dtype), empty(1))
    found = Found(zeros(N, value.dtype), zeros(N, value.dtype), zeros(N, value.dtype), zeros(N, value.dtype))
    block = min(BLOCK, N)
    scratch = Scratch(empty((block, L), AT.dtype), empty((block, L), AT.dtype), empty((block, M), AT.dtype))
    return point, found, scratch


@njit()
def iterate(AT, Y, noise_var, prior, max_iter, value):
    """Make ``max_iter`` iterations on one problem from ``value`` (N,), in place; return objective and optimality."""
    point, found, scratch = workspace(AT, Y.shape[1], value)
    devices = everyone(value.size)
    evaluate(AT, Y, noise_var, value, prior, point)
    for _ in range(max_iter):
        if interrupted():
            break
        slope = look(AT, devices, value, prior, point, found, scratch)
        descend(AT, Y, noise_var, devices, slope, value, prior, point, found)
    look(AT, devices, value, prior, point, found, scratch)
    return point.objective[0], largest_steps(devices, value, prior, found)[0]


@njit()
def solve(AT, Y, noise_var, prior, max_iter, tol, value):
    """Solve one problem to ``tol`` > 0, in place; return objective, optimality and the iterations made."""
    point, found, scratch = workspace(AT, Y.shape[1], value)
    devices = everyone(value.size)
    matched_filter(AT, Y, prior.upper, value)
    evaluate(AT, Y, noise_var, value, prior, point)
    done, stalled, lowest = 0, 0, np.inf
    while True:
        slope = look(AT, devices, value, prior, point, found, scratch)
        optimality, seen, leaper = largest_steps(devices, value, prior, found)
        stalled = 0 if point.objective[0] + ROUNDING * abs(point.objective[0]) < lowest else stalled + 1
        lowest = min(point.objective[0], lowest)
        if optimality <= tol or done >= max_iter or stalled == STALL or interrupted():
            return point.objective[0], optimality, done
        done += 1
        if seen <= tol:
            # nothing is left to the parallel steps
            d = exact_step(leaper, value, prior, found)
            value[leaper] = prior.upper[leaper] if d > 0.0 else max(value[leaper] + d, 0.0)
            evaluate(AT, Y, noise_var, value, prior, point)
            continue
        chosen = likely(value, prior, found)
        slope = gather_momentum(devices, slope, value, prior, found)
        fell = descend(AT, Y, noise_var, devices, slope, value, prior, point, found)
        enough = max(LIKELY_REDUCTION * seen, 0.5 * tol)
        for _ in range(min(LIKELY_PASSES, max_iter - done)):
            slope = look(AT, chosen, value, prior, point, found, scratch)
            if not fell or interrupted() or largest_steps(chosen, value, prior, found)[1] <= enough:
                break
            slope = gather_momentum(chosen, slope, value, prior, found)
            fell = descend(AT, Y, noise_var, chosen, slope, value, prior, point, found)
            done += 1


@entry()
def solve_batch(AT, Y, noise_var, log_odds, upper, unit, max_iter, tol, value):
    """Solve T problems, from ``value`` (T, N) or, to a tolerance, from a matched filter, in place.

    AT is (N, L), Y (T, L, M), noise_var (T,), log_odds and upper (N,), unit what one ``value`` is worth in them (T,).
    Returns objective (T,), optimality (T,) and n_iter (T,).
    """
    T = Y.shape[0]
    objectives = empty(T)
    optimality = empty(T, noise_var.dtype)
    n_iter = empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        prior = prior_in(unit[t], log_odds, upper)
        if tol > 0.0:
            objectives[t], optimality[t], n_iter[t] = solve(AT, Y[t], noise_var[t], prior, max_iter, tol, value[t])
        else:
            objectives[t], optimality[t] = iterate(AT, Y[t], noise_var[t], prior, max_iter, value[t])
            n_iter[t] = max_iter
    return objectives, optimality, n_iter
