"""Every named scenario draws, can be written as text, and says where it comes from."""

from dataclasses import replace

import numpy as np
import pytest

import mmvsolvers as mmv
from mmvsolvers.codec import from_json, to_json


@pytest.mark.parametrize("name", mmv.named_scenarios())
def test_named_scenarios_draw_and_are_written_as_text(name):
    found = mmv.named_scenario(name)
    assert found.citation == mmv.named_scenarios()[name]
    assert from_json(to_json(found.scenario)) == found.scenario
    data = replace(found.scenario, M=2).draw(np.random.default_rng(0), 2, dtype=np.complex64)
    assert data.Y.shape == (2, found.scenario.L, 2)
    assert data.activity_prob.mean() == pytest.approx(data.activity.mean(), abs=0.1)
    for varied, values in found.sweep.items():
        variants = found.variants(varied)
        assert [v.activity.n_active if varied == "K" else getattr(v, varied) for v in variants] == list(values)
    with pytest.raises(ValueError, match=f"{name} is swept over .*; got 'p'"):
        found.variants("p")


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(ValueError, match="no scenario is called 'fengler2020'; did you mean 'fengler2021'"):
        mmv.named_scenario("fengler2020")


def test_solvers_are_told_what_the_receiver_knows():
    scenario = mmv.Scenario(
        N=5, L=4, M=2, activity=mmv.FixedActivity(2), channel=mmv.CellFading(known=False), noise_var=1.0
    )
    told = scenario.draw(np.random.default_rng(0), 3).channel_var
    assert np.ptp(told) == 0
    known = replace(scenario, channel=mmv.CellFading()).draw(np.random.default_rng(0), 3).channel_var
    assert np.ptp(known) > 0
    assert told[0] == pytest.approx(known.mean(), rel=1e-12)
