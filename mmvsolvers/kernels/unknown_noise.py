"""Coordinate descent for ML and MAP where σ² is not known but one more coordinate, moved before every full sweep.

With the devices held, f is a function of σ² and of the eigenvalues of AΓAᴴ alone; from its minimum, the eigenvectors
also give Σ⁻¹. All is computed in double precision.
"""

import numpy as np

from mmvsolvers.kernels.arrays import empty
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.map_cd import (
    LIKELY_REDUCTION,
    LIKELY_SWEEPS,
    STALL,
    likeliest_first,
    likely_first,
    prior_in,
    stationarity,
    sweep,
    weighted_rows,
    workspace,
)
from mmvsolvers.kernels.shared import conjugated, everyone, real_inner, row_norms, squared_norm

# Halvings of an interval whose ends differ by a factor of four, until they agree to the precision.
BISECTIONS = 54


@njit()
def cost(levels, fits, noise_var):
    """Return log|Σ| + tr(Σ⁻¹YYᴴ)/M, given the eigenvalues of AΓAᴴ and the power of Y along each eigenvector, (L,)."""
    total = 0.0
    for i in range(levels.size):
        total += np.log(levels[i] + noise_var) + fits[i] / (levels[i] + noise_var)
    return total


@njit()
def slope(levels, fits, noise_var):
    """Return the derivative of ``cost`` in σ²."""
    total = 0.0
    for i in range(levels.size):
        total += (1.0 - fits[i] / (levels[i] + noise_var)) / (levels[i] + noise_var)
    return total


@njit()
def least_cost(levels, fits, floor):
    """Return the σ² at or above ``floor`` of least ``cost``: the best of a grid, refined between its neighbours."""
    # above it every term rises
    most = max(floor, np.max(fits - levels))
    best, lowest, noise_var = most, cost(levels, fits, most), most
    while noise_var > floor:
        noise_var = max(0.5 * noise_var, floor)
        there = cost(levels, fits, noise_var)
        if there < lowest:
            best, lowest = noise_var, there
    low, high = max(0.5 * best, floor), min(2.0 * best, most)
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        if slope(levels, fits, middle) > 0.0:
            high = middle
        else:
            low = middle
    return low if cost(levels, fits, low) < lowest else best


@njit()
def spectrum(AT, Y, value):
    """Return the eigenvalues of AΓAᴴ (L,), its eigenvectors' adjoint (L, L), and the power of Y along each of them."""
    rows = weighted_rows(AT, value)
    levels, vectors = np.linalg.eigh(np.dot(rows.T, conjugated(rows)))
    adjoint = np.ascontiguousarray(np.conj(vectors.T))
    received = np.dot(adjoint, Y)
    fits = empty(levels.size)
    for i in range(levels.size):
        levels[i] = max(levels[i], 0.0)
        fits[i] = squared_norm(received[i]) / Y.shape[1]
    return levels, adjoint, fits


@njit()
def move_noise(AT, Y, floor, state):
    """Set Σ⁻¹ to that at the best σ²; return σ² and log|Σ| + tr(Σ⁻¹YYᴴ)/M there."""
    levels, adjoint, fits = spectrum(AT, Y, state.value)
    noise_var = least_cost(levels, fits, floor)
    scaled = np.ascontiguousarray(np.conj(adjoint.T)) / (levels + noise_var)
    np.dot(scaled, adjoint, state.inverse)
    # what the devices' last visits found was found at another σ²
    for n in range(state.root_r.size):
        state.root_r[n] = np.inf
    return noise_var, cost(levels, fits, noise_var)


@njit()
def solve(AT, Y, floor, column_norms, prior, max_iter, tol, value):
    """Solve one problem from ``value`` (N,), in place; return σ², objective, optimality and sweeps done."""
    state, scratch = workspace(AT, Y.shape[1], value)
    order = everyone(value.size) if tol == 0.0 else likeliest_first(AT, Y, column_norms)
    done, stalled = 0, 0
    noise_var, level, optimality, smallest = floor, np.inf, np.inf, np.inf
    while optimality > tol and done < max_iter and stalled < STALL:
        move_noise(AT, Y, floor, state)
        largest = sweep(AT, Y, column_norms, order, prior, state, scratch)
        if interrupted():
            break
        done += 1
        stalled = 0 if largest < smallest or tol == 0.0 else stalled + 1
        smallest = min(largest, smallest)
        if largest <= tol or done == max_iter or stalled == STALL:
            noise_var, level = move_noise(AT, Y, floor, state)
            optimality = stationarity(AT, Y, column_norms, order, prior, state, scratch)
        elif tol > 0.0:
            enough = max(LIKELY_REDUCTION * largest, 0.5 * tol)
            for _ in range(min(LIKELY_SWEEPS, max_iter - 1 - done)):
                done += 1
                order, n_likely = likely_first(order, state)
                if sweep(AT, Y, column_norms, order[:n_likely], prior, state, scratch) <= enough:
                    break
    return noise_var, level - real_inner(prior.log_odds, value), optimality, done


@entry()
def solve_batch(AT, Y, floor, log_odds, upper, unit, max_iter, tol, value):
    """Solve T problems, from ``value`` (T, N), in place.

    AT is (N, L), Y (T, L, M), floor the least σ² (T,), log_odds and upper (N,), unit what one ``value`` is worth in
    them (T,). Returns σ², objective, optimality and n_iter, (T,).
    """
    T = Y.shape[0]
    noise_var, objectives, optimality, n_iter = empty(T), empty(T), empty(T), empty(T, np.int64)
    column_norms = row_norms(AT)
    for t in range(T):
        if interrupted():
            break
        prior = prior_in(unit[t], log_odds, upper)
        noise_var[t], objectives[t], optimality[t], n_iter[t] = solve(
            AT, Y[t], floor[t], column_norms, prior, max_iter, tol, value[t]
        )
    return noise_var, objectives, optimality, n_iter


@entry()
def noise_batch(AT, Y, floor, power):
    """Return the best σ² of T problems, (T,), given their devices' powers (T, N)."""
    noise_var = empty(Y.shape[0])
    for t in range(Y.shape[0]):
        if interrupted():
            break
        levels, _, fits = spectrum(AT, Y[t], power[t])
        noise_var[t] = least_cost(levels, fits, floor[t])
    return noise_var
