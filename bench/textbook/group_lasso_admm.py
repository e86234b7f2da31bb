import numpy as np
from numba import njit


@njit(cache=True)
def solve(A, Y, lam, rho, n_iter):
    """Return X (N, M) after ``n_iter`` iterations in the sharing form, with BLAS for the two products."""
    N, M = A.shape[1], Y.shape[1]
    adjoint = np.conj(A).T.copy()
    squares = np.zeros(N)
    for n in range(N):
        for i in range(A.shape[0]):
            squares[n] += A[i, n].real ** 2 + A[i, n].imag ** 2
    X = np.zeros((N, M), A.dtype)
    mean, B, C = np.zeros_like(Y), np.zeros_like(Y), np.zeros_like(Y)
    for _ in range(n_iter):
        t = np.dot(adjoint, B - mean - C)
        for n in range(N):
            length = 0.0
            for m in range(M):
                t[n, m] += squares[n] * X[n, m]
                length += t[n, m].real ** 2 + t[n, m].imag ** 2
            length = np.sqrt(length)
            factor = (1 - lam / (rho * length)) / squares[n] if rho * length > lam else 0.0
            for m in range(M):
                X[n, m] = factor * t[n, m]
        mean = np.dot(A, X) / N
        B = (Y + rho * mean + rho * C) / (N + rho)
        C = C + mean - B
    return X
