"""The channel models have the powers, the directions and the distances that their documentation gives."""

import dataclasses
import json
import math

import numpy as np
import pytest

from mmvsolvers.channels import CellFading, ChannelModel, Rayleigh, Rician

MODELS = [Rayleigh(np.linspace(0.5, 2, 6), 0.4), Rician(3.0), Rician(-2.0, line_of_sight="random"), CellFading()]


def rng(seed=0):
    return np.random.default_rng(seed)


def draw_all(model, N=6, T=4000, M=3, seed=0):
    g = model.variance(rng(seed), N)
    return model.draw(rng(seed + 1), np.ones((T, N), bool), g, M), g


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_idle_rows_are_zero_and_active_ones_have_their_power(model):
    active = rng().random((4000, 6)) < 0.5
    g = model.variance(rng(), 6)
    X = model.draw(rng(1), active, g, 3)
    assert isinstance(model, ChannelModel)
    assert X.shape == (4000, 6, 3)
    np.testing.assert_array_equal((X != 0).all(axis=2), active)
    for n in range(6):
        power = np.mean(np.abs(X[active[:, n], n]) ** 2, axis=1) / g[n]
        assert abs(power.mean() - 1) < 5 * power.std() / math.sqrt(power.size)
        assert abs(X[active[:, n], n].mean()) < 5 * math.sqrt(g[n] / power.size)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_can_be_written_as_text_and_read_back(model):
    fields = json.loads(json.dumps(dataclasses.asdict(model)))
    assert type(model)(**fields) == model


def test_rician_power_varies_less_the_stronger_the_line_of_sight():
    # The variance of |h|² is (1 + 2κ)/(1 + κ)², as of a noncentral chi-square variable.
    for k_factor_db in (-10.0, 0.0, 10.0):
        kappa = 10 ** (k_factor_db / 10)
        power = np.abs(draw_all(Rician(k_factor_db, line_of_sight="random"), T=8000)[0]) ** 2
        assert power.var() == pytest.approx((1 + 2 * kappa) / (1 + kappa) ** 2, rel=0.05)


def test_a_plane_wave_turns_by_the_same_angle_from_antenna_to_antenna():
    X, _ = draw_all(Rician(300.0), T=50, M=4)
    turns = X[..., 1:] / X[..., :-1]
    np.testing.assert_allclose(np.abs(X), 1, rtol=1e-12)
    np.testing.assert_allclose(turns, np.broadcast_to(turns[..., :1], turns.shape), rtol=1e-9)
    assert np.ptp(np.angle(turns)) > 5


@pytest.mark.parametrize("shape", ["disc", "hexagon"])
def test_devices_are_uniform_over_the_cell(shape):
    cell = CellFading(radius=0.5, min_distance=0.1, shape=shape)
    gain_db = 10 * np.log10(cell.variance(rng(), 20_000))
    distance = 10 ** ((23 + 99 - 128.1 - gain_db) / 37.6)
    assert distance.min() >= 0.1 - 1e-12
    assert distance.max() <= 0.5 + 1e-12
    area = math.pi * 0.5**2 if shape == "disc" else 1.5 * math.sqrt(3) * 0.5**2
    hole = math.pi * 0.1**2
    for r in (0.2, 0.3, 0.4):
        expected = (math.pi * r**2 - hole) / (area - hole)
        assert np.mean(distance <= r) == pytest.approx(expected, abs=5 * 0.5 / math.sqrt(20_000))


def test_shadowing_has_its_spread_and_power_control_a_ceiling():
    near = {"radius": 1.0, "min_distance": 0.9999}
    shadowed = 10 * np.log10(CellFading(**near, shadowing_db=8.0).variance(rng(), 20_000))
    edge = 23 + 99 - 128.1
    assert shadowed.std() == pytest.approx(8, rel=0.03)
    assert shadowed.mean() == pytest.approx(edge, abs=0.3)
    controlled = 10 * np.log10(CellFading(**near, shadowing_db=8.0, power_control=True).variance(rng(), 20_000))
    np.testing.assert_allclose(controlled, np.minimum(shadowed, edge), atol=1e-9)


def test_the_noise_floor_is_the_density_times_the_bandwidth():
    cell = CellFading(min_distance=0.9999999, transmit_dbm=20.0, bandwidth_hz=1e6, noise_dbm_hz=-174.0)
    assert 10 * np.log10(cell.variance(rng(), 1)[0]) == pytest.approx(20 + 174 - 60 - 128.1, abs=1e-4)


def test_an_unknown_fading_is_told_as_its_average():
    g = CellFading().variance(rng(), 5)
    np.testing.assert_array_equal(CellFading().told(g), g)
    np.testing.assert_allclose(CellFading(known=False).told(g), np.full(5, g.mean()), rtol=1e-15)


BAD = [
    (lambda: Rayleigh(-1.0), ValueError, "channel_var must be .*positive; got -1"),
    (lambda: Rayleigh(np.ones((2, 2))), ValueError, r"channel_var must be a scalar or have shape \(N,\).*\(2, 2\)"),
    (lambda: Rayleigh((1.0, 2.0)).variance(rng(), 3), ValueError, r"channel_var must be .* \(3,\).*; got \(2,\)"),
    (lambda: Rician(np.nan), ValueError, "k_factor_db must be .*got nan"),
    (lambda: Rician(line_of_sight="plane"), ValueError, "line_of_sight must be one of .*'plane'"),
    (lambda: CellFading(radius=0.0), ValueError, "radius must be .*positive; got 0"),
    (lambda: CellFading(radius=0.1, min_distance=0.09, shape="hexagon"), ValueError, "min_distance must be below"),
    (lambda: CellFading(shape="square"), ValueError, "shape must be one of .*'square'"),
    (lambda: CellFading(shadowing_db=-1.0), ValueError, "shadowing_db must be .*non-negative; got -1"),
    (lambda: CellFading(transmit_dbm="23"), TypeError, "transmit_dbm must be real; got '23'"),
    (lambda: CellFading().variance(0, 3), TypeError, "rng must be a numpy.random.Generator"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_values_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
