"""The channels of TR 38.901 fit the protocol, come from the generator, and leave Sionna's and torch's state alone."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch

from mmvsolvers.channels import ChannelModel
from mmvsolvers_nn.channels import TR38901

needs_sionna = pytest.mark.needs("sionna")


def rng(seed=0):
    return np.random.default_rng(seed)


@needs_sionna
@pytest.mark.parametrize("environment", ["umi", "uma", "rma"])
def test_channels_have_unit_power_where_active_and_come_from_the_generator(environment):
    model, active = TR38901(environment=environment), rng().random((20, 30)) < 0.3
    variance = model.variance(rng(), 30)
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    X, again = (model.draw(rng(1), active, variance, 4) for _ in range(2))
    assert torch.rand(1) == wanted
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal((X != 0).all(axis=2), active)
    power = np.mean(np.abs(X[active]) ** 2, axis=1)
    assert abs(power.mean() - 1) < 5 * power.std() / np.sqrt(power.size)
    assert not np.array_equal(X, model.draw(rng(2), active, variance, 4))


@needs_sionna
def test_path_gains_are_physical_and_scale_the_channels():
    model = TR38901(normalised=False)
    gains = model.variance(rng(), 40)
    assert gains.shape == (40,)
    assert 1e-17 < gains.min() < gains.max() < 1e-6
    active = np.ones((1, 40), bool)
    ratio = model.draw(rng(1), active, gains, 2) / model.draw(rng(1), active, np.ones(40), 2)
    np.testing.assert_allclose(ratio[0, :, 0], np.sqrt(gains), rtol=1e-9)


@needs_sionna
def test_more_devices_than_are_computed_at_a_time(monkeypatch):
    monkeypatch.setattr("mmvsolvers_nn.channels._AT_A_TIME", 4)
    X = TR38901().draw(rng(), np.ones((1, 9), bool), np.ones(9), 2)
    assert len(np.unique(X)) == 18


def test_it_is_a_model_that_can_be_written_as_text():
    model = TR38901(environment="rma", radius=1.0)
    assert isinstance(model, ChannelModel)
    assert TR38901(**json.loads(json.dumps(dataclasses.asdict(model)))) == model


def test_without_sionna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sionna.phy", None)
    with pytest.raises(ImportError, match="TR38901 needs Sionna: pip install sionna-no-rt"):
        TR38901().draw(rng(), np.ones((1, 2), bool), np.ones(2), 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": "inh"}, "environment must be one of 'umi'.*; got 'inh'"),
        ({"radius": 0.01}, "min_distance must be below radius=0.01; got 0.035"),
        ({"carrier_hz": -1.0}, "carrier_hz must be .*positive; got -1"),
    ],
)
def test_bad_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        TR38901(**changes)
