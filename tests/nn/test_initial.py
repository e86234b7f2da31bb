"""What trainings start from: pilots made for groups, and couplings by the activity's correlation."""

import numpy as np
import pytest
import torch

from mmvsolvers import GroupActivity, IndependentActivity, Scenario
from mmvsolvers_nn.configuration import Architecture, Configuration, build

GROUPS = np.arange(12) // 3
SAME = GROUPS[:, None] == GROUPS
PRIORS = ("average", "true")


def start(scheme="coupled_map_nn", activity=None, **options):
    activity = activity or GroupActivity(0.2, 4)
    scenario = Scenario(N=12, L=5, M=2, activity=activity, noise_var=0.1)
    return build(Configuration(scenario=scenario, architecture=Architecture(scheme=scheme, **options)))


def gram_of(model):
    A = model.encoder().detach().numpy()
    return np.abs(A.conj().T @ A)


def test_shared_pilots_are_alike_in_every_group_and_orthogonal_ones_are_not():
    np.testing.assert_allclose(gram_of(start(start="shared"))[SAME], 5.0, rtol=1e-5)
    np.testing.assert_allclose(gram_of(start(start="orthogonal"))[SAME], 5.0 * np.eye(12)[SAME], atol=1e-5)


def test_pilots_for_groups_need_groups():
    with pytest.raises(ValueError, match="start='shared' needs an activity with groups; got Indep"):
        start(activity=IndependentActivity(0.1), start="shared")


@pytest.mark.parametrize("scheme", ["coupled_amp_nn", "coupled_map_nn", "coupled_mmse_nn"])
def test_a_coupling_starts_from_who_wakes_with_whom(scheme):
    known = torch.from_numpy(SAME & ~np.eye(12, dtype=bool)).float()
    found = start(scheme, coupling="correlation").decoder.approximation.coupling
    torch.testing.assert_close(found, torch.nn.Parameter(known))


def test_independent_devices_have_nothing_to_tell_each_other():
    found = start(activity=IndependentActivity(0.1, ratio=3.0), coupling="correlation").decoder.approximation.coupling
    assert not found.any()


def test_learned_priors_start_from_the_average_unless_they_are_to_know_better():
    activity = IndependentActivity(0.1, ratio=3.0)
    average, true = (start("amp_nn", activity=activity, prior=prior).exported()["activity_prob"] for prior in PRIORS)
    np.testing.assert_allclose(average, np.full(12, 0.1), rtol=1e-6)
    np.testing.assert_allclose(true, activity.marginal(12), rtol=1e-6)
