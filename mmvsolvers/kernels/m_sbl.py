"""Multiple-measurement sparse Bayesian learning: fixed-point updates of all powers at once, from a dense start.

Updates to a tolerance are carried on by SQUAREM (R. Varadhan, C. Roland, "Simple and globally convergent methods for
accelerating the convergence of any EM algorithm", Scandinavian Journal of Statistics, 2008), in the logarithms of the
powers: after every second one, and the third only follows. It takes a quarter of the updates.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.elementary import exp, log
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.map_cd import Prior, coordinate_step, objective, rebuild_inverse, whitened_judgement
from mmvsolvers.kernels.products import matmul, matmul_into
from mmvsolvers.kernels.shared import UNCOUNTED, filled, real_inner, squared_norm

# How far updates are carried on at first, and at most; where the farthest was not enough, so many times farther.
REACH, FARTHEST, FARTHER = 4.0, 64.0, 4.0
# Nor do logarithms of powers then rise or fall by more than this; those with a γq below the last one, whose devices are
# silent, have no say in how far.
RISE, FALL, NO_SAY = 3.0, 8.0, 1e-4
# Ratios r/q, and changes of their logarithms, are no smaller.
TINY = 1e-100

# One problem's iterate: gamma, q and r (N,), the inverse Σ⁻¹ (L, L), the rows a_nᴴΣ⁻¹Y (N, M), and by how much the
# logarithms of gamma grew in the last update and in that before, (N,) each.
State = namedtuple("State", "gamma q r inverse correlations growth before")


@njit(**UNCOUNTED)
def largest_step(conjugate, rows, state):
    """Set q and r, given a_nᴴΣ⁻¹ and a_nᴴΣ⁻¹Y of all devices; return the largest step left, times q_n."""
    largest = 0.0
    for n in range(state.gamma.size):
        q, r = real_inner(conjugate[n], rows[n]), squared_norm(state.correlations[n]) / state.correlations.shape[1]
        state.q[n], state.r[n] = q, r
        largest = max(largest, abs(coordinate_step(q, r, state.gamma[n], 0.0, np.inf)) * q)
    return largest


@njit()
def look(AT, conjugate, Y, noise_var, state):
    """Compute Σ⁻¹, q_n = a_nᴴΣ⁻¹a_n and r_n = ‖a_nᴴΣ⁻¹Y‖²/M at the present powers.

    Returns log|Σ|, whether Σ may be formed, and the largest step of a coordinate to its exact minimum, times q_n.
    """
    log_det, sound = rebuild_inverse(AT, noise_var, state.gamma, state.inverse)
    if interrupted():
        return log_det, sound, 0.0
    rows = matmul(conjugate, state.inverse)
    matmul_into(state.correlations, rows, Y)
    return log_det, sound, largest_step(conjugate, rows, state)


@njit(**UNCOUNTED)
def update(exponent, state):
    """Multiply every power by (r/q) to the exponent."""
    for n in range(state.gamma.size):
        state.before[n] = state.growth[n]
        state.growth[n] = exponent * log(max(state.r[n] / state.q[n], TINY))
    for n in range(state.gamma.size):
        state.gamma[n] *= exp(state.growth[n])


@njit(**UNCOUNTED)
def carry_on(reach, state):
    """Go on as far as the last two updates let expect, at most ``reach`` times the last; return how far next time."""
    length, change = 0.0, TINY
    for n in range(state.gamma.size):
        if state.gamma[n] * state.q[n] > NO_SAY:
            bend = state.growth[n] - state.before[n]
            length += state.before[n] * state.before[n]
            change += bend * bend
    factor = min(max(np.sqrt(length / change), 1.0), reach)
    for n in range(state.gamma.size):
        ahead = 2.0 * (factor - 1.0) * state.before[n]
        ahead += (factor * factor - 1.0) * (state.growth[n] - state.before[n])
        state.gamma[n] *= exp(min(max(ahead, -FALL), RISE))
    return min(FARTHER * reach, FARTHEST) if factor == reach else reach


@njit()
def solve(AT, conjugate, Y, noise_var, exponent, max_iter, tol, gamma, X):
    """Solve one problem from ``gamma`` (N,), in place; put the posterior mean into ``X`` (N, M).

    Returns the objective, the optimality and the number of updates.
    """
    N, L = AT.shape
    q, r, growth, before = empty(N), empty(N), zeros(N), zeros(N)
    state = State(gamma, q, r, empty((L, L), AT.dtype), empty(X.shape, AT.dtype), growth, before)
    log_det, sound, optimality = look(AT, conjugate, Y, noise_var, state)
    done, reach = 0, REACH
    while done < max_iter and (tol == 0.0 or optimality > tol) and not interrupted():
        update(exponent, state)
        if tol > 0.0 and done % 3 == 1:
            reach = carry_on(reach, state)
        done += 1
        log_det, sound, optimality = look(AT, conjugate, Y, noise_var, state)
    for n in range(N):
        for m in range(X.shape[1]):
            X[n, m] = gamma[n] * state.correlations[n, m]
    flat = Prior(zeros(N), filled(N, np.inf, np.float64))
    if sound:
        return objective(Y, log_det, gamma, flat, state.inverse), optimality, done
    value_there, optimality = whitened_judgement(AT, Y, noise_var, gamma, flat)
    return value_there, optimality, done


@entry()
def solve_batch(AT, conjugate, Y, noise_var, exponent, max_iter, tol, gamma):
    """Solve T problems, from ``gamma`` (T, N), in place.

    AT and its conjugate are (N, L), Y (T, L, M), noise_var (T,); an update multiplies γ by r/q to the exponent.
    Returns X (T, N, M), and objective, optimality and n_iter, (T,).
    """
    T, _, M = Y.shape
    X = empty((T, AT.shape[0], M), AT.dtype)
    objectives, optimality, n_iter = empty(T), empty(T), empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        objectives[t], optimality[t], n_iter[t] = solve(
            AT, conjugate, Y[t], noise_var[t], exponent, max_iter, tol, gamma[t], X[t]
        )
    return X, objectives, optimality, n_iter
