"""Gibbs sampling of the activities: two chains from different starts, tempered where the prior has no structure.

A chain's hot companion sees a part of the log-likelihood, and so crosses what lies between two modes. Now and then the
two may change places by Metropolis' rule, which leaves both distributions as they are (Geyer, 1991).

The posterior probabilities are Rao–Blackwellised: at every visit the conditional probability counts, not the draw.
Between two flips no conditional changes, so what a visit finds is kept and counted until the next flip.
"""

import numpy as np

from mmvsolvers.kernels.arrays import empty
from mmvsolvers.kernels.binary import flip, start_from
from mmvsolvers.kernels.binary_devices import device_chain, device_model, device_state
from mmvsolvers.kernels.binary_groups import group_chain, group_model, group_state
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.elementary import exp
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.shared import UNCOUNTED

# Conditionals are brought up to date for this many groups at a time.
AHEAD = 32
# Sweeps between exchanges of groups, and between sweeps of a companion, after which it and its chain may swap places.
EXCHANGE_PERIOD, SWAP_PERIOD = 10, 2
# What a companion sees of the log-likelihood.
HOT = 0.65
# From one state of SplitMix64 to the next.
STRIDE = np.uint64(0x9E3779B97F4A7C15)


@njit(**UNCOUNTED)
def step(stream):
    """Return the next state of SplitMix64 (Steele, Lea, Flood, 2014)."""
    return stream + STRIDE


@njit(**UNCOUNTED)
def uniform(stream):
    """Return the number in [0, 1) that belongs to a state."""
    z = (stream ^ (stream >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(**UNCOUNTED)
def outdated(seen, now):
    """Tell whether any of the groups has last been looked at before the flip ``now``."""
    older = 0
    for g in range(seen.size):
        older += seen[g] != now
    return older > 0


@njit(**UNCOUNTED)
def refresh(model, start, stop, state, chain):
    """Bring the conditionals of the groups in [start, stop) up to date."""
    # hundreds of words are handed over with state and chain: not in vain
    if outdated(chain.seen[start:stop], chain.flips[0]):
        model.kind.judge(model, start, stop, state, chain)
        for g in range(start, stop):
            chain.seen[g] = chain.flips[0]


@njit(**UNCOUNTED)
def toggle(model, Y, noise_var, g, state, chain):
    """Flip group g, whose conditional is up to date."""
    model.kind.settle(model, state, chain)
    gain = (chain.odds[g] - state.log_odds[g]) / chain.power
    sign = -1.0 if state.active[g] else 1.0
    chain.level[0] += sign * (gain + state.log_odds[g])
    chain.level[1] += sign * gain
    flip(model, Y, noise_var, g, state)
    chain.flips[0] += 1


@njit(**UNCOUNTED)
def draw(stream, draws):
    """Draw a number in [0, 1) for every group."""
    for g in range(draws.size):
        draws[g] = uniform(stream[0] + np.uint64(g + 1) * STRIDE)
    stream[0] += np.uint64(draws.size) * STRIDE


@njit(**UNCOUNTED)
def first_change(draws, probability, active, visits):
    """Visit groups up to the first whose state has to change; return it, or their number."""
    for g in range(draws.size):
        visits[g] += 1.0
        if (draws[g] < probability[g]) != active[g]:
            return g
    return draws.size


@njit(**UNCOUNTED)
def sweep(model, Y, noise_var, state, chain):
    """Visit every group once, in order."""
    g, G = 0, state.active.size
    draw(chain.stream, chain.draws)
    while g < G and not interrupted():
        stop = min(g + AHEAD, G)
        refresh(model, g, stop, state, chain)
        g += first_change(chain.draws[g:stop], chain.probability[g:stop], state.active[g:stop], chain.visits[g:stop])
        if g < stop:
            toggle(model, Y, noise_var, g, state, chain)
            g += 1
    chain.level[2] += chain.level[0]
    chain.level[3] += 1.0


@njit(**UNCOUNTED)
def take_out(model, Y, noise_var, g, state, chain):
    """Silence group g, and bring the conditionals of all groups up to date."""
    refresh(model, g, g + 1, state, chain)
    toggle(model, Y, noise_var, g, state, chain)
    refresh(model, 0, state.active.size, state, chain)


@njit(**UNCOUNTED)
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
            total += exp(chain.odds[g] - highest)
    left = u * total
    for g in range(G):
        if not state.active[g]:
            left -= exp(chain.odds[g] - highest)
            if left < 0.0:
                return g
    return chosen


@njit(**UNCOUNTED)
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


@njit(**UNCOUNTED)
def begin(model, Y, noise_var, active, state, chain):
    """Begin a chain where the given groups are active; its log-posterior counts from silence."""
    log_prior, chain.level[1] = start_from(model, Y, noise_var, active, state)
    chain.level[0] = log_prior + chain.level[1]
    # every conditional is outdated
    chain.flips[0] += 1


@njit(**UNCOUNTED)
def most_gaining(active, odds):
    """Return the group whose flip raises the posterior most, or -1 where none does."""
    best, chosen = 0.0, -1
    for g in range(active.size):
        gain = -odds[g] if active[g] else odds[g]
        if gain > best:
            best, chosen = gain, g
    return chosen


@njit(**UNCOUNTED)
def climb(model, Y, noise_var, state, chain):
    """Flip the group whose flip raises the posterior most, until none does."""
    # so many flips are enough, were it not for rounding errors
    for _ in range(2 * state.active.size):
        refresh(model, 0, state.active.size, state, chain)
        g = most_gaining(state.active, chain.odds)
        if g < 0 or interrupted():
            return
        toggle(model, Y, noise_var, g, state, chain)


@njit(**UNCOUNTED)
def forget(state, chain):
    """Leave all that was averaged so far out of the averages."""
    for g in range(state.active.size):
        chain.visits[g] = 0.0
        chain.total_probability[g] = 0.0
    for n in range(chain.total_mean.shape[0]):
        for m in range(chain.total_mean.shape[1]):
            chain.total_mean[n, m] = 0.0
    chain.level[2] = 0.0
    chain.level[3] = 0.0


@njit(**UNCOUNTED)
def swap(model, state, cold, hot):
    """Draw whether two chains change places, and let their levels do so; tell whether their states have to."""
    cold.stream[0] = step(cold.stream[0])
    if uniform(cold.stream[0]) >= exp((cold.power - hot.power) * (hot.level[1] - cold.level[1])):
        return False
    # what its visits have found is of the state that it leaves
    model.kind.settle(model, state, cold)
    for k in range(2):
        cold.level[k], hot.level[k] = hot.level[k], cold.level[k]
    cold.flips[0] += 1
    hot.flips[0] += 1
    return True


@njit(**UNCOUNTED)
def temper(model, Y, noise_var, k, state, chain, other, hot):
    """Let the companion run, from where the chain begins and before every second sweep, and draw whether they swap."""
    if k == 0:
        begin(model, Y, noise_var, state.active, other, hot)
    if k % SWAP_PERIOD > 0:
        return False
    sweep(model, Y, noise_var, other, hot)
    return swap(model, state, chain, hot)


@njit(**UNCOUNTED)
def relocate(model, Y, noise_var, k, state, chain, _other, _hot):
    """Exchange two groups before every tenth sweep."""
    if k % EXCHANGE_PERIOD == 0:
        exchange(model, Y, noise_var, state, chain)
    return False


@njit(**UNCOUNTED)
def run(mix, model, Y, noise_var, awake, seed, n_burn, n_sweeps, chain, hot, state, other):
    """Run a chain, and perhaps its companion; return the largest log-posterior, from silence, that it came across.

    It begins with everybody active, or where the climb from silence ends. ``mix`` lets it leave places that flips alone
    keep it in, before every sweep.
    """
    chain.stream[0], hot.stream[0] = seed, ~seed
    for g in range(state.active.size):
        state.active[g] = awake
    begin(model, Y, noise_var, state.active, state, chain)
    if not awake:
        climb(model, Y, noise_var, state, chain)
    highest = -np.inf
    for k in range(n_burn + n_sweeps):
        if interrupted():
            break
        if k == n_burn:
            forget(state, chain)
        if mix(model, Y, noise_var, k, state, chain, other, hot):
            state, other = other, state
        sweep(model, Y, noise_var, state, chain)
        highest = max(highest, chain.level[0])
    model.kind.settle(model, state, chain)
    return highest


@njit(**UNCOUNTED)
def combine_chains(one, two, share, score, X):
    """Set score and X to the chains' averages, the second one's with the given share; return how far they differ."""
    largest = 0.0
    for g in range(score.size):
        first, second = one.total_probability[g] / one.level[3], two.total_probability[g] / two.level[3]
        largest = max(largest, abs(first - second))
        score[g] = (1.0 - share) * first + share * second
    left, right = (1.0 - share) / one.level[3], share / two.level[3]
    for n in range(X.shape[0]):
        for m in range(X.shape[1]):
            real = left * one.total_mean[2 * m, n] + right * two.total_mean[2 * m, n]
            imag = left * one.total_mean[2 * m + 1, n] + right * two.total_mean[2 * m + 1, n]
            X[n, m] = complex(real, imag)
    return largest


@njit(**UNCOUNTED)
def solve(mix, model, Y, noise_var, seeds, n_burn, n_sweeps, one, two, hot, state, other, score, X):
    """Solve one problem; return the mean log-posterior, from silence, and the largest difference of the chains."""
    first = run(mix, model, Y, noise_var, False, seeds[0], n_burn, n_sweeps, one, hot, state, other)
    if interrupted():
        return 0.0, 0.0
    second = run(mix, model, Y, noise_var, True, seeds[1], n_burn, n_sweeps, two, hot, state, other)
    # a chain that is stuck where the posterior is low counts for little
    share = 1.0 / (1.0 + exp(first - second))
    difference = combine_chains(one, two, share, score, X)
    return (1.0 - share) * one.level[2] / one.level[3] + share * two.level[2] / two.level[3], difference


@njit()
def solve_all(mix, model, Y, noise_var, seeds, n_burn, n_sweeps, one, two, hot, state, other):
    """Solve T problems; return score (T, G), X (T, N, M), mean log-posterior and difference (T,)."""
    T, _, M = Y.shape
    N, G = model.rows.shape[0], model.first.size - 1
    score, X = empty((T, G)), empty((T, N, M), np.complex128)
    level, difference = empty(T), empty(T)
    for t in range(T):
        if interrupted():
            break
        level[t], difference[t] = solve(
            mix, model, Y[t], noise_var[t], seeds, n_burn, n_sweeps, one, two, hot, state, other, score[t], X[t]
        )
    return score, X, level, difference


@entry()
def devices_batch(rows, first, Y, noise_var, log_odds, couplings, weight, seeds, n_burn, n_sweeps):
    """Solve T problems of independent devices.

    rows are √g_n·a_nᵀ (N, L), first the numbers of the devices and N behind, Y (T, L, M), noise_var (T,), log_odds
    (N,), couplings (0, 0), seeds of the two chains. Returns score (T, N), X (T, N, M) in units of √g, mean
    log-posterior and difference (T,).
    """
    model, M = device_model(rows, first, log_odds, couplings, weight), Y.shape[2]
    one, two, hot = device_chain(model, 1.0, M), device_chain(model, 1.0, M), device_chain(model, HOT, 0)
    state, other = device_state(model, M), device_state(model, M)
    return solve_all(temper, model, Y, noise_var, seeds, n_burn, n_sweeps, one, two, hot, state, other)


@entry()
def coupled_batch(rows, first, Y, noise_var, log_odds, couplings, weight, seeds, n_burn, n_sweeps):
    """Solve T problems of single devices with couplings (N, N); for the rest see ``devices_batch``."""
    model, M = device_model(rows, first, log_odds, couplings, weight), Y.shape[2]
    one, two, hot = device_chain(model, 1.0, M), device_chain(model, 1.0, M), device_chain(model, HOT, 0)
    state, other = device_state(model, M), device_state(model, M)
    return solve_all(relocate, model, Y, noise_var, seeds, n_burn, n_sweeps, one, two, hot, state, other)


@entry()
def groups_batch(rows, first, Y, noise_var, log_odds, couplings, weight, seeds, n_burn, n_sweeps):
    """Solve T problems of groups.

    rows are √g_n·a_nᵀ group by group, first (G + 1,) where each group begins, log_odds (G,), score (T, G); for the rest
    see ``devices_batch``.
    """
    model, M = group_model(rows, first, log_odds, couplings, weight), Y.shape[2]
    one, two, hot = group_chain(model, 1.0, M), group_chain(model, 1.0, M), group_chain(model, HOT, 0)
    state, other = group_state(model, M), group_state(model, M)
    return solve_all(relocate, model, Y, noise_var, seeds, n_burn, n_sweeps, one, two, hot, state, other)
