import numpy as np
from numba import njit


@njit(cache=True)
def start(A, Y, noise_var):
    """Return the Gram matrix |AᴴA|² (N, N) and the correlations a_nᴴ(YYᴴ/M - σ²I)a_n, (N,)."""
    N, M = A.shape[1], Y.shape[1]
    adjoint = np.conj(A.T).copy()
    products = np.dot(adjoint, A)
    gram = np.empty((N, N))
    for i in range(N):
        for j in range(N):
            gram[i, j] = products[i, j].real ** 2 + products[i, j].imag ** 2
    matched = np.dot(adjoint, Y)
    correlation = np.empty(N)
    for n in range(N):
        power = 0.0
        for m in range(M):
            power += matched[n, m].real ** 2 + matched[n, m].imag ** 2
        correlation[n] = power / M - noise_var * np.sqrt(gram[n, n])
    return gram, correlation


@njit(cache=True)
def solve(A, Y, noise_var, lam, n_iter):
    """Return r (N,) after ``n_iter`` sweeps, with every coordinate's sum over the Gram matrix taken at its visit."""
    gram, correlation = start(A, Y, noise_var)
    N = correlation.size
    r = np.zeros(N)
    for _ in range(n_iter):
        for n in range(N):
            rest = correlation[n] + gram[n, n] * r[n]
            for j in range(N):
                rest -= gram[n, j] * r[j]
            r[n] = max(0.0, (rest - lam) / gram[n, n])
    return r


@njit(cache=True)
def solve_with_gradients(A, Y, noise_var, lam, n_iter):
    """Return the same r, with all gradients kept up to date instead: little work where few devices move."""
    gram, gradient = start(A, Y, noise_var)
    N = gradient.size
    r = np.zeros(N)
    for _ in range(n_iter):
        for n in range(N):
            new = max(0.0, r[n] + (gradient[n] - lam) / gram[n, n])
            change = new - r[n]
            r[n] = new
            if change != 0.0:
                for j in range(N):
                    gradient[j] -= gram[n, j] * change
    return r
