"""What a coupled scheme learned of who wakes with whom, read from its coupling and told to classical solvers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.activity_prior import clusters_of
from mmvsolvers.comparison import Row
from mmvsolvers.evaluation import evaluate
from mmvsolvers.registry import SOLVERS
from mmvsolvers.scenario import Scenario
from mmvsolvers.validation import as_choice
from mmvsolvers_nn.autoencoders import AutoEncoder
from mmvsolvers_nn.evaluation import LearnedSolver

# Mean couplings of two classes must differ by so many standard deviations of the weaker one: halves of a single normal
# distribution differ by 2.7 of theirs.
_SEPARATION = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class LearnedPrior:
    """The prior in a coupling.

    Attributes
    ----------
    strength : ndarray of shape (N, N)
        The coupling between two devices, averaged over both directions; 0 on the diagonal.
    groups : ndarray of shape (N,), int
        Labels 0 … G−1 of devices that are strongly coupled; a device on its own has a label of its own.
    activity_prob : ndarray of shape (N,)
        The ε(n) that was learned.
    group_prob : ndarray of shape (N,)
        That of each device's group, by the mean of the log-odds.
    couplings : ndarray of shape (N, N), or None
        What device m being active adds to the log-odds of device n, symmetric, where the scheme has such.

    Examples
    --------
    >>> import numpy as np, mmvsolvers_nn as mmvnn
    >>> p = np.full(4, 0.1)
    >>> prior = mmvnn.LearnedPrior(np.zeros((4, 4)), np.array([0, 0, 1, 1]), p, p, None)
    >>> sorted(prior.told("groups"))
    ['activity_prob', 'groups']
    """

    strength: NDArray[np.float64]
    groups: NDArray[np.int64]
    activity_prob: NDArray[np.float64]
    group_prob: NDArray[np.float64]
    couplings: NDArray[np.float64] | None

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms in which it can be told."""
        return ("groups",) if self.couplings is None else ("groups", "pairs")

    def told(self, form: str) -> dict[str, Any]:
        """Return the keyword arguments that tell a solver this prior, as "groups" or "pairs"."""
        if as_choice("form", form, self.forms) == "groups":
            return {"activity_prob": self.group_prob, "groups": self.groups}
        return {"activity_prob": self.activity_prob, "couplings": self.couplings}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what other programs may want, by its name."""
        pairs = {} if self.couplings is None else {"couplings": self.couplings}
        names = ("strength", "groups", "activity_prob", "group_prob")
        return {name: getattr(self, name) for name in names} | pairs


def read_prior(model: AutoEncoder) -> LearnedPrior:
    """Return the prior that a trained coupled scheme holds.

    Groups are clusters of devices (average linkage) whose mean coupling is nearer to that of strongly coupled pairs
    than to that of all others (Otsu's threshold); where couplings do not fall into two classes, there are no groups.

    Raises
    ------
    ValueError
        If the scheme has no coupling.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9(1), 1979.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.GroupActivity(0.2, n_groups=5))
    >>> architecture = mmvnn.Architecture(scheme="coupled_map_nn")
    >>> model = mmvnn.build(mmvnn.Configuration(scenario=scenario, architecture=architecture))
    >>> mmvnn.read_prior(model).groups.max() + 1  # nothing is learned yet: all devices are on their own
    np.int64(20)
    """
    learned = {name: value.astype(np.float64) for name, value in model.exported().items() if name != "A"}
    if "coupling" not in learned:
        raise ValueError(f"only coupled schemes hold a prior; got {type(model).__name__}")
    strength = _both_ways(learned["coupling"])
    groups = _groups_in(strength)
    log_odds = np.log(learned["activity_prob"]) - np.log1p(-learned["activity_prob"])
    mean = (np.bincount(groups, log_odds) / np.bincount(groups))[groups]
    pairs = learned.get("prior_coupling")
    return LearnedPrior(
        strength=strength,
        groups=groups,
        activity_prob=learned["activity_prob"],
        group_prob=1 / (1 + np.exp(-mean)),
        couplings=None if pairs is None else _both_ways(pairs),
    )


def compare_priors(
    learned: LearnedSolver, prior: LearnedPrior, scenario: Scenario, *, n_train: int, n_test: int, seed: int
) -> Iterator[Row]:
    """Evaluate a coupled scheme beside the classical solvers over its pilots, told its ε(n) alone or told its prior.

    Parameters
    ----------
    learned : LearnedSolver
        The scheme.
    prior : LearnedPrior
        What it holds.
    scenario : Scenario
        Where samples come from; of the activity, no solver is told more than what was learned.
    n_train, n_test : int
        Samples that thresholds are learned on, and that figures are measured on; the same for all.
    seed : int
        Of the samples.

    Yields
    ------
    Row
        ``pilots`` says what the solver was told.
    """
    rng = np.random.default_rng(seed)
    train, test = (scenario.draw(rng, T, pilots=learned.pilots, dtype=np.complex64) for T in (n_train, n_test))
    yield Row(scenario, learned, evaluate(learned, train, test), pilots="itself")
    forms = {"ε alone": {"activity_prob": prior.activity_prob}} | {form: prior.told(form) for form in prior.forms}
    for solver in (SOLVERS[name] for name in dict.fromkeys((*learned.compared_with, "gibbs"))):
        for form, told in forms.items():
            if told.keys() <= set(solver.options):
                yield Row(scenario, solver, evaluate(solver, train, test, **told), told, form)


def draw_prior(path: Path, prior: LearnedPrior, title: str) -> None:
    """Draw the couplings between all devices, the devices in their order and sorted by the groups that were found."""
    from mmvsolvers import plotting

    order = np.argsort(prior.groups, kind="stable")
    largest = max(float(prior.strength.max()), np.finfo(float).tiny)
    with plotting.figure(2) as (canvas, axes):
        names = "devices in their order", f"sorted by {prior.groups.max() + 1} groups"
        for ax, name, places in zip(axes, names, (np.arange(order.size), order), strict=True):
            image = ax.imshow(
                prior.strength[np.ix_(places, places)], cmap="Greys", vmin=0, vmax=largest, interpolation="nearest"
            )
            ax.grid(False)
            ax.set_title(name, loc="left", fontsize="medium")
            ax.set_xlabel("device")
            ax.set_ylabel("device")
        canvas.colorbar(image, ax=axes, label="coupling")
        canvas.suptitle(title)
        plotting.save(canvas, path)


def _both_ways(coupling: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = (coupling + coupling.T) / 2
    np.fill_diagonal(mean, 0.0)
    return mean


def _groups_in(strength: NDArray[np.float64]) -> NDArray[np.int64]:
    N = len(strength)
    least = _threshold(np.sort(strength[np.triu_indices(N, 1)]))
    if not np.isfinite(least):
        return np.arange(N)
    return clusters_of(strength / strength.max(), least / float(strength.max()))


def _threshold(values: NDArray[np.float64]) -> float:
    """Return the threshold between two classes of sorted values; infinity where there is one class only."""
    if values.size < 2 or values[0] == values[-1]:
        return np.inf
    count, total = np.arange(1, values.size), np.cumsum(values)
    low, high = total[:-1] / count, (total[-1] - total[:-1]) / (values.size - count)
    k = int(np.argmax(count * (values.size - count) * (high - low) ** 2))
    spread = float(values[: k + 1].std())
    if high[k] - low[k] < _SEPARATION * spread:
        return np.inf
    return float(values[k] + values[k + 1]) / 2
