"""Maximum-likelihood coordinate descent for activity detection."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import maximise_likelihood
from mmvsolvers.result import SolverResult, warn_about


def ml_cd(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    *,
    gamma0: ArrayLike | str | None = None,
    max_iter: int = 1000,
    tol: float = 1e-3,
) -> SolverResult:
    """Estimate the power γ of every device by maximum likelihood, one exact coordinate minimisation after the other.

    Minimises over γ ⪰ 0 the negative log-likelihood f(γ) = log|Σ| + tr(Σ⁻¹YYᴴ)/M with Σ = A diag(γ) Aᴴ + σ²I. γ is
    activity times channel power, so unknown large-scale fading is allowed. f is not convex: the answer is a stationary
    point, by default that found from γ = 0; several starts and ``best_of`` find lower ones. Where the noise is too weak
    for single precision to hold Σ⁻¹, single-precision data are computed with in double precision.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float, array_like of shape (...) or "estimate"
        σ², the noise variance of one complex entry of Y. "estimate" minimises over σ² too: see Notes.
    gamma0 : "dense" or array_like of shape (N,) or (..., N), optional
        Powers γ ⪰ 0 to start from; 0 by default, the textbook's. "dense" starts from what a few updates of sparse
        Bayesian learning (``m_sbl``) make of equal powers: at short pilots it ends in other stationary points,
        with fewer errors on average.
    max_iter : int
        Most sweeps over the devices.
    tol : float
        Stop a problem once no device would take a scaled step |d|·a_nᴴΣ⁻¹a_n above ``tol``. 0 runs exactly ``max_iter``
        sweeps in the devices' order, the textbook iterates; otherwise the likeliest devices come first and sweeps over
        the likely devices alone are made between full ones.

    Returns
    -------
    SolverResult
        ``score`` is γ (..., N), ``X`` None, ``objective`` f(γ), ``optimality`` the largest scaled step left,
        ``noise_var`` σ² where it was estimated.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` sweeps did not reach ``tol`` > 0.

    Notes
    -----
    An unknown σ² is one more coordinate: before every full sweep it is moved to its minimum given the powers, found
    from the eigenvalues of AΓAᴴ, and all is computed in double precision. Powers of many silent devices can stand in
    for noise, so that at short pilots the minimum is at a σ² far too small, often at the least that is tried, 1e-9 of
    the power of Y. Detection by a learned threshold does not suffer from it, but it takes more sweeps. `em_ep` learns
    σ² with less bias.

    References
    ----------
    S. Haghighatshoar, P. Jung, G. Caire, "Improved scaling law for activity detection in massive MIMO systems",
    IEEE ISIT 2018. Z. Chen, F. Sohrabi, Y.-F. Liu, W. Yu, "Covariance based joint activity and data detection for
    massive random access with massive MIMO", IEEE ICC 2019.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.ml_cd(A, Y, noise_var=0.01).score.round(1).tolist()
    [4.0, 0.0, 0.0]
    """
    result = maximise_likelihood(
        Batch.of(A, Y), noise_var, algorithm="map_cd", max_iter=max_iter, tol=tol, gamma0=gamma0
    )
    warn_about("ml_cd", result, tol)
    return result
