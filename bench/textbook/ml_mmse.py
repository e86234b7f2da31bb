import numpy as np
from numba import njit

from bench.textbook import map_cd


@njit(cache=True)
def solve(AT, Y, noise_var, threshold, n_iter):
    """Return X (N, M): the devices that ML finds, and their linear MMSE estimates, with channels of variance 1."""
    N, L = AT.shape
    gamma = map_cd.solve(AT, Y, noise_var, 0.0, n_iter)
    covariance = np.zeros((L, L), AT.dtype)
    for i in range(L):
        covariance[i, i] = noise_var
    for n in range(N):
        if gamma[n] > threshold:
            for i in range(L):
                for j in range(L):
                    covariance[i, j] += AT[n, i] * np.conj(AT[n, j])
    whitened = np.linalg.solve(covariance, Y)
    X = np.zeros((N, Y.shape[1]), AT.dtype)
    for n in range(N):
        if gamma[n] > threshold:
            for i in range(L):
                for m in range(Y.shape[1]):
                    X[n, m] += np.conj(AT[n, i]) * whitened[i, m]
    return X
