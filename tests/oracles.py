"""The solvers once more, straight from their formulas: plain NumPy, one problem at a time, nothing clever.

They share no code with the package, so that an agreement says something.
"""

import itertools

import numpy as np


def adjoint(matrix):
    return matrix.conj().T


def soft_threshold(t, level):
    length = np.linalg.norm(t)
    return max(1 - level / length, 0) * t if length > 0 else 0 * t


def group_lasso_objective(A, Y, X, lam):
    return 0.5 * np.linalg.norm(A @ X - Y) ** 2 + lam * np.linalg.norm(X, axis=1).sum()


def group_lasso_gap(A, Y, X, lam):
    R = Y - A @ X
    theta = R * min(1.0, lam / max(np.linalg.norm(adjoint(A) @ R, axis=1).max(), 1e-300))
    dual = np.real(np.vdot(theta, Y)) - 0.5 * np.linalg.norm(theta) ** 2
    return group_lasso_objective(A, Y, X, lam) - dual


def group_lasso_bcd(A, Y, lam, n_iter):
    N = A.shape[1]
    X = np.zeros((N, Y.shape[1]), np.result_type(A, Y))
    R = Y - A @ X
    for _ in range(n_iter):
        for n in range(N):
            a = A[:, n]
            old = X[n].copy()
            t = a.conj() @ (R + np.outer(a, old))
            X[n] = soft_threshold(t, lam) / np.linalg.norm(a) ** 2
            R = R - np.outer(a, X[n] - old)
    return X


def group_lasso_admm(A, Y, lam, rho, n_iter):
    N = A.shape[1]
    X = np.zeros((N, Y.shape[1]), np.result_type(A, Y))
    mean, B, C = np.zeros_like(Y), np.zeros_like(Y), np.zeros_like(Y)
    squares = np.linalg.norm(A, axis=0) ** 2
    for _ in range(n_iter):
        t = squares[:, None] * X + adjoint(A) @ (B - mean - C)
        X = np.array([soft_threshold(t[n], lam / rho) / squares[n] for n in range(N)])
        mean = A @ X / N
        B = (Y + rho * mean + rho * C) / (N + rho)
        C = C + mean - B
    return X


def amp_mmse(A, Y, activity_prob, n_iter, channel_var=1.0, damping=1.0, onsager="matrix", column_scaling="own"):
    """Return X and the course of τ²."""
    L, N = A.shape
    M = Y.shape[1]
    eps = np.broadcast_to(activity_prob, N)
    own = column_scaling == "own"
    norms = np.linalg.norm(A, axis=0) if own else np.full(N, np.sqrt(L))
    g = np.broadcast_to(channel_var, N) * norms**2 / L
    A, Y = A / norms, Y / np.sqrt(L)
    X, R = np.zeros((N, M), complex), Y.astype(complex)
    course = []
    for _ in range(n_iter):
        tau2 = np.linalg.norm(R) ** 2 / (L * M)
        course.append(tau2)
        Q = adjoint(A) @ R + X
        X_new = np.zeros_like(X)
        J = np.zeros((M, M), complex)
        for n in range(N):
            q = Q[n]
            delta = g[n] / (tau2 * (tau2 + g[n]))
            log_t = np.log((1 - eps[n]) / eps[n]) + M * np.log((tau2 + g[n]) / tau2) - delta * np.vdot(q, q).real
            phi = 1 / (1 + np.exp(log_t)) if log_t < 700 else 0.0
            shrink = g[n] / (tau2 + g[n])
            X_new[n] = phi * shrink * q
            slope = phi * (1 - phi) * delta * shrink
            if onsager == "matrix":
                J += phi * shrink * np.eye(M) + slope * np.outer(q.conj(), q)
            else:
                J += (phi * shrink + slope * np.vdot(q, q).real / tau2) * np.eye(M)
        R_new = Y - A @ X_new + R @ J / L
        X, R = X + damping * (X_new - X), R + damping * (R_new - R)
    course.append(np.linalg.norm(R) ** 2 / (L * M))
    return X * np.sqrt(L) / norms[:, None], np.array(course)


def covariance(A, gamma, noise_var):
    return (A * gamma) @ adjoint(A) + noise_var * np.eye(A.shape[0])


def negative_log_likelihood(A, Y, noise_var, gamma):
    sigma = covariance(A, gamma, noise_var)
    sample = Y @ adjoint(Y) / Y.shape[1]
    return np.linalg.slogdet(sigma)[1] + np.trace(np.linalg.solve(sigma, sample)).real


def map_objective(A, Y, noise_var, activity_prob, alpha, channel_var=1.0):
    eps = np.broadcast_to(activity_prob, A.shape[1])
    prior = (alpha * np.log(eps) + (1 - alpha) * np.log(1 - eps)).sum() / Y.shape[1]
    return negative_log_likelihood(A, Y, noise_var, alpha * channel_var) - prior


def along_coordinate(d, q, r, c):
    """What a step d changes the objective by."""
    return np.log1p(d * q) - r * d / (1 + d * q) - c * d


def best_step(q, r, c, value, upper):
    """The best of all candidates: the ends of the interval and the stationary points inside."""
    roots = [r / q] if c == 0 else np.roots([c, -q, r])
    steps = [(u.real - 1) / q for u in np.atleast_1d(roots) if abs(u.imag) < 1e-9]
    steps = [d for d in steps if -value <= d <= upper - value]
    ends = [-value] + ([upper - value] if np.isfinite(upper) else [])
    return min(steps + ends, key=lambda d: along_coordinate(d, q, r, c))


def map_cd(A, Y, noise_var, n_iter, activity_prob=0.5, channel_var=1.0, upper=np.inf):
    """Return α and the largest scaled step that is left. With even odds this is ML."""
    L, N = A.shape
    M = Y.shape[1]
    A = A * np.sqrt(np.broadcast_to(channel_var, N))
    c = np.log(np.broadcast_to(activity_prob, N) / (1 - np.broadcast_to(activity_prob, N))) / M
    upper = np.broadcast_to(upper, N)
    sample = Y @ adjoint(Y) / M
    alpha, inverse = np.zeros(N), np.eye(L) / noise_var
    for _ in range(n_iter):
        for n in range(N):
            s = inverse @ A[:, n]
            q, r = np.vdot(A[:, n], s).real, np.vdot(s, sample @ s).real
            d = best_step(q, r, c[n], alpha[n], upper[n])
            alpha[n] += d
            inverse = inverse - d / (1 + d * q) * np.outer(s, s.conj())
    return alpha, largest_step(A, sample, noise_var, alpha, c, upper)


def largest_step(A, sample, noise_var, alpha, c, upper):
    inverse = np.linalg.inv(covariance(A, alpha, noise_var))
    largest = 0.0
    for n in range(A.shape[1]):
        s = inverse @ A[:, n]
        q, r = np.vdot(A[:, n], s).real, np.vdot(s, sample @ s).real
        largest = max(largest, abs(best_step(q, r, c[n], alpha[n], upper[n])) * q)
    return largest


def covariance_lasso_parts(A, Y, noise_var):
    S = Y @ adjoint(Y) / Y.shape[1] - noise_var * np.eye(A.shape[0])
    return S, np.abs(adjoint(A) @ A) ** 2, np.einsum("ln,lk,kn->n", A.conj(), S, A).real


def covariance_lasso_objective(A, Y, r, lam, noise_var=0.0):
    S, _, _ = covariance_lasso_parts(A, Y, noise_var)
    return 0.5 * np.linalg.norm(S - (A * r) @ adjoint(A)) ** 2 + lam * r.sum()


def covariance_lasso(A, Y, lam, n_iter, noise_var=0.0):
    _, G, b = covariance_lasso_parts(A, Y, noise_var)
    r = np.zeros(A.shape[1])
    for _ in range(n_iter):
        for n in range(r.size):
            r[n] = max(0.0, (b[n] - G[n] @ r + G[n, n] * r[n] - lam) / G[n, n])
    return r


def mmse_given_support(A, Y, noise_var, active, channel_var=1.0):
    g = np.broadcast_to(channel_var, A.shape[1])
    X = np.zeros((A.shape[1], Y.shape[1]), np.result_type(A, Y))
    A_S, g_S = A[:, active], g[active]
    X[active] = g_S[:, None] * (adjoint(A_S) @ np.linalg.solve(covariance(A_S, g_S, noise_var), Y))
    return X


def log_odds(probability):
    return np.log(probability / (1 - probability))


def enumerate_posterior(A, Y, noise_var, log_prior, channel_var=1.0, groups=None):
    """Return P(active) (N,) and E[X] (N, M), summing over all activities of the groups, by default single devices."""
    N, M = A.shape[1], Y.shape[1]
    _, label = np.unique(np.arange(N) if groups is None else groups, return_inverse=True)
    factor = M if np.iscomplexobj(A) else M / 2
    level, states = [], []
    for state in itertools.product([False, True], repeat=label.max() + 1):
        prior = log_prior(np.array(state))
        if prior > -np.inf:
            states.append(np.array(state)[label])
            level.append(prior - factor * negative_log_likelihood(A, Y, noise_var, states[-1] * channel_var))
    weight = np.exp(np.array(level) - max(level))
    weight /= weight.sum()
    means = [mmse_given_support(A, Y, noise_var, state, channel_var) for state in states]
    return weight @ np.array(states), np.tensordot(weight, means, 1)


def map_psca(A, Y, noise_var, n_iter, activity_prob=0.5, channel_var=1.0, upper=np.inf):
    """Return α, its objective without the prior's constant, and the largest scaled exact step that is left."""
    N, M = A.shape[1], Y.shape[1]
    A = A * np.sqrt(np.broadcast_to(channel_var, N))
    c = np.log(np.broadcast_to(activity_prob, N) / (1 - np.broadcast_to(activity_prob, N))) / M
    upper = np.broadcast_to(upper, N)
    sample = Y @ adjoint(Y) / M

    def objective(alpha):
        return negative_log_likelihood(A, Y, noise_var, alpha) - c @ alpha

    alpha = np.zeros(N)
    for _ in range(n_iter):
        S = np.linalg.solve(covariance(A, alpha, noise_var), A)
        q, r = np.sum(A.conj() * S, axis=0).real, np.sum(S.conj() * (sample @ S), axis=0).real
        target = np.where(q > c, alpha + (np.sqrt(r / np.where(q > c, q - c, 1)) - 1) / q, upper)
        d = np.clip(target, 0, upper) - alpha
        share = 1.0
        while objective(alpha + share * d) > objective(alpha) + 1e-4 * share * ((q - r - c) @ d) + 1e-12:
            share /= 2
        alpha = alpha + share * d
    return alpha, objective(alpha), largest_step(A, sample, noise_var, alpha, c, upper)


def likeliest_noise(A, Y, gamma, floor=1e-9):
    """The σ² of least f among a fine grid of them, refined."""
    power = np.linalg.norm(Y) ** 2 / Y.size
    grid = power * np.geomspace(floor, 100, 400)
    for _ in range(12):
        costs = [negative_log_likelihood(A, Y, noise_var, gamma) for noise_var in grid]
        best = int(np.argmin(costs))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        grid = np.geomspace(low, high, 9)
    return grid[int(np.argmin([negative_log_likelihood(A, Y, noise_var, gamma) for noise_var in grid]))]


def map_cd_in_noise(A, Y, n_iter, activity_prob=0.5):
    """Return α and σ², which is moved to its minimum before every sweep and after the last."""
    alpha, c = np.zeros(A.shape[1]), np.log(activity_prob / (1 - activity_prob)) / Y.shape[1]
    for _ in range(n_iter):
        inverse = np.linalg.inv(covariance(A, alpha, likeliest_noise(A, Y, alpha)))
        for n in range(A.shape[1]):
            s = inverse @ A[:, n]
            q, r = np.vdot(A[:, n], s).real, np.linalg.norm(adjoint(Y) @ s) ** 2 / Y.shape[1]
            d = best_step(q, r, c, alpha[n], np.inf)
            alpha[n] += d
            inverse = inverse - d / (1 + d * q) * np.outer(s, s.conj())
    return alpha, likeliest_noise(A, Y, alpha)


def covariance_lasso_in_noise(A, Y, lam, n_iter):
    """Return r and σ², the last coordinate of every sweep."""
    _, G, b = covariance_lasso_parts(A, Y, 0.0)
    squares, power = np.linalg.norm(A, axis=0) ** 2, np.linalg.norm(Y) ** 2 / Y.shape[1]
    r, noise_var = np.zeros(A.shape[1]), power / A.shape[0]
    for _ in range(n_iter):
        for n in range(r.size):
            r[n] = max(0.0, (b[n] - noise_var * squares[n] - G[n] @ r + G[n, n] * r[n] - lam) / G[n, n])
        noise_var = max(0.0, (power - squares @ r) / A.shape[0])
    return r, noise_var


def bernoulli_gaussian(q, variance, activity_prob, channel_var):
    """Return P(active) and the posterior mean of a row seen as q in noise of this variance, and its mean variance."""
    M, shrink = q.size, channel_var / (variance + channel_var)
    e = np.linalg.norm(q) ** 2
    log_odds = (
        np.log(activity_prob / (1 - activity_prob)) - M * np.log1p(channel_var / variance) + shrink / variance * e
    )
    active = 1 / (1 + np.exp(-log_odds))
    second = active * (shrink * variance + shrink**2 * e / M)
    return active, active * shrink * q, second - (active * shrink) ** 2 * e / M, second


def em_ep(A, Y, n_iter, damping=0.5, noise_var=None, activity_prob=None, channel_var=None, learning=50):
    """Return X, P(active), σ², ε and g, by the posterior of all rows together and no leave-one-out formula."""
    (L, N), M = A.shape, Y.shape[1]
    power = np.linalg.norm(Y) ** 2 / Y.size
    eps = min(0.5 * L / N, 0.5) if activity_prob is None else activity_prob
    sigma2 = 0.1 * power if noise_var is None else noise_var
    g = max(power - sigma2, 0.1 * power) * L / (eps * np.linalg.norm(A) ** 2) if channel_var is None else channel_var
    p, h, X, before, share, taken = np.full(N, 1 / (eps * g)), np.zeros((N, M), complex), 0, np.inf, damping, 1.0
    for k in range(n_iter):
        joint = np.linalg.inv(adjoint(A) @ A / sigma2 + np.diag(p))
        mean = joint @ (adjoint(A) @ Y / sigma2 + h)
        rows = []
        for n in range(N):
            s = joint[n, n].real
            variance = 1 / (1 / s - p[n])
            rows.append((variance, variance * (mean[n] / s - h[n])))
        found = [bernoulli_gaussian(q, variance, eps, g) for variance, q in rows]
        active, X_new = np.array([one[0] for one in found]), np.array([one[1] for one in found])
        expected = np.linalg.norm(Y - A @ mean) ** 2 / Y.size + np.trace(A @ joint @ adjoint(A)).real / L
        for n, (variance, q) in enumerate(rows):
            p_new = max(1 / found[n][2] - 1 / variance, 1 / (100 * g))
            h_new = X_new[n] * (1 / variance + p_new) - q / variance
            p[n], h[n] = (1 - share) * p[n] + share * p_new, (1 - share) * h[n] + share * h_new
        if k < learning:
            eps = min(max(active.mean(), 0.1 / N), 0.9) if activity_prob is None else eps
            g = np.sum([one[3] for one in found]) / active.sum() if channel_var is None else g
            sigma2 = max(expected, 1e-9 * power) if noise_var is None else sigma2
        change = np.linalg.norm(X_new - X) / np.linalg.norm(X_new) / taken
        X, taken = X_new, share
        share = max(0.8 * share, 0.02) if change > before else min(1.1 * share, damping)
        before = change
    return X, active, sigma2, eps, g
