import numpy as np
from numba import njit


@njit(cache=True)
def solve(AT, Y, noise_var, log_odds, n_iter):
    """Return α (N,) after ``n_iter`` sweeps with a rank-1 update of Σ⁻¹ for each device that moves.

    ``log_odds`` ≤ 0 is log(ε/(1 - ε))/M; 0 makes it ML.
    """
    N, L = AT.shape
    M = Y.shape[1]
    inverse = np.zeros((L, L), AT.dtype)
    for i in range(L):
        inverse[i, i] = 1.0 / noise_var
    alpha = np.zeros(N, AT.real.dtype)
    s, w = np.empty(L, AT.dtype), np.empty(M, AT.dtype)
    for _ in range(n_iter):
        for n in range(N):
            a = AT[n]
            s[:] = 0
            for j in range(L):
                for i in range(L):
                    s[i] += np.conj(inverse[j, i]) * a[j]
            w[:] = 0
            q = 0.0
            for i in range(L):
                conjugate = np.conj(s[i])
                q += (conjugate * a[i]).real
                for m in range(M):
                    w[m] += conjugate * Y[i, m]
            r = 0.0
            for m in range(M):
                r += (w[m].real ** 2 + w[m].imag ** 2) / M
            u = 2 * r / (q + np.sqrt(q * q - 4 * log_odds * r))
            d = max((u - 1) / q, -alpha[n])
            if d != 0.0:
                alpha[n] += d
                c = d / (1 + d * q)
                for i in range(L):
                    factor = c * s[i]
                    for j in range(L):
                        inverse[i, j] -= factor * np.conj(s[j])
    return alpha
