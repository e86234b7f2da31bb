import numpy as np
from numba import njit


@njit(cache=True)
def solve(A, Y, noise_var, lam, n_iter):
    """Return r (N,) after ``n_iter`` sweeps over the Gram matrix, with the gradients kept."""
    N, M = A.shape[1], Y.shape[1]
    products = np.dot(np.conj(A.T).copy(), A)
    gram = np.empty((N, N))
    for i in range(N):
        for j in range(N):
            gram[i, j] = products[i, j].real ** 2 + products[i, j].imag ** 2
    matched = np.dot(np.conj(A.T).copy(), Y)
    gradient = np.empty(N)
    for n in range(N):
        power = 0.0
        for m in range(M):
            power += matched[n, m].real ** 2 + matched[n, m].imag ** 2
        gradient[n] = power / M - noise_var * np.sqrt(gram[n, n])
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
