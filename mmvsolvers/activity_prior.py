"""A prior on who is active, fitted from activity logs: marginals, groups and pairwise couplings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers._blas import one_blas_thread
from mmvsolvers.metrics import Estimate
from mmvsolvers.thresholds import as_activity
from mmvsolvers.validation import FRACTION, NON_NEGATIVE, POSITIVE, as_choice, as_scalar

PRIORS = ("independent", "groups", "pairs")
# Differences of log-likelihoods below this share of them are rounding errors.
_ROUNDING = 1e-12
# Of the cross-validation: consecutive parts of the logs, since samples close in time may be alike.
_FOLDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class ActivityPrior:
    """What activity logs say of who will be active, in three forms, each with what it is worth.

    Attributes
    ----------
    activity_prob : ndarray of shape (N,)
        How often each device is active.
    groups : ndarray of shape (N,), int
        Labels 0 … G−1 of devices that are active together; a device on its own has a label of its own.
    group_prob : ndarray of shape (N,)
        How often each device's group is active: the same for all devices of a group.
    silent_prob : ndarray of shape (N,)
        With ``couplings``: the probability that a device is active while all others are silent.
    couplings : ndarray of shape (N, N)
        c_nm, symmetric with zero diagonal: what device m being active adds to the log-odds of device n. The prior is
        log p(α) = Σ_n c_n α_n + Σ_{n<m} c_nm α_n α_m + const, where c_n is the log-odds of ``silent_prob``.
    held_out : dict of str to Estimate
        For each of "independent", "groups" and "pairs", the mean over samples of Σ_n log p(α_n | all other devices), in
        nats, on samples that this prior was not fitted to. The larger, the more it knows.
    best : str
        The form to use: the one with the largest ``held_out`` value, the simplest of those that it does not surpass
        by more than the 95 % interval of the difference.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> logs = mmv.SingleActiveGroup(0.25).draw(np.random.default_rng(0), 8, 200)
    >>> prior = mmv.fit_activity_prior(logs)
    >>> prior.groups.tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    >>> sorted(prior.told("pairs"))
    ['activity_prob', 'couplings']
    """

    activity_prob: NDArray[np.float64]
    groups: NDArray[np.int64]
    group_prob: NDArray[np.float64]
    silent_prob: NDArray[np.float64]
    couplings: NDArray[np.float64]
    held_out: dict[str, Estimate]
    best: str

    def told(self, form: str | None = None) -> dict[str, Any]:
        """Return the keyword arguments that tell a solver this prior; the ``best`` form unless one is named."""
        match as_choice("form", self.best if form is None else form, PRIORS):
            case "groups":
                return {"activity_prob": self.group_prob, "groups": self.groups}
            case "pairs":
                return {"activity_prob": self.silent_prob, "couplings": self.couplings}
            case _:
                return {"activity_prob": self.activity_prob}

    def __repr__(self) -> str:
        """Sizes and what is best; the arrays themselves can be large."""
        n_pairs = np.count_nonzero(np.triu(self.couplings))
        return (
            f"ActivityPrior(N={self.groups.size}, {self.groups.max() + 1} groups, {n_pairs} couplings, "
            f"best={self.best!r})"
        )


def fit_activity_prior(
    logs: ArrayLike, *, smoothing: float = 0.5, group_correlation: float = 0.9, penalty: float = 1.0
) -> ActivityPrior:
    """Fit priors on the activity from logs of who was active, and say which of them helps.

    *Marginals* are relative frequencies. *Groups* are clusters of devices whose activities are correlated by at least
    ``group_correlation`` on average (hierarchical clustering, average linkage). *Couplings* maximise the
    pseudo-likelihood Π_n p(α_n | all others) with an ℓ₁ penalty as large as the largest slope that chance alone would
    show, so that independent devices hardly get any. Each form is judged by cross-validation: fitted to one half of the
    logs, the earlier or the later one, and judged on the other.

    Parameters
    ----------
    logs : array_like of shape (T, N), bool or 0/1
        Who was active in T samples, at least four.
    smoothing : float, default 0.5
        What is added to every count, as if seen before: no probability is 0 or 1.
    group_correlation : float, default 0.9
        In (0, 1]. 1 takes exact duplicates alone.
    penalty : float, default 1
        Factor of the ℓ₁ penalty. 0 fits every pair freely, which takes long logs.

    Returns
    -------
    ActivityPrior
        ``told()`` of it are keyword arguments of solvers that take a prior.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    References
    ----------
    P. Ravikumar, M. J. Wainwright, J. D. Lafferty, "High-dimensional Ising model selection using ℓ₁-regularized
    logistic regression", Annals of Statistics 38(3), 2010. D. Jiang, Y. Cui, "ML and MAP device activity detections for
    grant-free massive access in multi-cell networks", IEEE Transactions on Wireless Communications 21(6), 2022.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> logs = mmv.GroupActivity(0.1, 5).draw(np.random.default_rng(0), 20, 1000)
    >>> prior = mmv.fit_activity_prior(logs)
    >>> prior
    ActivityPrior(N=20, 5 groups, 30 couplings, best='groups')
    >>> sorted(prior.told())
    ['activity_prob', 'groups']
    """
    from scipy.special import expit

    active = as_activity("logs", logs)
    if active.ndim != 2 or active.shape[0] < 4:
        raise ValueError(f"logs must have shape (T, N) with T >= 4; got {active.shape}")
    added = as_scalar("smoothing", smoothing, POSITIVE)
    if (len(active) + added) / (len(active) + 2 * added) == 1.0:
        raise ValueError(f"smoothing must not be lost beside {len(active)} samples; got {added:g}")
    correlation = as_scalar("group_correlation", group_correlation, FRACTION)
    weight = as_scalar("penalty", penalty, NON_NEGATIVE)
    with one_blas_thread():
        judged = _cross_validate(active, added, correlation, weight)
        log_odds, couplings = fit_couplings(active, added, weight)
    groups = find_groups(active, correlation)
    return ActivityPrior(
        activity_prob=_frequency(active, added),
        groups=groups,
        group_prob=_group_frequency(active, groups, added),
        silent_prob=expit(log_odds),
        couplings=couplings,
        held_out={form: Estimate.of(values) for form, values in judged.items()},
        best=_simplest_of_the_best(judged),
    )


def find_groups(active: NDArray[np.bool_], correlation: float) -> NDArray[np.int64]:
    """Return labels (N,) of the clusters of correlated devices, numbered in the order of their first devices."""
    return clusters_of(_correlations(active), correlation)


def clusters_of(similarity: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Return labels (N,) of clusters whose average similarity, (N, N) and at most 1, is at least that.

    They are numbered in the order of their first devices.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(similarity) == 1:
        return np.zeros(1, np.int64)
    distance = squareform((1 - similarity).clip(0), checks=False)
    # those of duplicates are 0 up to rounding
    clusters = fcluster(linkage(distance, "average"), 1 - least + 1e-9, "distance")
    _, first, label = np.unique(clusters, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label].astype(np.int64)


def fit_couplings(
    active: NDArray[np.bool_], smoothing: float, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maximise the penalised pseudo-likelihood; return c_n (N,) and c_nm (N, N), symmetric.

    To every device ``smoothing`` samples are added in which it is active and as many in which it is silent, all others
    as active as they are on average: without them the log-odds of a device that never changes have no finite maximum.
    """
    from scipy.optimize import minimize

    T, N = active.shape
    pairs = np.triu_indices(N, 1)
    frequency = _frequency(active, smoothing)
    spread = np.sqrt(frequency * (1 - frequency))
    # Under independence the slope of a pair's coupling is 2 Σ_t (α_n − ε_n)(α_m − ε_m). This is its standard deviation
    # times the largest of as many normal variables as there are pairs.
    chance = 2 * np.sqrt(2 * T * np.log(max(pairs[0].size, 2))) * spread[pairs[0]] * spread[pairs[1]]
    start = np.concatenate([np.log(frequency / (1 - frequency)), np.zeros(2 * chance.size)])
    found = minimize(
        _penalised_loss,
        start,
        (active.astype(np.float64), pairs, penalty * chance, smoothing, frequency),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * N + [(0, None)] * (2 * chance.size),
        options={"maxiter": 500, "maxfun": 1000},
    )
    return _log_odds_and_couplings(found.x, N, pairs)


Pairs = tuple[NDArray[np.int64], ...]


def _penalised_loss(
    parameters: NDArray[np.float64],
    alpha: NDArray[np.float64],
    pairs: Pairs,
    price: NDArray[np.float64],
    added: float,
    usual: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Return the negative log-pseudo-likelihood with penalty and its slope.

    The parameters are c_n and the positive and the negative parts of c_nm, which make the penalty smooth.
    """
    from scipy.special import expit

    bias, couplings = _log_odds_and_couplings(parameters, alpha.shape[1], pairs)
    log_odds, on_average = bias + alpha @ couplings, bias + usual @ couplings
    loss = np.logaddexp(0, log_odds).sum() - (alpha * log_odds).sum()
    loss += added * (np.logaddexp(0, on_average) + np.logaddexp(0, -on_average)).sum()
    loss += np.tile(price, 2) @ parameters[bias.size :]
    residual, pull = expit(log_odds) - alpha, added * np.tanh(on_average / 2)
    bias_slope = residual.sum(axis=0) + pull
    product = residual.T @ alpha + np.outer(pull, usual)
    slope = (product + product.T)[pairs]
    return float(loss), np.concatenate([bias_slope, slope + price, price - slope])


def _log_odds_and_couplings(
    parameters: NDArray[np.float64], N: int, pairs: Pairs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    positive, negative = np.split(parameters[N:], 2)
    couplings = np.zeros((N, N))
    couplings[pairs] = positive - negative
    return parameters[:N], couplings + couplings.T


def _cross_validate(
    active: NDArray[np.bool_], smoothing: float, correlation: float, penalty: float
) -> dict[str, NDArray[np.float64]]:
    """Return, for each form of prior, Σ_n log p(α_n | others) of every sample, fitted without its part of the logs."""
    values: dict[str, list[NDArray[np.float64]]] = {form: [] for form in PRIORS}
    part = np.arange(len(active)) * _FOLDS // len(active)
    for k in range(_FOLDS):
        fitted, judged = active[part != k], active[part == k]
        frequency = _frequency(fitted, smoothing)
        values["independent"].append(_log_likelihood(judged, np.log(frequency / (1 - frequency))))
        groups = find_groups(fitted, correlation)
        values["groups"].append(_log_likelihood(judged, _log_odds_in_groups(fitted, judged, groups, smoothing)))
        bias, couplings = fit_couplings(fitted, smoothing, penalty)
        values["pairs"].append(_log_likelihood(judged, bias + judged @ couplings))
    return {form: np.concatenate(parts) for form, parts in values.items()}


def _log_odds_in_groups(
    fitted: NDArray[np.bool_], judged: NDArray[np.bool_], groups: NDArray[np.int64], smoothing: float
) -> NDArray[np.float64]:
    """Return the log-odds (T, N) of each device given the rest of its group: all silent, mixed or all active."""
    size = np.bincount(groups)[groups] - 1

    def state_of_rest(active: NDArray[np.bool_]) -> NDArray[np.int64]:
        members = np.eye(groups.max() + 1)[groups]
        others = (active @ members)[:, groups] - active
        return np.where(others == 0, 0, np.where(others == size, 2, 1))

    seen, now = state_of_rest(fitted), state_of_rest(judged)
    log_odds = np.empty(judged.shape)
    for state in range(3):
        active = (fitted & (seen == state)).sum(axis=0) + smoothing
        silent = (~fitted & (seen == state)).sum(axis=0) + smoothing
        log_odds = np.where(now == state, np.log(active / silent), log_odds)
    return log_odds


def _log_likelihood(active: NDArray[np.bool_], log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ_n log p(α_n) of every sample (T,)."""
    total: NDArray[np.float64] = -np.logaddexp(0, np.where(active, -log_odds, log_odds)).sum(axis=1)
    return total


def _simplest_of_the_best(judged: dict[str, NDArray[np.float64]]) -> str:
    best = max(PRIORS, key=lambda form: judged[form].mean())
    for form in PRIORS:
        if form == best or Estimate.of(judged[best] - judged[form]).low <= _ROUNDING * np.abs(judged[form]).mean():
            return form
    return best


def _frequency(active: NDArray[np.bool_], smoothing: float) -> NDArray[np.float64]:
    frequency: NDArray[np.float64] = (active.sum(axis=0) + smoothing) / (len(active) + 2 * smoothing)
    return frequency


def _group_frequency(active: NDArray[np.bool_], groups: NDArray[np.int64], smoothing: float) -> NDArray[np.float64]:
    """Return the mean frequency of each device's group."""
    mean = np.bincount(groups, active.mean(axis=0)) / np.bincount(groups)
    frequency: NDArray[np.float64] = (len(active) * mean[groups] + smoothing) / (len(active) + 2 * smoothing)
    return frequency


def _correlations(active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the correlations (N, N) of the devices' activities; 0 with a device that never changes."""
    deviation = active - active.mean(axis=0)
    norm = np.linalg.norm(deviation, axis=0)
    deviation /= np.where(norm > 0, norm, 1.0)
    correlations: NDArray[np.float64] = deviation.T @ deviation
    np.fill_diagonal(correlations, 1.0)
    return correlations
