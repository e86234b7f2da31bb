import numpy as np
from numba import njit


@njit(cache=True)
def solve(A, Y, activity_prob, n_iter):
    """Return X (N, M) after ``n_iter`` iterations on columns of norm 1, with BLAS for the two products."""
    L, N = A.shape
    M = Y.shape[1]
    norms = np.empty(N)
    for n in range(N):
        norms[n] = np.sqrt(np.sum(A[:, n].real ** 2 + A[:, n].imag ** 2))
    A, Y = A / norms, Y / np.sqrt(L)
    adjoint = np.conj(A).T.copy()
    X, R = np.zeros((N, M), A.dtype), Y.copy()
    for _ in range(n_iter):
        tau2 = np.sum(R.real**2 + R.imag**2) / (L * M)
        Q = np.dot(adjoint, R) + X
        J = np.zeros((M, M), A.dtype)
        for n in range(N):
            g = norms[n] ** 2 / L
            shrink, delta = g / (tau2 + g), g / (tau2 * (tau2 + g))
            power = 0.0
            for m in range(M):
                power += Q[n, m].real ** 2 + Q[n, m].imag ** 2
            t = (1 - activity_prob) / activity_prob * np.exp(M * np.log((tau2 + g) / tau2) - delta * power)
            phi = 1 / (1 + t)
            slope = phi * (1 - phi) * delta * shrink
            for m in range(M):
                X[n, m] = phi * shrink * Q[n, m]
                J[m, m] += phi * shrink
                for k in range(M):
                    J[m, k] += slope * np.conj(Q[n, m]) * Q[n, k]
        R = Y - np.dot(A, X) + np.dot(R, J) / L
    for n in range(N):
        X[n] *= np.sqrt(L) / norms[n]
    return X
