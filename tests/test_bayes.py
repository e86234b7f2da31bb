from dataclasses import replace

import numpy as np
import pytest
from oracles import enumerate_posterior, log_odds

import mmvsolvers as mmv
from mmvsolvers.bayes import Optimum


def test_knows_the_single_active_group_exactly():
    activity = mmv.SingleActiveGroup(0.25)
    data = mmv.generate(np.random.default_rng(0), N=12, L=3, M=2, T=5, activity=activity, noise_var=0.5)
    found = mmv.bayes(activity, data)
    groups = np.arange(12) // 3
    for t in range(5):
        P, X = enumerate_posterior(
            data.A, data.Y[t], 0.5, lambda state: 0.0 if state.sum() == 1 else -np.inf, groups=groups
        )
        np.testing.assert_allclose(found.score[t], P, atol=1e-12)
        np.testing.assert_allclose(found.X[t], X, atol=1e-12)


@pytest.mark.parametrize(
    "activity", [mmv.GroupActivity(0.3, 4), mmv.IndependentActivity(0.3, ratio=2.0)], ids=["groups", "devices"]
)
def test_goes_through_all_activities_of_few(activity):
    data = mmv.generate(
        np.random.default_rng(0),
        N=8,
        L=4,
        M=2,
        T=3,
        activity=activity,
        noise_var=0.3,
        channel_var=np.linspace(0.5, 2, 8),
    )
    labels = np.arange(8) // 2 if isinstance(activity, mmv.GroupActivity) else np.arange(8)
    eps = data.activity_prob[:: 8 // (labels.max() + 1)]
    found = mmv.bayes(activity, data)
    for t in range(3):
        P, X = enumerate_posterior(
            data.A, data.Y[t], 0.3, lambda state: log_odds(eps) @ state, data.channel_var, groups=labels
        )
        np.testing.assert_allclose(found.score[t], P, atol=1e-10)
        np.testing.assert_allclose(found.X[t], X, atol=1e-10)


def test_samples_many():
    activity = mmv.GroupActivity(0.3, 20)
    data = mmv.generate(np.random.default_rng(0), N=40, L=4, M=2, T=3, activity=activity, noise_var=0.3)
    found = mmv.bayes(activity, data)
    wanted = mmv.gibbs(data.A, data.Y, 0.3, 0.3, groups=np.arange(40) // 2, max_iter=1600)
    np.testing.assert_array_equal(found.score, wanted.score)
    np.testing.assert_array_equal(found.X, wanted.X)


def test_samples_no_longer_what_is_settled():
    activity = mmv.GroupActivity(0.1, 20)
    data = mmv.generate(np.random.default_rng(0), N=40, L=8, M=4, T=40, activity=activity, noise_var=0.1)
    found = mmv.bayes(activity, data)
    long = mmv.gibbs(data.A, data.Y, 0.1, 0.1, groups=np.arange(40) // 2, max_iter=1600)
    settled = found.n_iter < 1600
    assert 0 < settled.sum() < 40
    np.testing.assert_allclose(found.score[settled], long.score[settled], atol=0.01)
    np.testing.assert_array_equal(found.score[~settled], long.score[~settled])
    np.testing.assert_array_equal(found.converged, found.optimality <= 0.03)


def test_a_scenario_says_its_activity_and_has_channels_of_a_known_posterior():
    scenario = mmv.Scenario(N=12, L=4, M=2, noise_var=0.3, activity=mmv.SingleActiveGroup(0.25))
    data = scenario.draw(np.random.default_rng(0), 3)
    np.testing.assert_array_equal(mmv.bayes(scenario, data).X, mmv.bayes(scenario.activity, data).X)
    for channel in (mmv.Rician(), mmv.Rayleigh(antenna_correlation=0.5), mmv.CellFading(known=False)):
        with pytest.raises(ValueError, match=r"scenario must have Rayleigh channels"):
            mmv.bayes(replace(scenario, channel=channel), data)
        with pytest.raises(ValueError, match=r"scenario must have Rayleigh channels"):
            Optimum(replace(scenario, channel=channel))


def test_refuses_activities_whose_posterior_it_does_not_know():
    scenario = mmv.Scenario(N=12, L=6, M=2, noise_var=0.1, activity=mmv.FixedActivity(3))
    data = scenario.draw(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match=r"scenario must have independent devices, .* got FixedActivity"):
        mmv.bayes(scenario, data)


def test_data_are_of_the_scenario():
    scenario = mmv.Scenario(N=12, L=6, M=2, noise_var=0.1, activity=mmv.SingleActiveGroup(0.25))
    data = scenario.draw(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match="data must be of the scenario's 16 devices; got 12"):
        mmv.bayes(replace(scenario, N=16), data)
    with pytest.raises(TypeError, match=r"data must be MMVData, .* got ndarray"):
        mmv.bayes(scenario, data.Y)
