"""Approximate message passing with the Bernoulli-Gaussian MMSE denoiser, on the scaled model."""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.products import matmul, matmul_into, product_of_rows
from mmvsolvers.kernels.shared import REORDER, UNCOUNTED, copy_into, squared_norm

# Adaptive damping: the share of the new iterate that is taken falls by the first factor where the residual has grown,
# down to the second number, and recovers by the third factor where it has shrunk.
DAMPING_DOWN = 0.8
DAMPING_FLOOR = 0.5
DAMPING_UP = 1.2
# Give up where τ² has grown to this multiple of what it started from.
BLOW_UP = 1e3
# State evolution never takes τ² above its start. Averages this much above it have diverged: less than that, a few
# entries of R, and X near zero, which may be an answer, bring about by chance.
EXCESS = 2.0
# τ² counts as no less than this fraction of its start, so that noiseless problems stay finite.
TAU2_FLOOR = 1e-30
# What devices that are active, or silent, with a posterior probability below this many machine precisions add to AX, or
# to the Onsager term, is lost in rounding errors.
NEGLIGIBLE = 1e-3

# What is known: log((1 - ε)/ε) of the groups (G,), the variance g of a row's entries and each device's group, (N,).
Prior = namedtuple("Prior", "log_odds_silent variance group")
# conj X (N, M), R (L, M), Q = AᴴR + X (N, M), the next R, the energies of Q's rows (N,), log t of the groups (G,).
# `heard` are the devices that may be active, `doubtful` the rows of Q of those that may be either, `weighted` their
# conjugates times their weights in the Onsager term: the first of N. AX is the conjugate of (Aᴴ)ᵀ·conj X: both products
# of an iteration then read one array, Aᴴ, which has a better chance to stay in the cache than two.
State = namedtuple("State", "X R Q ahead energy log_t heard weighted doubtful")


@njit(**UNCOUNTED)
def posterior_activity(log_t):
    """Return 1/(1 + t) and t/(1 + t) without forming t where it would overflow."""
    small = np.exp(-abs(log_t))
    large = 1.0 / (1.0 + small)
    return (small * large, large) if log_t > 0.0 else (large, small * large)


@njit(**UNCOUNTED)
def hear(prior, tau2, state):
    """Complete Q = AᴴR + X, and find its rows' energies and log t of the groups."""
    N, M = state.Q.shape
    for group in range(state.log_t.size):
        state.log_t[group] = prior.log_odds_silent[group]
    for n in range(N):
        g = prior.variance[n]
        for m in range(M):
            state.Q[n, m] += np.conj(state.X[n, m])
        state.energy[n] = squared_norm(state.Q[n])
        state.log_t[prior.group[n]] += M * np.log1p(g / tau2) - g / (tau2 + g) / tau2 * state.energy[n]


@njit(**UNCOUNTED)
def denoise(prior, tau2, printed, state, mean):
    """Put the posterior means of Q's rows, conjugate, into ``mean`` (N, M), and find who is in doubt.

    Returns what multiplies the identity in the Onsager term, the scalar second term of the printed form included, how
    many devices may be active, and how many may be either.
    """
    N, M = state.Q.shape
    real = state.Q.real.dtype.type
    negligible = NEGLIGIBLE * np.finfo(state.Q.dtype).eps
    identity, n_heard, n_doubtful = 0.0, 0, 0
    for n in range(N):
        g = prior.variance[n]
        shrink = g / (tau2 + g)
        active, silent = posterior_activity(state.log_t[prior.group[n]])
        slope = active * silent * shrink * shrink / tau2
        identity += active * shrink
        if printed:
            # equation (12) as printed has ‖q‖² for qᴴq and τ⁴ for τ²
            identity += slope * state.energy[n] / tau2
        # nothing, in place of subnormal numbers: processors take many times as long for them
        weight = real(active * shrink) if active > negligible else real(0.0)
        for m in range(M):
            mean[n, m] = weight * np.conj(state.Q[n, m])
        if active > negligible:
            state.heard[n_heard] = n
            n_heard += 1
            if silent > negligible and not printed:
                for m in range(M):
                    state.weighted[n_doubtful, m] = real(slope) * np.conj(state.Q[n, m])
                    state.doubtful[n_doubtful, m] = state.Q[n, m]
                n_doubtful += 1
    return identity, n_heard, n_doubtful


@njit()
def iterate(conjugate, Y, prior, tau2, printed, state, mean):
    """Put the undamped next conj X into ``mean`` and the undamped next R into ``ahead``; return the latter's power."""
    L, M = Y.shape
    matmul_into(state.Q, conjugate, state.R)
    hear(prior, tau2, state)
    identity, n_heard, n_doubtful = denoise(prior, tau2, printed, state, mean)
    J = matmul(state.weighted[:n_doubtful].T, state.doubtful[:n_doubtful])
    for m in range(M):
        J[m, m] += identity
    product_of_rows(state.ahead, conjugate, mean, state.heard[:n_heard])
    correction = matmul(state.R, J)
    share = Y.real.dtype.type(1.0 / L)
    power = 0.0
    for i in range(L):
        for m in range(M):
            state.ahead[i, m] = Y[i, m] - np.conj(state.ahead[i, m]) + share * correction[i, m]
        power += squared_norm(state.ahead[i])
    return power / (L * M)


@njit(fastmath=REORDER, **UNCOUNTED)
def move(target, ahead, damping):
    """Move ``target`` towards ``ahead`` by the share ``damping``; return the squared norms of step and result."""
    share = target.real.dtype.type(damping)
    step, size = 0.0, 0.0
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            change = share * (ahead[i, j] - target[i, j])
            moved = target[i, j] + change
            target[i, j] = moved
            step += change.real * change.real + change.imag * change.imag
            size += moved.real * moved.real + moved.imag * moved.imag
    return step, size


@njit(**UNCOUNTED)
def adapt(share, tau2, tau2_ahead):
    """Return the share of the new iterate to take after τ² went to ``tau2_ahead``."""
    if tau2_ahead > tau2:
        return max(DAMPING_DOWN * share, DAMPING_FLOOR)
    return min(DAMPING_UP * share, 1.0)


@njit(**UNCOUNTED)
def mean_power(R):
    """Return ‖R‖²_F over its number of entries."""
    power = 0.0
    for i in range(R.shape[0]):
        power += squared_norm(R[i])
    return power / R.size


@njit()
def solve(conjugate, Y, prior, damping, printed, X, max_iter, tol):
    """Solve one problem from X = 0, conj X in place; return τ², the last relative change, iterations and divergence.

    ``damping`` is the fixed share, or 0 to adapt it. Where the iteration does not reach ``tol`` > 0, X is the average
    of the undamped iterates of the second half of ``max_iter``; where it blows up, what came of the least τ².
    """
    state = State(
        X,
        Y.copy(),
        empty(X.shape, X.dtype),
        empty(Y.shape, Y.dtype),
        empty(X.shape[0]),
        empty(prior.log_odds_silent.size),
        empty(X.shape[0], np.int64),
        empty(X.shape, X.dtype),
        empty(X.shape, X.dtype),
    )
    # the present mean, or that of the least τ² so far, and room for the next
    # posterior means: that of the least τ² so far, and the present one
    means, best, average = zeros((2, *X.shape), X.dtype), 1, zeros(X.shape, X.dtype)
    share = damping if damping > 0.0 else 1.0
    start = mean_power(Y)
    tau2, least, tau2_average = start, np.inf, 0.0
    change, done = (np.inf, 0) if start > 0.0 else (0.0, max_iter)
    averaged = max_iter - max_iter // 2
    while change > tol and done < max_iter and tau2 <= BLOW_UP * start and not interrupted():
        mean = means[1 - best]
        tau2_ahead = iterate(conjugate, Y, prior, max(tau2, TAU2_FLOOR * start), printed, state, mean)
        if tau2 < least:
            least, best = tau2, 1 - best
        if damping == 0.0:
            share = adapt(share, tau2, tau2_ahead)
        step, size = move(X, mean, share)
        _, power = move(state.R, state.ahead, share)
        tau2 = power / state.R.size
        change = np.sqrt(step / size) / share if size > 0.0 else 0.0
        done += 1
        if tol > 0.0 and done > max_iter - averaged:
            # the running mean of what has come since half time
            part = 1.0 / (done - max_iter + averaged)
            move(average, mean, part)
            tau2_average += part * (tau2 - tau2_average)
    if change <= tol and tau2 <= BLOW_UP * start:
        return tau2, change, done, False
    if tol > 0.0 and tau2 <= BLOW_UP * start:
        copy_into(X, average)
        return tau2_average, change, done, tau2_average > EXCESS * start
    diverged = not tau2 <= start
    if diverged:
        copy_into(X, means[best])
        tau2 = least
    return tau2, change, done, diverged


@entry()
def solve_batch(conjugate, Y, log_odds_silent, variance, group, unit, damping, printed, max_iter, tol):
    """Solve T problems, on the scaled model.

    conjugate is a_nᴴ (N, L), Y (T, L, M), log_odds_silent (G,), variance and group (N,), unit what the
    variances are multiplied by, and damping, (T,). Returns X (T, N, M), τ², the last relative change, n_iter and
    diverged, (T,).
    """
    T, _, M = Y.shape
    X = zeros((T, conjugate.shape[0], M), conjugate.dtype)
    tau2, change = empty(T, variance.dtype), empty(T, variance.dtype)
    n_iter, diverged = empty(T, np.int64), empty(T, np.bool_)
    prior = Prior(log_odds_silent, empty(variance.size, variance.dtype), group)
    for t in range(T):
        if interrupted():
            break
        for n in range(variance.size):
            prior.variance[n] = unit[t] * variance[n]
        tau2[t], change[t], n_iter[t], diverged[t] = solve(
            conjugate, Y[t], prior, damping[t], printed, X[t], max_iter, tol
        )
        for n in range(X.shape[1]):
            for m in range(M):
                X[t, n, m] = np.conj(X[t, n, m])
    return X, tau2, change, n_iter, diverged
