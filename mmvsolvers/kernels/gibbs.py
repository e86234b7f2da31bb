"""Gibbs sampling of the activities: two chains from different starts, on one stream of random numbers.

The posterior probabilities are Rao–Blackwellised: at every visit the conditional probability counts, not the draw.
Between two flips no conditional changes, so what a visit finds is kept and counted until the next flip.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.binary import (
    SMALLEST_PIVOT,
    Model,
    flip,
    largest_power,
    make_state,
    set_activity,
    solve_back,
    whiten,
)
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted

# Conditional means of less than this probability are left out.
NEGLIGIBLE = 1e-9
# Conditionals are brought up to date for this many groups at a time.
AHEAD = 16

# A chain's average: flips so far and that at each group's last look (G,), the log-odds and probability found there,
# the visits since, their conditional mean (N, M); and sums of probabilities (G,) and means (N, M) over the visits.
# `level` holds the log-posterior, up to a constant, its sum over the sweeps, and their number.
Chain = namedtuple("Chain", "stream flips seen odds probability visits mean total_probability total_mean level")


@njit()
def step(stream):
    """Return the next state of SplitMix64 (Steele, Lea, Flood, 2014)."""
    return stream + np.uint64(0x9E3779B97F4A7C15)


@njit()
def uniform(stream):
    """Return the number in [0, 1) that belongs to a state."""
    z = (stream ^ (stream >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit()
def logistic(z):
    """Return 1/(1 + e⁻ᶻ)."""
    small = np.exp(-abs(z))
    return 1.0 / (1.0 + small) if z >= 0.0 else small / (1.0 + small)


@njit()
def make_chain(seed, G, N, M):
    """Allocate a chain that has seen nothing."""
    stream = np.empty(1, np.uint64)
    stream[0] = seed
    return Chain(
        stream,
        np.zeros(1, np.int64),
        np.full(G, -1),
        np.zeros(G),
        np.zeros(G),
        np.zeros(G, np.int64),
        np.zeros((N, M), np.complex128),
        np.zeros(G),
        np.zeros((N, M), np.complex128),
        np.zeros(3),
    )


@njit()
def refresh(model, start, stop, state, chain):
    """Bring the conditionals of the groups in [start, stop) up to date, the visits since their last one settled."""
    active, U, B, factor, whitened = state.active, state.U, state.B, state.factor, state.whitened
    log_odds, first, weight = state.log_odds, model.first, model.weight
    seen, odds, probability, visits, mean = chain.seen, chain.odds, chain.probability, chain.visits, chain.mean
    total_probability, total_mean = chain.total_probability, chain.total_mean
    now, M = chain.flips[0], U.shape[0]
    for g in range(start, stop):
        if seen[g] == now:
            continue
        one, size = first[g], first[g + 1] - first[g]
        count, P = visits[g], probability[g]
        if count:
            visits[g] = 0
            total_probability[g] += count * P
            if P > NEGLIGIBLE:
                for n in range(one, one + size):
                    for m in range(M):
                        total_mean[n, m] += count * mean[n, m]
        seen[g] = now
        sign = -1.0 if active[g] else 1.0
        if size == 1:
            pivot = max(1.0 + sign * B[0, one].real, SMALLEST_PIVOT)
            log_det, fit = np.log(pivot), 0.0
            for m in range(M):
                fit += U[m, one].real * U[m, one].real + U[m, one].imag * U[m, one].imag
            fit /= pivot
        else:
            pivot = 1.0
            log_det, fit = whiten(B, U, one, size, sign, factor, whitened)
        z = weight * (fit - sign * M * log_det) + log_odds[g]
        P = logistic(z)
        odds[g], probability[g] = z, P
        if P > NEGLIGIBLE:
            if active[g]:
                for n in range(one, one + size):
                    for m in range(M):
                        mean[n, m] = P * U[m, n]
            elif size == 1:
                for m in range(M):
                    mean[one, m] = P / pivot * U[m, one]
            else:
                solve_back(factor, size, whitened)
                for n in range(one, one + size):
                    for m in range(M):
                        mean[n, m] = P * whitened[n - one, m]


@njit()
def toggle(model, Y, noise_var, g, state, chain):
    """Flip group g, whose conditional is up to date."""
    odds = chain.odds[g]
    chain.level[0] += -odds if state.active[g] else odds
    flip(model, Y, noise_var, g, state)
    chain.flips[0] += 1


@njit()
def next_flip(model, g, state, chain):
    """Draw group g and those after it; return the first whose state has to change, or G."""
    active, probability, visits = state.active, chain.probability, chain.visits
    stream = chain.stream[0]
    G = active.size
    found = G
    while g < G and found == G:
        stop = min(g + AHEAD, G)
        refresh(model, g, stop, state, chain)
        while g < stop:
            stream = step(stream)
            visits[g] += 1
            if (uniform(stream) < probability[g]) != active[g]:
                found = g
                break
            g += 1
    chain.stream[0] = stream
    return found


@njit()
def sweep(model, Y, noise_var, state, chain):
    """Visit every group once, in order."""
    G = state.active.size
    g = next_flip(model, 0, state, chain)
    while g < G and not interrupted():
        toggle(model, Y, noise_var, g, state, chain)
        g = next_flip(model, g + 1, state, chain)
    chain.level[1] += chain.level[0]
    chain.level[2] += 1.0


@njit()
def take_out(model, Y, noise_var, g, state, chain):
    """Silence group g, and bring the conditionals of all groups up to date."""
    refresh(model, g, g + 1, state, chain)
    toggle(model, Y, noise_var, g, state, chain)
    refresh(model, 0, state.active.size, state, chain)


@njit()
def draw_silent(u, state, chain):
    """Return the silent group that u in [0, 1) chooses by the odds of waking alone, all conditionals up to date."""
    G = state.active.size
    highest, chosen = -np.inf, -1
    for g in range(G):
        if not state.active[g] and chain.odds[g] > highest:
            highest, chosen = chain.odds[g], g
    total = 0.0
    for g in range(G):
        if not state.active[g]:
            total += np.exp(chain.odds[g] - highest)
    left = u * total
    for g in range(G):
        if not state.active[g]:
            left -= np.exp(chain.odds[g] - highest)
            if left < 0.0:
                return g
    return chosen


@njit()
def exchange(model, Y, noise_var, state, chain):
    """Draw the place of one active group anew, given all others: it and the silent ones compete for it.

    Where groups look alike, the way from one to the other by flips leads through activities of little probability.
    """
    n_active = 0
    for g in range(state.active.size):
        n_active += state.active[g]
    if n_active == 0:
        return
    stream = step(chain.stream[0])
    k = int(uniform(stream) * n_active)
    for g in range(state.active.size):
        if state.active[g]:
            if k == 0:
                take_out(model, Y, noise_var, g, state, chain)
                break
            k -= 1
    stream = step(stream)
    chain.stream[0] = stream
    toggle(model, Y, noise_var, draw_silent(uniform(stream), state, chain), state, chain)


@njit()
def begin(model, Y, noise_var, active, state, chain):
    """Wake the given groups one after the other, so that the log-posterior counts from silence."""
    silent = np.zeros(active.size, np.bool_)
    set_activity(model, Y, noise_var, silent, state)
    for g in range(active.size):
        if active[g]:
            if interrupted():
                break
            refresh(model, g, g + 1, state, chain)
            toggle(model, Y, noise_var, g, state, chain)


@njit()
def forget(state, chain):
    """Leave all that was averaged so far out of the averages."""
    for g in range(state.active.size):
        chain.visits[g] = 0
        chain.total_probability[g] = 0.0
    for n in range(chain.total_mean.shape[0]):
        for m in range(chain.total_mean.shape[1]):
            chain.total_mean[n, m] = 0.0
    chain.level[1] = 0.0
    chain.level[2] = 0.0


@njit()
def run(model, Y, noise_var, active, seed, n_burn, n_sweeps, period, state):
    """Run one chain; return it and the largest log-posterior, from silence, that it came across.

    There is an exchange in every ``period`` sweeps, none where that is zero.
    """
    chain = make_chain(seed, model.first.size - 1, model.rows.shape[0], Y.shape[1])
    begin(model, Y, noise_var, active, state, chain)
    highest = -np.inf
    for k in range(n_burn + n_sweeps):
        if interrupted():
            break
        if k == n_burn:
            forget(state, chain)
        if period > 0 and k % period == 0:
            exchange(model, Y, noise_var, state, chain)
        sweep(model, Y, noise_var, state, chain)
        highest = max(highest, chain.level[0])
    # every conditional counts as outdated, and so all visits are settled
    chain.flips[0] += 1
    refresh(model, 0, state.active.size, state, chain)
    return chain, highest


@njit()
def combine_chains(chains, share, score, X):
    """Set score and X to the chains' averages, the second one's with the given share; return how far they differ."""
    one, two = chains
    largest = 0.0
    for g in range(score.size):
        first, second = one.total_probability[g] / one.level[2], two.total_probability[g] / two.level[2]
        largest = max(largest, abs(first - second))
        score[g] = (1.0 - share) * first + share * second
    for n in range(X.shape[0]):
        for m in range(X.shape[1]):
            X[n, m] = (1.0 - share) / one.level[2] * one.total_mean[n, m] + share / two.level[2] * two.total_mean[n, m]
    return largest


@njit()
def solve(model, Y, noise_var, start, seeds, n_burn, n_sweeps, period, score, X):
    """Solve one problem; return the mean log-posterior, from silence, and the largest difference of the chains."""
    state = make_state(model, Y.shape[1])
    one, first = run(model, Y, noise_var, start[0], seeds[0], n_burn, n_sweeps, period, state)
    if interrupted():
        return 0.0, 0.0
    two, second = run(model, Y, noise_var, start[1], seeds[1], n_burn, n_sweeps, period, state)
    # a chain that is stuck where the posterior is low counts for little
    share = logistic(second - first)
    difference = combine_chains((one, two), share, score, X)
    return (1.0 - share) * one.level[1] / one.level[2] + share * two.level[1] / two.level[2], difference


@entry()
def solve_batch(rows, first, Y, noise_var, log_odds, couplings, weight, start, seeds, n_burn, n_sweeps, period):
    """Solve T problems.

    rows are √g_n·a_nᵀ (N, L) group by group, first (G + 1,) where each group begins, Y (T, L, M), noise_var (T,),
    log_odds (G,), couplings (N, N) or (0, 0), start (T, 2, G) who is active at first in the two chains. Returns score
    (T, G), X (T, N, M) in units of √g, mean log-posterior and difference (T,).
    """
    T, _, M = Y.shape
    N, G = rows.shape[0], first.size - 1
    model = Model(rows, np.ascontiguousarray(np.conj(rows.T)), largest_power(rows), first, log_odds, couplings, weight)
    score, X = np.empty((T, G)), np.empty((T, N, M), np.complex128)
    level, difference = np.empty(T), np.empty(T)
    for t in range(T):
        if interrupted():
            break
        level[t], difference[t] = solve(
            model, Y[t], noise_var[t], start[t], seeds, n_burn, n_sweeps, period, score[t], X[t]
        )
    return score, X, level, difference
