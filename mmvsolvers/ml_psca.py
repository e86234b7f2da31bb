"""Maximum likelihood for activity detection with all devices moved at once."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import maximise_likelihood
from mmvsolvers.result import SolverResult, warn_about


def ml_psca(
    A: ArrayLike, Y: ArrayLike, noise_var: ArrayLike, *, max_iter: int = 1000, tol: float = 1e-3
) -> SolverResult:
    """Estimate the power γ of every device by maximum likelihood, all devices at once (PSCA).

    Minimises the f(γ) of ``ml_cd`` by parallel successive convex approximation: with log|Σ| linearised at γ, f has
    along every coordinate the closed minimiser γ_n + d_n, d_n = max((√(r_n/q_n) - 1)/q_n, -γ_n), where
    q_n = a_nᴴΣ⁻¹a_n and r_n = ‖YᴴΣ⁻¹a_n‖²/M. All devices step to theirs, or, halving by halving, as far towards it as
    the true f falls enough (Armijo). An iteration is a few large matrix products, where a sweep of ``ml_cd`` is N
    dependent small ones: this is the form for GPUs and for starting points. On a CPU ``ml_cd`` is faster. Both end at
    stationary points of f, in most cases at the same.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    max_iter : int
        Most iterations.
    tol : float
        Stop a problem once no device would take a scaled exact step |d|·a_nᴴΣ⁻¹a_n above ``tol``, as in ``ml_cd``.
        0 runs exactly ``max_iter`` iterations of all devices from γ = 0; otherwise the start is a matched filter, steps
        have momentum, and iterations of the likely devices alone are made between those of all.

    Returns
    -------
    SolverResult
        ``score`` is γ (..., N), ``X`` None, ``objective`` f(γ), ``optimality`` the largest scaled step left.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` iterations did not reach ``tol`` > 0.

    References
    ----------
    B. Tan, Y. Cui, "Fast MLE and MAPE-based device activity detection for grant-free access via PSCA and PSCA-Net",
    IEEE Transactions on Wireless Communications, 2025, where the approximation is one of second order and the steps
    diminish by a rule. Y. Yang, M. Pesavento, "A unified successive pseudoconvex approximation framework", IEEE
    Transactions on Signal Processing, 2017: why it converges.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.ml_psca(A, Y, noise_var=0.01).score.round(1).tolist()
    [4.0, 0.0, 0.0]
    """
    result = maximise_likelihood(Batch.of(A, Y), noise_var, algorithm="map_psca", max_iter=max_iter, tol=tol)
    warn_about("ml_psca", result, tol)
    return result
