"""How alike the pilots are: three figures from the theory of block-sparse recovery.

All three look at the columns scaled to unit norm and are 0 where there is no pair to compare.

References
----------
Y. C. Eldar, P. Kuppinger, H. Bölcskei, "Block-sparse signals: uncertainty relations and efficient recovery", IEEE
Transactions on Signal Processing 58(6), 2010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.validation import as_group_size

# Entries of AᴴA held at a time: 64 MB in complex128.
_TILE_ENTRIES = 2**22


def coherence(A: ArrayLike) -> float:
    """Return the coherence μ = max over m ≠ n of |a_mᴴ a_n| / (‖a_m‖ ‖a_n‖).

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.

    Returns
    -------
    float
        From 0, orthogonal columns, to 1, two parallel columns.

    Raises
    ------
    TypeError, ValueError
        For an A that is not a finite (L, N) array without zero columns.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.coherence([[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]])
    0.8
    """
    D = _unit_columns(A)
    N = D.shape[1]
    width = max(1, _TILE_ENTRIES // N)
    largest = 0.0
    for first in range(0, N, width):
        products = np.abs(D[:, first : first + width].conj().T @ D[:, first:])
        np.fill_diagonal(products, 0)
        largest = max(largest, float(products.max()))
    return min(largest, 1.0)


def block_coherence(A: ArrayLike, n_groups: int) -> float:
    """Return the block-coherence μ_B = max over groups ℓ ≠ r of ‖A_ℓᴴ A_r‖₂ / d (Eldar et al., 2010).

    A_ℓ holds the d = N/G consecutive columns of group ℓ, each of unit norm; ‖·‖₂ is the spectral norm.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    n_groups : int
        G, which divides N. With G = N it is the coherence.

    Returns
    -------
    float
        From 0, orthogonal groups, to 1.

    Raises
    ------
    TypeError, ValueError
        For an A that is not a finite (L, N) array without zero columns, a G that is no positive integer or does not
        divide N.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> mmv.block_coherence(np.eye(4), n_groups=2)
    0.0
    """
    D = _unit_columns(A)
    size = as_group_size(D.shape[1], n_groups)
    largest = 0.0
    for first in range(0, D.shape[1] - size, size):
        products = D[:, first : first + size].conj().T @ D[:, first + size :]
        by_pair = products.reshape(size, -1, size).swapaxes(0, 1)
        largest = max(largest, float(np.linalg.norm(by_pair, ord=2, axis=(1, 2)).max()))
    return min(largest / size, 1.0)


def sub_coherence(A: ArrayLike, n_groups: int) -> float:
    """Return the sub-coherence ν: the largest coherence within a group (Eldar et al., 2010).

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots.
    n_groups : int
        G, which divides N: groups of N/G consecutive columns. With G = 1 it is the coherence.

    Returns
    -------
    float
        From 0, orthogonal columns in every group, to 1.

    Raises
    ------
    TypeError, ValueError
        For an A that is not a finite (L, N) array without zero columns, a G that is no positive integer or does not
        divide N.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> pairs = np.repeat(np.eye(2), 2, axis=1)  # two groups of two equal pilots
    >>> mmv.sub_coherence(pairs, n_groups=2)
    1.0
    """
    D = _unit_columns(A)
    size = as_group_size(D.shape[1], n_groups)
    return max(coherence(D[:, first : first + size]) for first in range(0, D.shape[1], size))


def spread_apart(A: ArrayLike, n_steps: int = 500) -> NDArray[np.inexact]:
    """Turn the columns of A away from each other, all on the sphere of radius √L.

    Steps down the gradient of Σ |a_mᴴ a_n|^2q, with q growing from 1 to 8: first the many products of middle size
    fall, then the few largest.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Columns to start from.
    n_steps : int, default 500
        Steps; each takes two products of A with N×N matrices.

    Returns
    -------
    ndarray of shape (L, N)
        In double precision, columns of norm √L.

    Raises
    ------
    TypeError, ValueError
        For an A that is not a finite (L, N) array without zero columns.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.random.default_rng(0).standard_normal((12, 100, 2)) @ [1, 1j]
    >>> print(f"{mmv.coherence(A):.2f} {mmv.coherence(mmv.spread_apart(A)):.2f}")
    0.75 0.33
    """
    D = _unit_columns(A)
    tiny = np.finfo(np.float64).tiny
    for step in range(n_steps):
        products = D.conj().T @ D
        np.fill_diagonal(products, 0.0)
        size = np.abs(products)
        # D (products ∘ |products|^(2q-2)), where 1 stands for the largest product, as only the direction counts.
        gradient = D @ (products * (size / max(size.max(), tiny)) ** (14.0 * step / n_steps))
        gradient -= D * np.sum(D.conj() * gradient, axis=0).real
        longest = max(np.linalg.norm(gradient, axis=0).max(), tiny)
        D -= 0.5 * (1.0 - step / n_steps) / longest * gradient
        D /= np.linalg.norm(D, axis=0)
    spread: NDArray[np.inexact] = D * np.sqrt(len(D))
    return spread


def _unit_columns(A: ArrayLike) -> NDArray[np.inexact]:
    """Scale the columns to unit norm, in double precision."""
    pilots = as_pilots("A", A)
    pilots = pilots.astype(np.result_type(pilots, np.float64))
    # The squares of very small or large entries would underflow or overflow.
    pilots /= np.abs(pilots).max(axis=0)
    pilots /= np.linalg.norm(pilots, axis=0)
    return pilots
