import numpy as np
from numba import njit


@njit(cache=True)
def solve(AT, Y, lam, n_iter):
    """Return X (N, M) after ``n_iter`` sweeps with the residual kept."""
    N, L = AT.shape
    M = Y.shape[1]
    X = np.zeros((N, M), AT.dtype)
    R = Y.copy()
    t = np.empty(M, AT.dtype)
    for _ in range(n_iter):
        for n in range(N):
            a = AT[n]
            t[:] = 0
            square = 0.0
            for i in range(L):
                conjugate = np.conj(a[i])
                square += a[i].real ** 2 + a[i].imag ** 2
                for m in range(M):
                    t[m] += conjugate * R[i, m]
            length = 0.0
            for m in range(M):
                t[m] += square * X[n, m]
                length += t[m].real ** 2 + t[m].imag ** 2
            length = np.sqrt(length)
            factor = (1 - lam / length) / square if length > lam else 0.0
            moved = False
            for m in range(M):
                new = factor * t[m]
                t[m] = new - X[n, m]
                moved = moved or t[m] != 0
                X[n, m] = new
            if moved:
                for i in range(L):
                    for m in range(M):
                        R[i, m] -= a[i] * t[m]
    return X
