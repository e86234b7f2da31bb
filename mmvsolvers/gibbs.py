"""The posterior of the activities and of the signals, by Gibbs sampling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.groups import by_group
from mmvsolvers.result import SolverResult
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, PROBABILITY, as_count, as_scalar, as_structure

# The first sweeps, this share of all, are not averaged.
BURN_IN = 0.1


def gibbs(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    activity_prob: ArrayLike,
    *,
    channel_var: ArrayLike = 1.0,
    groups: ArrayLike | None = None,
    couplings: ArrayLike | None = None,
    max_iter: int = 400,
    tol: float = 0.03,
    seed: int = 0,
) -> SolverResult:
    """Estimate the posterior probability that each device is active, and the posterior mean of X, by Gibbs sampling.

    Under the model, Rayleigh channels and white Gaussian noise, no decoder errs less often than the exact posterior
    probability compared with ½, and none has a smaller mean squared error than the exact posterior mean. Two chains
    start where flips that raise the posterior most lead to from silence, and from everybody active. They leave
    places that are far apart by flips through a hot companion each, which sees 0.65 of the log-likelihood and may
    change places with its chain in every second sweep (parallel tempering); with ``groups`` or ``couplings``, an active
    group and a silent one change places in every tenth sweep instead. Each chain is weighed by the highest posterior it
    has found. Real data are real Gaussians.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128. Computed with in double precision.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    activity_prob : float or array_like of shape (N,)
        ε, the probability that a device is active, strictly between 0 and 1; constant within a group. With
        ``couplings``, the probability while all other devices are silent.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    groups : array_like of int, shape (N,), optional
        Labels: the devices of a label are active together.
    couplings : array_like of shape (N, N), optional
        c, symmetric with zero diagonal: device n has log-odds log(ε_n/(1 - ε_n)) + Σ_m c_nm α_m given the others
        (Jiang, Cui, 2020). Not together with ``groups``.
    max_iter : int
        Sweeps of each chain over the devices; the first tenth is not averaged.
    tol : float
        Chains whose probabilities differ by no more than this agree: ``converged``. It stops nothing, and proves
        nothing: both may be stuck in the same place, and are too sure then.
    seed : int
        Of the random numbers. All problems see the same ones, so that an answer does not depend on its batch.

    Returns
    -------
    SolverResult
        ``score`` the posterior probabilities, ``X`` (..., N, M) the posterior mean, ``objective`` the mean of
        -(log-posterior)/M along the chains, counted from that of silence, ``optimality`` the largest difference
        between the two chains' probabilities. Where they disagree, ``converged`` is False and the probabilities are
        less sure than they look. Where they agree, probabilities were as good as they claim at N = 100 and L = 8 to 20;
        of 200,000 devices above 0.999 four were silent where 0.6 were to be expected, as another explanation, of a
        thousandth or so, is not always found in so few sweeps. The mean of
        min(score, 1 - score) estimates the error rate without labels.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    References
    ----------
    S. Geman, D. Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images", IEEE
    TPAMI 1984. R. H. Swendsen, J.-S. Wang, "Replica Monte Carlo simulation of spin-glasses", Physical Review Letters
    1986. C. J. Geyer, "Markov chain Monte Carlo maximum likelihood", Interface 1991. D. Jiang, Y. Cui, "MAP-based pilot
    state detection in grant-free random access for mMTC", IEEE SPAWC 2020.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> Y = np.array([[2.0, -2.0], [0.1, 0.0], [0.0, -0.1]])
    >>> mmv.gibbs(np.eye(3), Y, noise_var=0.01, activity_prob=0.1).score.round(1).tolist()
    [1.0, 0.0, 0.0]
    """
    batch = Batch.of(A, Y)
    prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    gain = batch.per_device("channel_var", channel_var, POSITIVE).astype(np.float64)
    sigma2 = batch.numbers("noise_var", noise_var, POSITIVE)
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    seeds = np.random.SeedSequence(as_count("seed", seed, 0)).generate_state(2, np.uint64)
    label, pairs = as_structure(groups, couplings, batch.N, prob)
    order, first = by_group(label)
    log_odds = np.log(prob / (1 - prob))[order[first[:-1]]]
    weight = 1.0 if batch.A.dtype.kind == "c" else 0.5
    burn_in = int(BURN_IN * max_iter)
    sampler = _sampler_of(batch.N, first, pairs)
    score, estimate = np.empty((batch.T, first.size - 1)), np.empty((batch.T, batch.N, batch.M), np.complex128)
    level, difference = np.empty(batch.T), np.empty(batch.T)
    for problems in batch.in_noise_units(gain, sigma2):
        solve = partial(
            _sample,
            sampler,
            np.ascontiguousarray(problems.rows[order]),
            first,
            problems.Y,
            problems.noise_var,
            log_odds,
            pairs,
            weight,
            seeds,
            burn_in,
            max_iter - burn_in,
        )
        which = problems.which
        score[which], X, level[which], difference[which] = solve_in_parts(solve, problems.Y, batch.N, max_iter)
        grouped = np.empty_like(X)
        grouped[:, order] = X
        estimate[which] = grouped
    estimate *= np.sqrt(gain)[:, None]
    return batch.result(
        X=estimate,
        score=score[:, label],
        objective=-level / batch.M,
        optimality=difference,
        n_iter=np.full(batch.T, max_iter),
        tol=tol,
    )


def _sampler_of(N: int, first: NDArray[np.int64], pairs: NDArray[np.float64]) -> Callable[..., Any]:
    """Return the program for single devices, for coupled ones, or for groups."""
    single = kernels.gibbs.coupled_batch if pairs.size else kernels.gibbs.devices_batch
    sampler: Callable[..., Any] = single if first.size - 1 == N else kernels.gibbs.groups_batch
    return sampler


def _sample(
    sampler: Callable[..., Any],
    rows: NDArray[np.complex128],
    first: NDArray[np.int64],
    Y: NDArray[np.complex128],
    noise_var: NDArray[np.float64],
    log_odds: NDArray[np.float64],
    pairs: NDArray[np.float64],
    weight: float,
    seeds: NDArray[np.unsignedinteger],
    burn_in: int,
    n_averaged: int,
    part: slice,
) -> Any:
    return sampler(
        rows,
        first,
        Y[part],
        noise_var[part],
        log_odds,
        pairs,
        weight,
        seeds,
        burn_in,
        n_averaged,
    )
