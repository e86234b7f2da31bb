"""Multiple-measurement sparse Bayesian learning: fixed-point updates of all powers at once, from a dense start."""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.map_cd import Prior, coordinate_step, objective, rebuild_inverse, whitened_judgement
from mmvsolvers.kernels.products import matmul, matmul_into
from mmvsolvers.kernels.shared import UNCOUNTED, real_inner, squared_norm

# One problem's iterate: gamma, q and r (N,), the inverse Σ⁻¹ (L, L), and the rows a_nᴴΣ⁻¹Y (N, M).
State = namedtuple("State", "gamma q r inverse correlations")


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

    Returns Σ, whether it may be trusted, and the largest step of a coordinate to its exact minimum, times q_n.
    """
    covariance, sound = rebuild_inverse(AT, noise_var, state.gamma, state.inverse)
    if interrupted():
        return covariance, sound, 0.0
    rows = matmul(conjugate, state.inverse)
    matmul_into(state.correlations, rows, Y)
    return covariance, sound, largest_step(conjugate, rows, state)


@njit()
def solve(AT, conjugate, Y, noise_var, is_root, max_iter, tol, gamma, X):
    """Solve one problem from ``gamma`` (N,), in place; put the posterior mean into ``X`` (N, M).

    Returns the objective, the optimality and the number of updates.
    """
    N, L = AT.shape
    state = State(gamma, np.empty(N), np.empty(N), np.empty((L, L), AT.dtype), np.empty(X.shape, AT.dtype))
    covariance, sound, optimality = look(AT, conjugate, Y, noise_var, state)
    done = 0
    while done < max_iter and (tol == 0.0 or optimality > tol) and not interrupted():
        for n in range(N):
            ratio = state.r[n] / state.q[n]
            gamma[n] *= np.sqrt(ratio) if is_root else ratio
        done += 1
        covariance, sound, optimality = look(AT, conjugate, Y, noise_var, state)
    for n in range(N):
        for m in range(X.shape[1]):
            X[n, m] = gamma[n] * state.correlations[n, m]
    flat = Prior(np.zeros(N), np.full(N, np.inf))
    if sound:
        return objective(Y, covariance, gamma, flat, state.inverse), optimality, done
    value_there, optimality = whitened_judgement(AT, Y, noise_var, gamma, flat)
    return value_there, optimality, done


@entry()
def solve_batch(AT, conjugate, Y, noise_var, is_root, max_iter, tol, gamma):
    """Solve T problems, from ``gamma`` (T, N), in place.

    AT and its conjugate are (N, L), Y (T, L, M), noise_var (T,). Returns X (T, N, M), and objective, optimality and
    n_iter, (T,).
    """
    T, _, M = Y.shape
    X = np.empty((T, AT.shape[0], M), AT.dtype)
    objectives, optimality, n_iter = np.empty(T), np.empty(T), np.empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        objectives[t], optimality[t], n_iter[t] = solve(
            AT, conjugate, Y[t], noise_var[t], is_root, max_iter, tol, gamma[t], X[t]
        )
    return X, objectives, optimality, n_iter
