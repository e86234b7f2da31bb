"""Sparse sources of M/EEG, by a function that MNE-Python's own solvers can be exchanged for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.group_lasso_bcd import group_lasso_bcd
from mmvsolvers.validation import as_array, as_count


def mixed_norm_solver(
    M: ArrayLike, G: ArrayLike, alpha: float, *, n_orient: int = 1, maxit: int = 1000, tol: float = 1e-8
) -> tuple[NDArray[Any], NDArray[np.bool_], float]:
    """Solve min_X ½‖M - GX‖²_F + α Σ_p ‖X_p‖_F, the mixed-norm estimate of the sources.

    X_p are the ``n_orient`` rows of one position: its orientations are zero together. The arguments are those of
    ``mne.inverse_sparse.mxne_optim.mixed_norm_solver``.

    Parameters
    ----------
    M : array_like of shape (n_sensors, n_times)
        Whitened data.
    G : array_like of shape (n_sensors, n_dipoles)
        Whitened gain, the orientations of a position beside each other.
    alpha : float
        α > 0.
    n_orient : int, default 1
        Orientations of a position: 1, or 3 where they are free.
    maxit : int, default 1000
        Most sweeps.
    tol : float, default 1e-8
        Duality gap, relative to the objective, at which to stop.

    Returns
    -------
    X : ndarray of shape (n_active, n_times)
        The rows that are not zero.
    active_set : ndarray of shape (n_dipoles,), bool
        Which these are.
    objective : float
        The minimum, up to ``tol``.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    References
    ----------
    A. Gramfort, M. Kowalski, M. Hämäläinen, "Mixed-norm estimates for the M/EEG inverse problem using accelerated
    gradient methods", Physics in Medicine and Biology, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from mmvsolvers.adapters.mne import mixed_norm_solver
    >>> rng = np.random.default_rng(0)
    >>> G = rng.standard_normal((20, 60))
    >>> X, active_set, objective = mixed_norm_solver(G[:, 6:9] @ np.ones((3, 5)), G, alpha=5.0, n_orient=3)
    >>> np.flatnonzero(active_set).tolist()
    [6, 7, 8]
    """
    gain = as_array("G", G)
    n_dipoles = gain.shape[-1]
    if n_dipoles % as_count("n_orient", n_orient):
        raise ValueError(f"n_orient must divide the {n_dipoles} columns of G; got {n_orient}")
    groups = None if n_orient == 1 else np.arange(n_dipoles) // n_orient
    found = group_lasso_bcd(gain, as_array("M", M), alpha, groups=groups, max_iter=maxit, tol=tol)
    assert found.X is not None, "this solver recovers the signal"
    active_set = np.repeat(found.X.any(axis=1).reshape(-1, n_orient).any(axis=1), n_orient)
    return found.X[active_set], active_set, float(found.objective)
