"""Expectation propagation for Bernoulli-Gaussian rows, whose prior and noise are learned on the way.

Every device's prior is stood in for by a Gaussian site of precision p_n and natural mean h_n. Without its own site, a
device is seen in Gaussian noise of variance (1 - q_n/p_n)/q_n with q_n = a_nᴴC⁻¹a_n and C = A diag(1/p) Aᴴ + σ²I; the
site is then what the mean and the variance of the true posterior ask for.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.amp_mmse import posterior_activity
from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.inverses import invert
from mmvsolvers.kernels.products import matmul, subtract_product
from mmvsolvers.kernels.shared import UNCOUNTED, real_product, squared_norm

# The share of the new sites that is taken begins with the first number, which it never exceeds. It falls by the second
# one where X changes more than before, down to the third, and recovers by the fourth where it changes less.
DAMPING = 0.5
DAMPING_DOWN = 0.8
DAMPING_FLOOR = 0.02
DAMPING_UP = 1.1
# A site is no wider than this times the prior: a device pushed away from silence asks for negative precision.
WIDEST = 100.0
# Learning ends after so many iterations: it creeps on for hundreds, and at short pilots away from the truth.
LEARNING = 50
# The learned ε stays between this share of one device and this one.
LEAST_DEVICES = 0.1
MOST_ACTIVE = 0.9
# The learned σ² is at least this share of the power of Y.
LEAST_NOISE = 1e-9
EPS = np.finfo(np.float64).eps

# ε and g of the devices, (N,) each, and σ², (1,).
Prior = namedtuple("Prior", "activity_prob variance noise_var")
# Precision (N,) and natural mean (N, M) of the sites; expected ‖X_n‖²/M of the active devices, (N,).
State = namedtuple("State", "precision shift power")


@njit()
def inverse_covariance(AT, conjugate, state, noise_var):
    """Return C⁻¹ for C = A diag(1/p) Aᴴ + σ²I."""
    scaled = empty(conjugate.shape, conjugate.dtype)
    for n in range(scaled.shape[0]):
        width = 1.0 / state.precision[n]
        for i in range(scaled.shape[1]):
            scaled[n, i] = width * conjugate[n, i]
    C = matmul(AT.T, scaled)
    for i in range(C.shape[0]):
        C[i, i] = C[i, i].real + noise_var
    invert(C)
    return C


@njit()
def unexplained(AT, Y, state):
    """Return what the means of the sites leave of Y."""
    means = empty(state.shift.shape, state.shift.dtype)
    for n in range(means.shape[0]):
        width = 1.0 / state.precision[n]
        for m in range(means.shape[1]):
            means[n, m] = width * state.shift[n, m]
    left = Y.copy()
    subtract_product(left, AT.T, means)
    return left


@njit(**UNCOUNTED)
def visit(n, q, correlation, prior, share, state, X, score):
    """Move the site of device n, seen by a_nᴴC⁻¹(Y - Am) and q; return the squared change and norm of its row of X."""
    M = correlation.size
    p, g = state.precision[n], prior.variance[n]
    # what the other devices say of the row: mean m + correlation/q, variance as here
    variance = max(1.0 - q / p, EPS) / q
    shrink, width, scale = g / (variance + g), 1.0 / p, 1.0 / q
    energy = 0.0
    for m in range(M):
        correlation[m] = width * state.shift[n, m] + scale * correlation[m]
        energy += correlation[m].real * correlation[m].real + correlation[m].imag * correlation[m].imag
    odds = np.log((1.0 - prior.activity_prob[n]) / prior.activity_prob[n])
    active, silent = posterior_activity(odds + M * np.log1p(g / variance) - shrink / variance * energy)
    spread = active * shrink * (variance + silent * shrink * energy / M)
    precision = max(1.0 / spread - 1.0 / variance, 1.0 / (WIDEST * g))
    state.precision[n] += share * (precision - p)
    state.power[n] = shrink * (variance + shrink * energy / M)
    score[n] = active
    change, size = 0.0, 0.0
    # the site's natural mean, of the cavity's
    part = active * shrink
    factor = part * (1.0 / variance + precision) - 1.0 / variance
    for m in range(M):
        mean = part * correlation[m]
        step = mean - X[n, m]
        state.shift[n, m] += share * (factor * correlation[m] - state.shift[n, m])
        X[n, m] = mean
        change += step.real * step.real + step.imag * step.imag
        size += mean.real * mean.real + mean.imag * mean.imag
    return change, size, spread


@njit(**UNCOUNTED)
def learn(prior, learned, state, score, noise_var, floor):
    """Set what is to be learned of ε, g and σ² to what the posterior expects."""
    N = score.size
    total, power = 0.0, 0.0
    for n in range(N):
        total += score[n]
        power += score[n] * state.power[n]
    for n in range(N):
        if learned[0]:
            prior.activity_prob[n] = min(max(total / N, LEAST_DEVICES / N), MOST_ACTIVE)
        if learned[1] and total > 0.0:
            prior.variance[n] = power / total
    if learned[2]:
        prior.noise_var[0] = max(noise_var, floor)


@njit()
def solve(AT, conjugate, Y, prior, learned, max_iter, tol, X, score):
    """Solve one problem, X (N, M) and the posterior activity (N,) in place; learn what is ``learned`` of the prior.

    Returns the mean squared error that is expected of X, the last relative change, and iterations done.
    """
    N, L, M = AT.shape[0], Y.shape[0], Y.shape[1]
    state = State(empty(N), zeros((N, M), AT.dtype), zeros(N))
    for n in range(N):
        state.precision[n] = 1.0 / (prior.activity_prob[n] * prior.variance[n])
    power = 0.0
    for i in range(L):
        power += squared_norm(Y[i])
    floor = LEAST_NOISE * power / Y.size
    change, before, error, done = (np.inf if power > 0.0 else 0.0), np.inf, 0.0, 0 if power > 0.0 else max_iter
    share, taken = DAMPING, 1.0
    while change > tol and done < max_iter:
        noise_var = prior.noise_var[0]
        inverse = inverse_covariance(AT, conjugate, state, noise_var)
        if interrupted():
            break
        residual = matmul(inverse, unexplained(AT, Y, state))
        rows, correlations = matmul(conjugate, inverse), matmul(conjugate, residual)
        trace, left = 0.0, 0.0
        for i in range(L):
            trace += inverse[i, i].real
            left += squared_norm(residual[i])
        moved, size, error = 0.0, 0.0, 0.0
        for n in range(N):
            # a_nᴴC⁻¹a_n from the row a_nᴴC⁻¹
            step, row, spread = visit(n, real_product(rows[n], AT[n]), correlations[n], prior, share, state, X, score)
            moved, size, error = moved + step, size + row, error + spread
        if done < LEARNING:
            learn(prior, learned, state, score, noise_var * (1.0 + noise_var * (left / M - trace) / L), floor)
        # what it would be had the sites not been damped before
        change = np.sqrt(moved / size) / taken if size > 0.0 else 0.0
        taken = share
        share = max(DAMPING_DOWN * share, DAMPING_FLOOR) if change > before else min(DAMPING_UP * share, DAMPING)
        before = change
        done += 1
    return M * error / N, change, done


@entry()
def solve_batch(AT, conjugate, Y, activity_prob, variance, noise_var, learned, max_iter, tol):
    """Solve T problems.

    AT and conjugate are a_nᵀ and a_nᴴ (N, L), Y (T, L, M), activity_prob and variance (T, N) and noise_var (T, 1), in
    whose place what is learned is put, as ``learned`` (3,) says. Returns X (T, N, M), score (T, N), the
    expected mean squared error, the last relative change and n_iter, (T,).
    """
    T, N = Y.shape[0], AT.shape[0]
    X, score = zeros((T, N, Y.shape[2]), AT.dtype), zeros((T, N))
    error, change, n_iter = empty(T), empty(T), empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        prior = Prior(activity_prob[t], variance[t], noise_var[t])
        error[t], change[t], n_iter[t] = solve(AT, conjugate, Y[t], prior, learned, max_iter, tol, X[t], score[t])
    return X, score, error, change, n_iter
