from collections import deque

import numpy as np
from scipy.linalg import cholesky, solve_triangular

# A step is taken where the objective falls by this share of what the slope promises.
SUFFICIENT = 1e-4


def iterates(A, Y, noise_var):
    """Yield γ of the spectral projected gradient method.

    E. G. Birgin, J. M. Martínez, M. Raydan, "Nonmonotone spectral projected gradient methods on convex sets", SIAM
    Journal on Optimization, 2000, algorithm SPG2: step lengths of Barzilai and Borwein, and a line search that may rise
    to the largest of the last ten objectives. Z. Wang, Z. Chen, Y.-F. Liu, F. Sohrabi, W. Yu, "An efficient active set
    algorithm for covariance based joint data and activity detection for massive random access with massive MIMO", IEEE
    ICASSP 2021, minimise the likelihood by such steps in the box of known powers. Here it ends at the largest power
    that a matched filter sees.
    """
    return _iterates(A, Y, noise_var, scaled=False, memory=10, where_concave=1e10)


def scaled_iterates(A, Y, noise_var):
    """Yield γ of the same method in coordinates that make the objective's curvature along each, about q², one.

    A full step then is a Newton step along every coordinate. It is taken where the objective is concave, and the
    objective falls at every iteration: with steps as bold as those of the plain method, it ends in a corner of the box.
    """
    return _iterates(A, Y, noise_var, scaled=True, memory=1, where_concave=1.0)


def _iterates(A, Y, noise_var, *, scaled, memory, where_concave):
    upper = (squared_norms(Y.conj().T @ A) / squared_norms(A) ** 2).max() / Y.shape[1]
    gamma = np.zeros(A.shape[1])
    objective, factor = evaluate(A, Y, noise_var, gamma)
    gradient, q = slopes(A, Y, factor)
    curvature = q * q if scaled else np.ones_like(q)
    recent = deque([objective], memory)
    length = 1.0 / np.abs(np.clip(gamma - gradient / curvature, 0.0, upper) - gamma).max()
    while True:
        direction = np.clip(gamma - length * gradient / curvature, 0.0, upper) - gamma
        slope, share = gradient @ direction, 1.0
        reached, factor = evaluate(A, Y, noise_var, gamma + direction)
        # not for ever: close to the end, rounding errors are all that is left of the slope
        while reached > max(recent) + SUFFICIENT * share * slope and share > 1e-10:
            # to the minimum of the parabola, where it is neither too near nor too far
            guess = -0.5 * share**2 * slope / (reached - objective - share * slope)
            share = guess if 0.1 * share <= guess <= 0.9 * share else 0.5 * share
            reached, factor = evaluate(A, Y, noise_var, gamma + share * direction)
        moved, before = share * direction, gradient
        gamma, objective = gamma + moved, reached
        recent.append(objective)
        yield gamma
        gradient, q = slopes(A, Y, factor)
        curvature = q * q if scaled else curvature
        bend = moved @ (gradient - before)
        length = min(moved @ (curvature * moved) / bend, 1e10) if bend > 0.0 else where_concave


def squared_norms(columns):
    """Return the squared norms of columns."""
    return np.sum(columns.real**2 + columns.imag**2, axis=0)


def evaluate(A, Y, noise_var, gamma):
    """Return the negative log-likelihood and the Cholesky factor of Σ."""
    rows = A[:, gamma > 0.0] * np.sqrt(gamma[gamma > 0.0])
    factor = cholesky(rows @ rows.conj().T + noise_var * np.eye(len(A)), lower=True, check_finite=False)
    fit = squared_norms(solve_triangular(factor, Y, lower=True, check_finite=False)).sum() / Y.shape[1]
    return 2.0 * np.log(factor.diagonal().real).sum() + fit, factor


def slopes(A, Y, factor):
    """Return the gradient q - r, and q, of every device."""
    pilots = solve_triangular(factor, A, lower=True, check_finite=False)
    received = solve_triangular(factor, Y, lower=True, check_finite=False)
    q = squared_norms(pilots)
    return q - squared_norms(received.conj().T @ pilots) / Y.shape[1], q
