"""The best that any decoder can do on data of a known model: the reference for all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.activity import ActivityModel, GroupActivity, IndependentActivity, SingleActiveGroup
from mmvsolvers.channels import CellFading, ChannelModel, Rayleigh
from mmvsolvers.data import MMVData, as_data
from mmvsolvers.gibbs import gibbs
from mmvsolvers.groups import by_group
from mmvsolvers.result import SolverResult
from mmvsolvers.scenario import Scenario

# Sweeps where the posterior has to be sampled: four times what ``gibbs`` makes by default.
SWEEPS = 1600
# Chains of groups that are this close after as few sweeps stay so: groups change places, and no chain is stuck long.
FEW_SWEEPS, SETTLED = 200, 1e-3
# As many groups, or devices that wake alone, are enumerated: 2^G activities.
FEW = 12


def bayes(scenario: Scenario | ActivityModel, data: MMVData) -> SolverResult:
    """Return the posterior probabilities of the activities and the posterior mean of X, under the model of the data.

    With a single active group there are G hypotheses, and both are exact at any size. So they are where at most 12
    groups, or devices, wake independently: all activities are gone through. Everywhere else they are sampled by
    ``gibbs``, told who wakes together, in 1600 sweeps, or 200 where that settles groups, and ``converged`` says where
    its chains agree.

    Parameters
    ----------
    scenario : Scenario or ActivityModel
        What drew ``data``, or their activity alone.
    data : MMVData
        The problems, of Rayleigh channels independent over the antennas.

    Returns
    -------
    SolverResult
        ``score`` compared with ½ has the smallest error rate, ``X`` the smallest mean squared error.

    Raises
    ------
    TypeError
        For data without the numbers that drew them.
    ValueError
        For activity models other than the three of which the posterior is known, channels that are not Gaussian and
        independent, of variances that solvers know, and data of another number of devices.

    References
    ----------
    S. M. Kay, "Fundamentals of statistical signal processing: estimation theory", 1993, chapter 11.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=8, L=6, M=4, noise_var=0.1, activity=mmv.SingleActiveGroup(0.25))
    >>> data = scenario.draw(np.random.default_rng(0), 20)
    >>> best = mmv.bayes(scenario, data)
    >>> mmv.error_rate(best.score > 0.5, data.activity).mean
    0.0
    """
    activity, N = scenario, as_data("data", data).N
    if isinstance(scenario, Scenario):
        if scenario.N != N:
            raise ValueError(f"data must be of the scenario's {scenario.N} devices; got {N}")
        _check_channel(scenario.channel)
        activity = scenario.activity
    if not isinstance(activity, IndependentActivity | GroupActivity | SingleActiveGroup):
        raise ValueError(
            "scenario must have independent devices, independent groups or a single active group, whose posterior is "
            f"known; got {type(activity).__name__}"
        )
    groups = getattr(activity, "groups", None)
    labels = None if groups is None else groups(data.N)
    if isinstance(activity, SingleActiveGroup) and labels is not None:
        probability, X = _one_of(data, labels)
        return SolverResult.unoptimised(X.astype(data.Y.dtype), probability[:, labels].astype(data.Y.real.dtype))
    units = np.arange(data.N) if labels is None else np.unique(labels, return_inverse=True)[1]
    if units.max() < FEW:
        probability, X = _all_of(data, units)
        return SolverResult.unoptimised(X.astype(data.Y.dtype), probability[:, units].astype(data.Y.real.dtype))
    if labels is None:
        return _sampled(data, labels, SWEEPS)
    found = _sampled(data, labels, FEW_SWEEPS)
    open_ = np.flatnonzero(found.optimality > SETTLED)
    if open_.size:
        longer = _sampled(replace(data, Y=data.Y[open_]), labels, SWEEPS)
        for name in ("X", "score", "objective", "optimality", "n_iter", "converged"):
            getattr(found, name)[open_] = getattr(longer, name)
    return found


class Optimum:
    """What is possible, in the place of a solver: the posterior under the scenario's own model.

    Parameters
    ----------
    scenario : Scenario
        What draws the data that it is given.

    Raises
    ------
    ValueError
        For channels whose posterior is not known.
    """

    name, label = "optimum", "optimum"
    needs = ("the model",)

    def __init__(self, scenario: Scenario) -> None:
        _check_channel(scenario.channel)
        self.scenario = scenario

    def solve(self, data: MMVData, **options: Any) -> SolverResult:
        """Return posterior probabilities and the posterior mean; see :func:`bayes`."""
        return bayes(self.scenario, data)


def _check_channel(channel: ChannelModel) -> None:
    """Refuse channels whose posterior is not known."""
    if (isinstance(channel, Rayleigh) and not channel.antenna_correlation) or (
        isinstance(channel, CellFading) and channel.known
    ):
        return
    raise ValueError(
        f"scenario must have Rayleigh channels, independent over the antennas, or known CellFading; got {channel!r}"
    )


def _sampled(data: MMVData, labels: NDArray[np.int64] | None, n_sweeps: int) -> SolverResult:
    return gibbs(
        data.A,
        data.Y,
        data.noise_var,
        data.activity_prob,
        channel_var=data.channel_var,
        groups=labels,
        max_iter=n_sweeps,
    )


def _one_of(data: MMVData, labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.complexfloating]]:
    """Return P(group) (T, G) and E[X] (T, N, M), where exactly one of the equally likely groups 0 … G-1 is active."""
    G = int(labels.max()) + 1
    level = np.empty((data.T, G))
    X = np.empty(data.X.shape, np.complex128)
    for g in range(G):
        root = np.sqrt(data.channel_var[labels == g])
        A_g = data.A[:, labels == g] * root
        matched = A_g.conj().T @ data.Y / data.noise_var
        precision = np.eye(root.size) + A_g.conj().T @ A_g / data.noise_var
        mean = np.linalg.solve(precision, matched)
        X[:, labels == g] = root[:, None] * mean
        fit = np.einsum("tkm,tkm->t", matched.conj(), mean).real
        level[:, g] = fit - data.M * np.linalg.slogdet(precision)[1]
    weight = np.exp(level - level.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return weight, weight[:, labels, None] * X


def _all_of(data: MMVData, units: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.complexfloating]]:
    """Return P(unit) (T, G) and E[X] (T, N, M), where the units 0 … G-1 wake independently of each other."""
    order, first = by_group(units)
    prob = data.activity_prob[order[first[:-1]]]
    root = np.sqrt(data.channel_var)
    rows = np.ascontiguousarray((data.A * root).T[order], np.complex128)
    Y, log_odds = np.ascontiguousarray(data.Y, np.complex128), np.log(prob / (1 - prob))
    probability, grouped = solve_in_parts(
        lambda part: kernels.bayes.solve_batch(rows, first, Y[part], data.noise_var, log_odds), Y, data.N, 2**prob.size
    )
    X = np.empty_like(grouped)
    X[:, order] = grouped
    return probability, root[:, None] * X
