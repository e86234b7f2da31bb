"""Expectation propagation for Bernoulli-Gaussian rows, with σ², ε and g learned by expectation maximisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, PROBABILITY, as_count, as_scalar, is_estimated

# What is learned starts from the activity that half the pilot length would bear, and from noise of this share of Y.
NOISE_SHARE = 0.1


def em_ep(
    A: ArrayLike,
    Y: ArrayLike,
    *,
    noise_var: ArrayLike = "estimate",
    activity_prob: ArrayLike = "estimate",
    channel_var: ArrayLike = "estimate",
    max_iter: int = 200,
    tol: float = 1e-4,
) -> SolverResult:
    """Estimate X by expectation propagation, knowing nothing but A and Y.

    Each row of X is CN(0, gI) with probability ε, and zero otherwise. A Gaussian stands in for the prior of every row;
    an iteration sees each row in the light of all others, takes its true posterior mean and variance, and sets the
    Gaussian to what gives the same. Unlike AMP, which knows one variance for all rows and trusts A to be large and
    random, it inverts an L×L matrix an iteration, keeps a variance for every device, and holds at short pilots too. Of
    σ², ε and g, what is not given is learned between the first 50 iterations, by expectation maximisation. All is
    computed in double precision.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : "estimate", float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    activity_prob : "estimate", float or array_like of shape (N,)
        ε, the probability that a device is active, strictly between 0 and 1. One for all devices where it is learned.
    channel_var : "estimate", float or array_like of shape (N,)
        g, the variance of a device's channel. One for all devices where it is learned.
    max_iter : int
        Most iterations.
    tol : float
        Stop a problem once an iteration changes X by at most ``tol`` times its norm. 0 runs exactly ``max_iter``
        iterations.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M), ``score`` the posterior activities, ``objective`` the mean squared error ‖X - X̂‖²_F/N that it
        expects of X, ``optimality`` the last relative change of X, ``noise_var`` σ² where it was learned. The learned ε
        is the mean of ``score``.

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
    T. P. Minka, "Expectation propagation for approximate Bayesian inference", UAI 2001. D. Hernández-Lobato, J. M.
    Hernández-Lobato, P. Dupont, "Generalized spike-and-slab priors for Bayesian group feature selection using
    expectation propagation", JMLR 2013. J. P. Vila, P. Schniter, "Expectation-maximization Gaussian-mixture approximate
    message passing", IEEE Transactions on Signal Processing, 2013.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scene = dict(N=60, L=30, M=8, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> data = mmv.generate(np.random.default_rng(0), **scene)
    >>> result = mmv.em_ep(data.A, data.Y)
    >>> np.array_equal(result.score > 0.5, data.activity)
    True
    >>> result.noise_var.round(1).tolist()
    [0.1]
    """
    batch = Batch.of(A, Y).in_units(objective=2)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    prob, variance, sigma2, learned = _start(batch, noise_var, activity_prob, channel_var)
    rows, conjugate = batch.pilots.rows(np.complex128), batch.pilots.conjugate_rows(np.complex128)
    received = batch.Y.astype(np.complex128, copy=False)
    X, score, error, change, n_iter = solve_in_parts(
        lambda part: kernels.em_ep.solve_batch(
            rows,
            conjugate,
            received[part],
            prob[part],
            variance[part],
            sigma2[part],
            learned,
            max_iter,
            tol,
        ),
        received,
        batch.N,
        max_iter,
    )
    result = batch.result(
        X=X,
        score=score,
        score_unit=(0, 0),
        objective=error,
        objective_unit=(-2, 2),
        optimality=change,
        n_iter=n_iter,
        tol=tol,
        noise_var=sigma2[:, 0] if learned[2] else None,
    )
    warn_about("em_ep", result, tol)
    return result


def _start(
    batch: Batch, noise_var: ArrayLike, activity_prob: ArrayLike, channel_var: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return ε (T, N), g (T, N), σ² (T, 1), given or to start from, and which of them are learned, (3,)."""
    learned = np.array([is_estimated(value) for value in (activity_prob, channel_var, noise_var)])
    if learned[0]:
        prob = np.full(batch.N, min(0.5 * batch.A.shape[0] / batch.N, 0.5))
    else:
        prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    power = batch.mean_power()
    sigma2 = NOISE_SHARE * power
    if not learned[2]:
        sigma2 = batch.per_problem("noise_var", noise_var, POSITIVE, unit=(0, 2)).astype(np.float64)
    if learned[1]:
        gain = np.maximum(power - sigma2, NOISE_SHARE * power) / np.mean(batch.pilots.squares(np.complex128) * prob)
        variance = np.repeat(np.where(power > 0, gain / batch.N * batch.A.shape[0], 1.0)[:, None], batch.N, axis=1)
    else:
        gains = batch.per_device("channel_var", channel_var, POSITIVE).astype(np.float64)
        variance = batch.units.enter(np.tile(gains, (batch.T, 1)), (-2, 2))
    return np.tile(prob, (batch.T, 1)), variance, sigma2[:, None].copy(), learned
