import numpy as np
from numba import njit

# What share of the largest violation is worth a visit: less by this factor from one iteration to the next.
SHRINKAGE = 0.2


def iterates(A, Y, noise_var):
    """Yield γ of active-set coordinate descent.

    Z. Wang, Y.-F. Liu, Z. Chen, W. Yu, "Accelerating coordinate descent via active set selection for device activity
    detection for multi-cell massive random access", IEEE SPAWC 2021, for one cell: an iteration finds by how much a
    projected gradient step of length one moves every device, then visits in random order those that it moves by a share
    of the most. The share falls geometrically.
    """
    rng = np.random.default_rng(0)
    AT, conjugate = np.ascontiguousarray(A.T), np.ascontiguousarray(A.conj().T)
    inverse = np.eye(len(A), dtype=A.dtype) / noise_var
    gamma, share = np.zeros(A.shape[1]), SHRINKAGE
    while True:
        rows = conjugate @ inverse
        gradient = np.sum((rows * AT).real, axis=1) - squared_norms(rows @ Y) / Y.shape[1]
        violation = np.abs(np.maximum(gamma - gradient, 0.0) - gamma)
        share *= SHRINKAGE
        chosen = np.flatnonzero((violation > 0.0) & (violation >= share * violation.max()))
        sweep(AT, conjugate, Y, rng.permutation(chosen), inverse, gamma)
        yield gamma


def squared_norms(rows):
    """Return the squared norms of rows."""
    return np.sum(rows.real**2 + rows.imag**2, axis=1)


@njit(cache=True)
def sweep(AT, conjugate, Y, devices, inverse, gamma):
    """Move devices to their minima, one after the other, in place."""
    L, M = Y.shape
    for n in devices:
        row = np.dot(conjugate[n], inverse)
        correlation = np.dot(row, Y)
        q, r = 0.0, 0.0
        for i in range(L):
            q += row[i].real * AT[n, i].real - row[i].imag * AT[n, i].imag
        for m in range(M):
            r += (correlation[m].real ** 2 + correlation[m].imag ** 2) / M
        d = max((r - q) / (q * q), -gamma[n])
        if d != 0.0:
            gamma[n] += d
            c = d / (1.0 + d * q)
            for i in range(L):
                factor = c * np.conj(row[i])
                for j in range(L):
                    inverse[i, j] -= factor * row[j]
