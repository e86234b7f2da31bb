"""GROUP LASSO where the rows of X form blocks that are zero together, by block coordinate descent and by ADMM.

Devices stand group by group, with pilots that are orthogonal within a group: then the step of a group is exact up to
one scalar equation. Rotating the pilots of a group, and its rows of X with them, makes them so and changes neither AX
nor ‖X_g‖.
"""

from collections import namedtuple

import numpy as np

from mmvsolvers.kernels.arrays import empty, zeros
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.group_lasso_admm import CHECK_EVERY, rebalance
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.shared import copy_into, real_inner, squared_norm

# Newton's steps for the length of a group: they rise to it, doubling the correct digits.
NEWTON_STEPS = 60
# A sweep asks after so many groups whether it is interrupted.
LOOK_EVERY = 16
# Between two sweeps over all groups, a run to tolerance makes this many over those that are not zero.
ACTIVE_SWEEPS = 10

# What problems share: a_nᵀ (N, L), a_nᴴ (N, L), ‖a_n‖² (N,), and where each group begins, with N behind (G + 1,).
Pilots = namedtuple("Pilots", "rows conjugate squares first")


@njit()
def group_shift(t, squares, lam):
    """Return s with X_n = t_n/(‖a_n‖² + s) for the X of least ½ Σ_n ‖a_n‖²‖X_n‖² - Re⟨X, t⟩ + λ‖X‖; inf for zero.

    Its length ν solves Σ_n ‖t_n‖²/(‖a_n‖²ν + λ)² = 1, and s is λ/ν. The sum to the power -½ is concave and rises with
    ν, so that Newton's steps from 0 rise to where it is 1.
    """
    total = 0.0
    for n in range(squares.size):
        total += squared_norm(t[n])
    if total <= lam * lam:
        return np.inf
    if lam == 0.0:
        return 0.0
    length = 0.0
    for _ in range(NEWTON_STEPS):
        total, fall = 0.0, 0.0
        for n in range(squares.size):
            below = squares[n] * length + lam
            share = squared_norm(t[n]) / (below * below)
            total += share
            fall += share * squares[n] / below
        if not (total > 1.0 and fall > 0.0):
            break
        step = (1.0 - 1.0 / np.sqrt(total)) * total * np.sqrt(total) / fall
        if length + step <= length * (1.0 + 1e-15):
            break
        length += step
    return lam / length


@njit()
def threshold_group(t, squares, lam, X):
    """Set the rows ``X`` of a group to their minimiser; ``t`` becomes what that changes. Return whether it is zero."""
    shift = group_shift(t, squares, lam)
    for n in range(squares.size):
        below = squares[n] + shift
        for m in range(t.shape[1]):
            new = t[n, m] / t.real.dtype.type(below) if below > 0.0 and shift < np.inf else 0.0 * t[n, m]
            t[n, m] = new - X[n, m]
            X[n, m] = new
    return shift == np.inf


@njit()
def certificate(pilots, Y, lam, bound, X, R):
    """Return the objective and its relative duality gap, as `mmvsolvers.kernels.group_lasso_bcd.certificate` does."""
    products = np.dot(pilots.conjugate, R)
    largest, penalty = 0.0, 0.0
    for g in range(pilots.first.size - 1):
        pull, length = 0.0, 0.0
        for n in range(pilots.first[g], pilots.first[g + 1]):
            pull += squared_norm(products[n])
            length += squared_norm(X[n])
        largest = max(largest, np.sqrt(pull))
        penalty += np.sqrt(length)
    fit, inner, power = 0.0, 0.0, 0.0
    for i in range(Y.shape[0]):
        fit += squared_norm(R[i])
        inner += real_inner(R[i], Y[i])
        power += squared_norm(Y[i])
    scale = lam / largest if largest > lam else 1.0
    primal = 0.5 * fit + lam * penalty
    gap, reference = primal - scale * inner + 0.5 * scale * scale * fit, primal
    if lam == 0.0:
        gap, reference = primal - bound, 0.5 * power
    return primal, max(gap, 0.0) / reference if reference > 0.0 else 0.0


@njit()
def set_residual(pilots, Y, X, R):
    """Set R = Y - AX."""
    product = np.dot(pilots.rows.T, X)
    for i in range(R.shape[0]):
        for m in range(R.shape[1]):
            R[i, m] = Y[i, m] - product[i, m]


@njit()
def sweep(pilots, lam, only_active, active, X, R, t):
    """Minimise over one group after the other, over those not zero alone if asked; bring the residual up to date."""
    rows, conjugate, first = pilots.rows, pilots.conjugate, pilots.first
    for g in range(first.size - 1):
        if g % LOOK_EVERY == 0 and interrupted():
            break
        if only_active and not active[g]:
            continue
        start, size = first[g], first[g + 1] - first[g]
        for k in range(size):
            for m in range(R.shape[1]):
                t[k, m] = rows.real.dtype.type(pilots.squares[start + k]) * X[start + k, m]
            for i in range(R.shape[0]):
                factor = conjugate[start + k, i]
                for m in range(R.shape[1]):
                    t[k, m] += factor * R[i, m]
        change = t[:size]
        was_active = active[g]
        active[g] = not threshold_group(change, pilots.squares[start : start + size], lam, X[start : start + size])
        if was_active or active[g]:
            for k in range(size):
                for i in range(R.shape[0]):
                    factor = rows[start + k, i]
                    for m in range(R.shape[1]):
                        R[i, m] -= factor * change[k, m]


@njit()
def descend(pilots, Y, lam, bound, X, max_iter, tol):
    """Solve one problem from X, in place; return objective, relative gap and sweeps done."""
    R, t = empty(Y.shape, Y.dtype), empty((np.max(pilots.first[1:] - pilots.first[:-1]), Y.shape[1]), Y.dtype)
    active = np.ones(pilots.first.size - 1, np.bool_)
    set_residual(pilots, Y, X, R)
    done = 0
    while True:
        if tol > 0.0 or done == max_iter:
            set_residual(pilots, Y, X, R)
            objective, gap = certificate(pilots, Y, lam, bound, X, R)
            if gap <= tol or done >= max_iter:
                return objective, gap, done
        if interrupted():
            return np.inf, np.inf, done
        sweep(pilots, lam, False, active, X, R, t)
        done += 1
        if tol > 0.0:
            for _ in range(min(ACTIVE_SWEEPS, max_iter - done)):
                sweep(pilots, lam, True, active, X, R, t)
                done += 1


@entry()
def descend_batch(rows, conjugate, squares, first, Y, lam, bound, X, max_iter, tol):
    """Solve T problems by block coordinate descent, from X (T, N, M), in place.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), squares ‖a_n‖² (N,), first (G + 1,), Y (T, L, M), lam and a lower bound
    of the optimum (T,). Returns objective, relative gap and n_iter, (T,).
    """
    T = Y.shape[0]
    objective, gap, n_iter = empty(T), empty(T), empty(T, np.int64)
    pilots = Pilots(rows, conjugate, squares, first)
    for t in range(T):
        if interrupted():
            break
        objective[t], gap[t], n_iter[t] = descend(pilots, Y[t], lam[t], bound[t], X[t], max_iter, tol)
    return objective, gap, n_iter


@njit()
def split(pilots, Y, lam, bound, rho, adaptive, X, max_iter, tol):
    """Solve one problem by ADMM from X = 0, in place; return objective, relative gap and iterations done."""
    real = pilots.rows.real.dtype.type
    first, G = pilots.first, pilots.first.size - 1
    mean, B, C, R = zeros(Y.shape, Y.dtype), zeros(Y.shape, Y.dtype), zeros(Y.shape, Y.dtype), empty(Y.shape, Y.dtype)
    pull = empty(X.shape, X.dtype)
    done, gap = 0, np.inf
    while gap > tol and done < max_iter and not interrupted():
        for i in range(Y.shape[0]):
            for m in range(Y.shape[1]):
                R[i, m] = B[i, m] - mean[i, m] - C[i, m]
        np.dot(pilots.conjugate, R, pull)
        for n in range(X.shape[0]):
            for m in range(X.shape[1]):
                pull[n, m] += real(pilots.squares[n]) * X[n, m]
        for g in range(G):
            part = slice(first[g], first[g + 1])
            threshold_group(pull[part], pilots.squares[part], lam / rho, X[part])
        copy_into(mean, np.dot(pilots.rows.T, X))
        primal, dual = 0.0, 0.0
        for i in range(Y.shape[0]):
            for m in range(Y.shape[1]):
                mean[i, m] *= real(1.0 / G)
                new = real(1.0 / (G + rho)) * Y[i, m] + real(rho / (G + rho)) * (mean[i, m] + C[i, m])
                change, miss = new - B[i, m], mean[i, m] - new
                B[i, m] = new
                C[i, m] += miss
                primal += miss.real * miss.real + miss.imag * miss.imag
                dual += change.real * change.real + change.imag * change.imag
        done += 1
        if done == max_iter or (tol > 0.0 and done % CHECK_EVERY == 0):
            set_residual(pilots, Y, X, R)
            objective, gap = certificate(pilots, Y, lam, bound, X, R)
        if adaptive and done % CHECK_EVERY == 0:
            rho = rebalance(rho, primal, dual, C)
    return objective, gap, done


@entry()
def split_batch(rows, conjugate, squares, first, Y, lam, bound, rho, adaptive, max_iter, tol):
    """Solve T problems by ADMM in sharing form among the G groups; arguments as for `descend_batch`.

    rho is (T,). Returns X (T, N, M), and objective, relative gap and n_iter, (T,).
    """
    T, _, M = Y.shape
    X = zeros((T, rows.shape[0], M), rows.dtype)
    objective, gap, n_iter = empty(T), empty(T), empty(T, np.int64)
    pilots = Pilots(rows, conjugate, squares, first)
    for t in range(T):
        if interrupted():
            break
        objective[t], gap[t], n_iter[t] = split(pilots, Y[t], lam[t], bound[t], rho[t], adaptive, X[t], max_iter, tol)
    return X, objective, gap, n_iter
