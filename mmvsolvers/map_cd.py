"""Maximum-a-posteriori coordinate descent for activity detection with known access probabilities."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.groups import by_group
from mmvsolvers.likelihood import largest_flip_gain, maximise_posterior, whitened_likelihood
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, PROBABILITY, as_count, as_scalar, as_structure, is_estimated

# Where rounding errors of what silence leaves unexplained exceed this, an objective counted from silence is not told.
CANCELLATION = 1e-7
# Devices this many times stronger than the noise leave rounding errors when they fall silent again: objectives and
# what flips gain are then computed anew.
STRONG = 1e6
# Random orders in which groups, or devices with couplings, flip.
N_ORDERS = 8


def map_cd(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    activity_prob: ArrayLike,
    *,
    channel_var: ArrayLike = 1.0,
    groups: ArrayLike | None = None,
    couplings: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    gamma0: ArrayLike | str | None = None,
    max_iter: int = 1000,
    tol: float = 1e-3,
) -> SolverResult:
    """Estimate the activity α of every device by maximum a posteriori probability, coordinate by coordinate.

    Minimises over 0 ⪯ α ⪯ upper the function f(α) - (1/M) Σ_n (α_n log ε_n + (1 - α_n) log(1 - ε_n)), where f is the
    negative log-likelihood of ``ml_cd`` at γ = α·g. Every coordinate step is the exact minimiser (Cui, Li, Zhang,
    2021, Algorithm 3, with the sign in (19) corrected).

    Real data are treated by the same formulas, those of complex Gaussians. The likelihood of real ones has M/2 where it
    has M, so that their prior counts half here; twice the log-odds make up for it.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float, array_like of shape (...) or "estimate"
        σ², the noise variance of one complex entry of Y. "estimate" minimises over σ² too, not with
        ``groups`` or ``couplings``; see Notes.
    activity_prob : float or array_like of shape (N,)
        ε, the probability that a device is active, strictly between 0 and 1. With ``couplings``, the probability while
        all other devices are silent.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    groups : array_like of int, shape (N,), optional
        Labels: the devices of a label are active together and have one ε. α is then 0 or 1 for each group, since the
        objective over the box between has poor local minima: groups flip one after the other, or change places with
        another, while that lowers the objective, in eight random orders, always the same, and the best end is taken.
    couplings : array_like of shape (N, N), optional
        c, symmetric with zero diagonal: log p(α) gains Σ_{n<m} c_nm α_n α_m, as in ``gibbs`` (Jiang, Cui, 2020). α is
        then 0 or 1, found by flips of single devices as those of groups are, and of those together whose couplings are
        above 1. Not together with ``groups``.
    upper : float or array_like of shape (N,), optional
        Largest α; ``np.inf`` for none. By default none where ε ≤ ½, and 1 where ε > ½, since the objective is
        unbounded below there. Not together with ``groups`` or ``couplings``.
    gamma0 : "dense" or array_like of shape (N,) or (..., N), optional
        Powers γ = α·g to start from, as in ``ml_cd``, whose start knows nothing of ε; those above ``upper`` begin at
        it. Not together with ``groups`` or ``couplings``.
    max_iter : int
        Most sweeps over the devices.
    tol : float
        As in ``ml_cd``: bound on the largest scaled step left; 0 runs exactly ``max_iter`` sweeps.

    Returns
    -------
    SolverResult
        ``score`` is α (..., N), ``X`` None, ``objective`` the function above, ``optimality`` the largest scaled step
        left; with ``groups`` or ``couplings``, by how much another flip would lower the objective. ``noise_var`` is σ²
        where it was estimated.

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
    An unknown σ² is estimated as in ``ml_cd``. Powers of many silent devices can stand in for
    noise, so that at short pilots the minimum is at a σ² far too small, often at the least that is tried, 1e-9 of the
    power of Y. The scores, which their threshold is learned for, hardly suffer from it.

    References
    ----------
    Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with applications
    in MIMO-based grant-free random access", IEEE JSAC 2021. D. Jiang, Y. Cui, "MAP-based pilot state detection in
    grant-free random access for mMTC", IEEE SPAWC 2020.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> data = mmv.generate(rng, N=40, L=20, M=8, T=1, noise_var=0.01, activity=mmv.IndependentActivity(0.1))
    >>> result = mmv.map_cd(data.A, data.Y, data.noise_var, activity_prob=0.1)
    >>> np.array_equal(result.score > 0.2, data.activity)
    True
    """
    batch = Batch.of(A, Y)
    prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    gain = batch.per_device("channel_var", channel_var, POSITIVE)
    group, pairs = as_structure(groups, couplings, batch.N, prob)
    if group.max() + 1 < batch.N or couplings is not None:
        for name, value in (("upper", upper), ("gamma0", gamma0)):
            if value is not None:
                raise ValueError(f"{name} must not be given together with groups or couplings, where α is 0 or 1")
        if is_estimated(noise_var):
            raise ValueError('noise_var must be known where groups or couplings are; got "estimate"')
        result = _flip(batch, noise_var, prob, gain, group, pairs, max_iter=max_iter, tol=tol)
        warn_about("map_cd", result, tol)
        return result
    result = maximise_posterior(
        batch, noise_var, prob, gain, upper, algorithm="map_cd", max_iter=max_iter, tol=tol, gamma0=gamma0
    )
    warn_about("map_cd", result, tol)
    return result


def _flip(
    batch: Batch,
    noise_var: ArrayLike,
    prob: NDArray[np.floating],
    gain: NDArray[np.floating],
    group: NDArray[np.int64],
    pairs: NDArray[np.float64],
    *,
    max_iter: int,
    tol: float,
) -> SolverResult:
    """Minimise the objective over activities of 0 or 1, one for each of the groups 0 … G-1 in ``group`` (N,).

    ``pairs`` are couplings (N, N) of groups of one device each, or (0, 0).
    """
    sigma2 = batch.numbers("noise_var", noise_var, POSITIVE)
    max_iter, tol = as_count("max_iter", max_iter), as_scalar("tol", tol, NON_NEGATIVE)
    order, first = by_group(group)
    prob_of_group = prob[order[first[:-1]]]
    log_odds = np.log(prob_of_group / (1 - prob_of_group))
    active, n_iter = np.empty((batch.T, first.size - 1), np.bool_), np.empty(batch.T, np.int64)
    objective, left = np.empty(batch.T), np.empty(batch.T)
    for problems in batch.in_noise_units(gain, sigma2):
        which, Y, noise = problems.which, problems.Y, problems.noise_var
        solve = partial(
            _climb, np.ascontiguousarray(problems.rows[order]), first, log_odds, pairs, Y, noise, max_iter=max_iter
        )
        active[which], level, gain_left, n_iter[which] = solve_in_parts(solve, Y, batch.N, max_iter)
        fit = np.sum(Y.real**2 + Y.imag**2, axis=(1, 2)) / noise
        found = batch.A.shape[0] * np.log(noise) + (fit - level) / batch.M
        rounding = np.finfo(float).eps * fit
        lost = rounding > CANCELLATION
        strongest = np.sum(problems.rows.real**2 + problems.rows.imag**2, axis=1).max()
        for t in np.flatnonzero(lost | (strongest > STRONG * noise)):
            awake = active[which][t]
            prior = awake @ log_odds + (0.5 * awake @ pairs @ awake if pairs.size else 0.0)
            counted = whitened_likelihood(problems.rows.T, Y[t], noise[t], awake[group].astype(float))
            counted -= prior / batch.M
            odds = log_odds + awake @ pairs if pairs.size else log_odds
            missed = largest_flip_gain(problems.rows, Y[t], noise[t], awake, group, odds)
            gain_left[t], found[t] = max(missed, rounding[t] if lost[t] else 0.0), counted
        left[which] = gain_left
        objective[which] = found + 2 * np.log(2) * batch.A.shape[0] * problems.unit
    objective -= np.log1p(-prob_of_group).sum() / batch.M
    return batch.result(
        X=None,
        score=active[:, group].astype(batch.real_dtype),
        objective=objective,
        optimality=left / batch.M,
        n_iter=n_iter,
        tol=tol,
    )


def _climb(
    rows: NDArray[np.complex128],
    first: NDArray[np.int64],
    log_odds: NDArray[np.float64],
    pairs: NDArray[np.float64],
    Y: NDArray[np.complex128],
    noise_var: NDArray[np.float64],
    part: slice,
    *,
    max_iter: int,
) -> Any:
    seed = np.random.SeedSequence(0).generate_state(1, np.uint64)[0]
    return kernels.map_groups.solve_batch(
        rows, first, Y[part], noise_var[part], log_odds, pairs, seed, N_ORDERS, max_iter
    )
