"""Maximum-a-posteriori coordinate descent for activity detection with known access probabilities."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mmvsolvers.likelihood import descend
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import POSITIVE, POSITIVE_OR_INF, PROBABILITY, Batch


def map_cd(
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
    """Estimate the activity α of every device by maximum a posteriori probability, coordinate by coordinate.

    Minimises over 0 ⪯ α ⪯ upper the function f(α) - (1/M) Σ_n (α_n log ε_n + (1 - α_n) log(1 - ε_n)), where f is the
    negative log-likelihood of ``ml_cd`` at γ = α·g. Every coordinate step is the exact minimiser (Cui, Li, Zhang,
    2021, Algorithm 3, with the sign in (19) corrected).

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
        Most sweeps over the devices.
    tol : float
        As in ``ml_cd``: bound on the largest scaled step left; 0 runs exactly ``max_iter`` sweeps.

    Returns
    -------
    SolverResult
        ``score`` is α (..., N), ``X`` None, ``objective`` the function above, ``optimality`` the largest scaled step
        left.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` sweeps did not reach ``tol`` > 0.

    References
    ----------
    Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with applications
    in MIMO-based grant-free random access", IEEE JSAC 2021. D. Jiang, Y. Cui, "MAP-based pilot state detection in
    grant-free random access for mMTC", IEEE SPAWC 2020.
    """
    batch = Batch.of(A, Y)
    prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    gain = batch.per_device("channel_var", channel_var, POSITIVE)
    bound = np.where(prob > 0.5, 1.0, np.inf) if upper is None else batch.per_device("upper", upper, POSITIVE_OR_INF)
    if np.isinf(bound[prob > 0.5]).any():
        raise ValueError("upper must be finite where activity_prob > 0.5, where the objective is unbounded; got inf")
    result = descend(batch, noise_var, np.log(prob / (1 - prob)) / batch.M, gain, bound, max_iter=max_iter, tol=tol)
    result = replace(result, objective=result.objective - float(np.log1p(-prob).sum()) / batch.M)
    warn_about("map_cd", result, tol)
    return result
