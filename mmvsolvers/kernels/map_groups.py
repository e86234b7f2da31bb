"""Maximum a posteriori over binary activities of groups: flips and exchanges that gain, in several random orders."""

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.binary_groups import group_chain, group_model, group_state
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.gibbs import begin, refresh, step, take_out, toggle, uniform
from mmvsolvers.kernels.interrupts import interrupted

# A coupling of more nats than this ties two devices: the first of them to flip alone may lose what both gain.
TIE = 1.0
# Gains of less than this part of the log-posterior are rounding errors.
ROUNDING = 1e-6


@njit()
def shuffle(order, chain):
    """Bring the groups into a random order, in place."""
    stream = chain.stream[0]
    for last in range(order.size - 1, 0, -1):
        stream = step(stream)
        other = int(uniform(stream) * (last + 1))
        order[last], order[other] = order[other], order[last]
    chain.stream[0] = stream


@njit()
def exchange_all(model, Y, noise_var, order, state, chain):
    """Let every active group in turn change places with the silent one that gains most; tell whether any did."""
    moved = False
    for g in order:
        if interrupted():
            break
        if state.active[g]:
            take_out(model, Y, noise_var, g, state, chain)
            best = g
            for other in range(state.active.size):
                if not state.active[other] and chain.odds[other] > chain.odds[best]:
                    best = other
            toggle(model, Y, noise_var, best, state, chain)
            moved = moved or best != g
    return moved


@njit()
def flip(model, Y, noise_var, g, state, chain):
    """Flip group g, whose conditional may be outdated."""
    refresh(model, g, g + 1, state, chain)
    toggle(model, Y, noise_var, g, state, chain)


@njit()
def flip_tied(model, Y, noise_var, g, tied, state, chain):
    """Flip device g with those that are tied to it, then each back that gains by it; take all back where nothing does.

    ``tied`` gets those that took part. Returns whether the posterior is higher.
    """
    before, state_before = chain.level[0], state.active[g]
    for m in range(tied.size):
        tied[m] = m == g or (model.couplings[g, m] > TIE and state.active[m] == state_before)
    for m in range(tied.size):
        if tied[m]:
            flip(model, Y, noise_var, m, state, chain)
    for m in range(tied.size):
        if tied[m]:
            refresh(model, m, m + 1, state, chain)
            if (chain.odds[m] > 0.0) != state.active[m]:
                toggle(model, Y, noise_var, m, state, chain)
    if chain.level[0] > before + ROUNDING * (1.0 + abs(before)):
        return True
    for m in range(tied.size):
        if tied[m] and state.active[m] != state_before:
            flip(model, Y, noise_var, m, state, chain)
    chain.level[0] = before
    return False


@njit()
def flip_all_tied(model, Y, noise_var, order, state, chain):
    """Let the devices of every tie flip together where that gains; tell whether any did."""
    moved = False
    tied, seen = zeros(order.size, np.bool_), zeros(order.size, np.bool_)
    for g in order:
        if interrupted():
            break
        if not seen[g]:
            moved = flip_tied(model, Y, noise_var, g, tied, state, chain) or moved
            for m in range(order.size):
                seen[m] = seen[m] or tied[m]
    return moved


@njit()
def climb(model, Y, noise_var, order, max_iter, state, chain):
    """Flip every group in turn whose flip raises the posterior, or exchange two, or flip what is tied, until none does.

    Returns the sweeps.
    """
    for done in range(max_iter):
        flips = chain.flips[0]
        for g in order:
            refresh(model, g, g + 1, state, chain)
            if (chain.odds[g] > 0.0) != state.active[g]:
                if interrupted():
                    return done
                toggle(model, Y, noise_var, g, state, chain)
        moved = chain.flips[0] != flips or exchange_all(model, Y, noise_var, order, state, chain)
        if not moved and model.couplings.size > 0:
            moved = flip_all_tied(model, Y, noise_var, order, state, chain)
        if not moved:
            return done + 1
    return max_iter


@njit()
def largest_gain(model, state, chain):
    """Return by how much a single flip can still raise the log-posterior."""
    refresh(model, 0, state.active.size, state, chain)
    gain = 0.0
    for g in range(state.active.size):
        gain = max(gain, -chain.odds[g] if state.active[g] else chain.odds[g])
    return gain


@njit()
def solve(model, Y, noise_var, seed, n_orders, max_iter, active):
    """Climb from silence in several orders; put the best end into ``active``.

    Returns its log-posterior from silence, what a flip can still gain, and the sweeps of all orders.
    """
    G = active.size
    state = group_state(model, Y.shape[1])
    chain = group_chain(model, 1.0, 0)
    chain.stream[0] = seed
    order = np.arange(G)
    best, gain, done = -np.inf, 0.0, 0
    for _ in range(n_orders):
        if interrupted():
            break
        shuffle(order, chain)
        begin(model, Y, noise_var, zeros(G, np.bool_), state, chain)
        done += climb(model, Y, noise_var, order, max_iter, state, chain)
        if chain.level[0] > best:
            best = chain.level[0]
            gain = largest_gain(model, state, chain)
            for g in range(G):
                active[g] = state.active[g]
    return best, gain, done


@entry()
def solve_batch(rows, first, Y, noise_var, log_odds, couplings, seed, n_orders, max_iter):
    """Solve T problems.

    rows are √g_n·a_nᵀ (N, L) group by group, first (G + 1,) where each group begins, Y (T, L, M), noise_var (T,),
    log_odds (G,), couplings (N, N) of groups of one device, or (0, 0). Returns active (T, G), log-posterior from
    silence, largest gain and sweeps (T,).
    """
    T = Y.shape[0]
    model = group_model(rows, first, log_odds, couplings, 1.0)
    active = zeros((T, first.size - 1), np.bool_)
    level, gain, n_iter = empty(T), empty(T), empty(T, np.int64)
    for t in range(T):
        if interrupted():
            break
        level[t], gain[t], n_iter[t] = solve(model, Y[t], noise_var[t], seed, n_orders, max_iter, active[t])
    return active, level, gain, n_iter
