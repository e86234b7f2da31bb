"""The exact posterior of few groups: all activities in the order of a Gray code, one flip from each to the next."""

import numpy as np

from mmvsolvers.kernels.arrays import zeros
from mmvsolvers.kernels.binary_groups import group_chain, group_model, group_state
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.gibbs import begin, refresh, toggle
from mmvsolvers.kernels.interrupts import interrupted


@njit()
def scale_down(factor, score, X):
    """Multiply score and X in place."""
    for g in range(score.size):
        score[g] *= factor
    for n in range(X.shape[0]):
        for m in range(X.shape[1]):
            X[n, m] *= factor


@njit()
def add_state(model, weight, state, score, X):
    """Add the present activity and its conditional mean, times ``weight``, to score and X."""
    for g in range(score.size):
        if state.active[g]:
            score[g] += weight
            for n in range(model.first[g], model.first[g + 1]):
                for m in range(X.shape[1]):
                    X[n, m] += weight * complex(state.U[2 * m, n], state.U[2 * m + 1, n])


@njit()
def solve(model, Y, noise_var, score, X):
    """Set score (G,) and X (N, M), zero so far, to the posterior probabilities and mean."""
    G = score.size
    state = group_state(model, Y.shape[1])
    chain = group_chain(model, 1.0, 0)
    begin(model, Y, noise_var, zeros(G, np.bool_), state, chain)
    highest, total = 0.0, 1.0
    for k in range(1, 2**G):
        if interrupted():
            break
        g = 0
        while k % 2 == 0:
            k //= 2
            g += 1
        refresh(model, g, g + 1, state, chain)
        toggle(model, Y, noise_var, g, state, chain)
        level = chain.level[0]
        if level > highest:
            factor = np.exp(highest - level)
            scale_down(factor, score, X)
            total *= factor
            highest = level
        weight = np.exp(level - highest)
        total += weight
        if weight > 0.0:
            add_state(model, weight, state, score, X)
    scale_down(1.0 / total, score, X)


@entry()
def solve_batch(rows, first, Y, noise_var, log_odds):
    """Solve T problems.

    rows are √g_n·a_nᵀ (N, L) group by group, first (G + 1,) where each group begins, Y (T, L, M), log_odds (G,).
    Returns score (T, G) and X (T, N, M) in units of √g.
    """
    T, _, M = Y.shape
    N, G = rows.shape[0], first.size - 1
    couplings = zeros((0, 0))
    model = group_model(rows, first, log_odds, couplings, 1.0)
    score, X = zeros((T, G)), zeros((T, N, M), np.complex128)
    for t in range(T):
        if interrupted():
            break
        solve(model, Y[t], noise_var, score[t], X[t])
    return score, X
