"""Where trainings start from what is known of the activity: pilots made for groups, and who wakes with whom."""

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.pilots import draw_pilots
from mmvsolvers.scenario import Scenario
from mmvsolvers.shared_pilots import draw_orthogonal_pilots, draw_shared_pilots

GROUP_PILOTS = ("shared", "orthogonal")
# Samples of the activity, and the correlation below which chance is as good an explanation, in standard deviations.
_LOGS, _CHANCE = 10_000, 6.0


def initial_pilots(rng: np.random.Generator, scenario: Scenario, kind: str) -> NDArray[np.complex128]:
    """Draw pilots (L, N) of a kind of :func:`mmvsolvers.draw_pilots` or made for the groups of the activity.

    Raises
    ------
    ValueError
        If devices have no groups, or larger ones than there are orthogonal pilots.
    """
    L, N = scenario.L, scenario.N
    if kind not in GROUP_PILOTS:
        return draw_pilots(rng, L, N, kind)
    groups = getattr(scenario.activity, "groups", None)
    if groups is None:
        raise ValueError(f"start={kind!r} needs an activity with groups; got {scenario.activity}")
    draw_in_groups = draw_orthogonal_pilots if kind == "orthogonal" else _shared
    return draw_in_groups(rng, L, groups(N))


def _shared(rng: np.random.Generator, L: int, groups: NDArray[np.int64]) -> NDArray[np.complex128]:
    return draw_shared_pilots(rng, L, groups, "low_coherence")


def activity_correlation(scenario: Scenario, seed: int) -> NDArray[np.float64]:
    """Return how the devices' activities are correlated, (N, N) with zero diagonal, where they wake together.

    What chance may have caused, and devices that avoid each other, are zero.
    """
    active = scenario.activity.draw(np.random.default_rng([seed, 1]), scenario.N, _LOGS)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A device that never woke has no correlation with any.
        found = np.nan_to_num(np.atleast_2d(np.corrcoef(active, rowvar=False)))
    found[found < _CHANCE / np.sqrt(_LOGS)] = 0.0
    np.fill_diagonal(found, 0.0)
    return found
