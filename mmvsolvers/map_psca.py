"""Maximum a posteriori activity detection with known access probabilities, all devices moved at once."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import maximise_posterior
from mmvsolvers.result import SolverResult, warn_about


def map_psca(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    activity_prob: ArrayLike,
    *,
    channel_var: ArrayLike = 1.0,
    upper: ArrayLike | None = None,
    max_iter: int = 1000,
    tol: float = 1e-3,
) -> SolverResult:
    """Estimate the activity α of every device by maximum a posteriori probability, all devices at once (PSCA).

    Minimises what ``map_cd`` minimises in the way of ``ml_psca``. With c_n = log(ε_n/(1 - ε_n))/M the step of a device
    is d_n = (√(r_n/(q_n - c_n)) - 1)/q_n where q_n > c_n, and to its bound elsewhere, held within the box. Where ε > ½
    the objective may fall again behind a maximum that this step does not see; a run to tolerance then moves such
    devices, one at a time, once nothing else is left to do.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    activity_prob : float or array_like of shape (N,)
        ε, the probability that a device is active, strictly between 0 and 1.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    upper : float or array_like of shape (N,), optional
        Largest α; ``np.inf`` for none. By default none where ε ≤ ½, and 1 where ε > ½, since the objective is
        unbounded below there.
    max_iter : int
        Most iterations.
    tol : float
        As in ``ml_psca``: bound on the largest scaled step left; 0 runs exactly ``max_iter`` iterations.

    Returns
    -------
    SolverResult
        ``score`` is α (..., N), ``X`` None, ``objective`` that of ``map_cd``, ``optimality`` the largest scaled exact
        step left.

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
    IEEE Transactions on Wireless Communications, 2025.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.map_psca(A, Y, noise_var=0.01, activity_prob=0.1, upper=1.0).score.round(1).tolist()
    [1.0, 0.0, 0.0]
    """
    result = maximise_posterior(
        Batch.of(A, Y), noise_var, activity_prob, channel_var, upper, algorithm="map_psca", max_iter=max_iter, tol=tol
    )
    warn_about("map_psca", result, tol)
    return result
