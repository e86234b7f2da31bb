"""Linear MMSE estimates of the channels of given devices."""

import numpy as np

from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.interrupts import interrupted
from mmvsolvers.kernels.map_cd import rebuild_inverse
from mmvsolvers.kernels.products import matmul


@njit()
def estimate(AT, Y, noise_var, power, X):
    """Set X_n = p_n a_nᴴ(A diag(p) Aᴴ + σ²I)⁻¹Y for every device of positive power p_n, and 0 for the others."""
    inverse = np.empty((AT.shape[1], AT.shape[1]), AT.dtype)
    rebuild_inverse(AT, noise_var, power, inverse)
    if interrupted():
        return
    whitened = matmul(inverse, Y)
    for n in range(power.size):
        for m in range(X.shape[1]):
            X[n, m] = 0.0
        if power[n] > 0.0:
            for i in range(Y.shape[0]):
                a = power[n] * np.conj(AT[n, i])
                for m in range(X.shape[1]):
                    X[n, m] += a * whitened[i, m]


@entry()
def solve_batch(AT, Y, noise_var, power):
    """Solve T problems: AT (N, L), Y (T, L, M), noise_var (T,), power (T, N). Returns X (T, N, M)."""
    X = np.empty((Y.shape[0], AT.shape[0], Y.shape[2]), AT.dtype)
    for t in range(Y.shape[0]):
        if interrupted():
            break
        estimate(AT, Y[t], noise_var[t], power[t], X[t])
    return X
