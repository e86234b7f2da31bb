"""The random problems have the distribution that their documentation gives."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvsolvers.activity import GroupActivity, IndependentActivity, SingleActiveGroup
from mmvsolvers.channels import Rayleigh
from mmvsolvers.coherence import coherence
from mmvsolvers.data import MMVData
from mmvsolvers.pilots import draw_pilots
from mmvsolvers.scenario import Scenario, generate

SMALL = {"N": 8, "L": 5, "M": 3, "T": 6, "activity": IndependentActivity(0.3), "noise_var": 0.1}
# Of seed 7, see below.
FIRST_SUMS = (
    -7.639950436039429 - 3.6482825566215706j,
    -0.06686426641003662 - 2.6329594322175733j,
    -1.858064220696106 + 2.2242548288435198j,
)
FIRST_NOISE = 0.08717280132942892
MODELS = [IndependentActivity(0.1, ratio=3), SingleActiveGroup(0.1), GroupActivity(0.2, n_groups=10)]


def rng(seed=0):
    return np.random.default_rng(seed)


def draw(seed=0, **changes):
    return generate(rng(seed), **(SMALL | changes))


def within_5_sigma(sample, expected):
    """Test the mean over axis 0 against ``expected`` at five standard errors, about 1 in 2 million per entry."""
    error = np.abs(sample.mean(axis=0) - expected)
    return bool(np.all(error <= 5 * sample.std(axis=0, ddof=1) / math.sqrt(len(sample)) + 1e-12))


@pytest.mark.parametrize("model", MODELS[1:], ids=lambda model: type(model).__name__)
def test_devices_of_a_group_are_active_together_and_of_two_groups_are_not(model):
    activity, groups = model.draw(rng(), 40, 500), model.groups(40)
    together = (activity[:, :, np.newaxis] == activity[:, np.newaxis]).all(axis=0)
    np.testing.assert_array_equal(together, groups[:, np.newaxis] == groups)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_marginals_are_the_frequencies_of_activity(model):
    activity = model.draw(rng(), 40, 20_000)
    assert activity.shape == (20_000, 40)
    assert activity.dtype == bool
    assert within_5_sigma(activity, model.marginal(40))


def test_independent_halves_have_the_ratio_and_the_average():
    marginal = IndependentActivity(0.1, ratio=3).marginal(10)
    np.testing.assert_allclose(marginal, [0.15] * 5 + [0.05] * 5, rtol=1e-15)


def test_independent_devices_are_uncorrelated():
    centred = IndependentActivity(0.3, ratio=2).draw(rng(), 4, 40_000) - IndependentActivity(0.3, ratio=2).marginal(4)
    products = centred[:, [0, 0, 1]] * centred[:, [1, 2, 3]]
    assert within_5_sigma(products, 0)


def test_a_single_group_of_consecutive_devices_is_active():
    activity = SingleActiveGroup(0.25).draw(rng(), 12, 50)
    by_group = activity.reshape(50, 4, 3)
    assert (by_group.all(axis=2) == by_group.any(axis=2)).all()
    assert (by_group.any(axis=2).sum(axis=1) == 1).all()


def test_groups_wake_as_a_whole_and_independently():
    by_group = GroupActivity(0.3, n_groups=4).draw(rng(), 12, 20_000).reshape(20_000, 4, 3)
    assert (by_group.all(axis=2) == by_group.any(axis=2)).all()
    centred = by_group[:, :, 0] - 0.3
    assert within_5_sigma(centred[:, [0, 1]] * centred[:, [1, 3]], 0)


@given(
    st.sampled_from(MODELS),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([np.complex64, np.complex128]),
)
def test_shapes_dtypes_and_support(model, size, L, M, T, dtype):
    N = 10 * size
    data = generate(rng(), N=N, L=L, M=M, T=T, activity=model, noise_var=0.1, dtype=dtype)
    assert (data.N, data.L, data.M, data.T) == (N, L, M, T)
    assert (data.A.shape, data.Y.shape, data.X.shape) == ((L, N), (T, L, M), (T, N, M))
    assert {array.dtype for array in (data.A, data.Y, data.X)} == {np.dtype(dtype)}
    assert data.activity_prob.shape == data.channel_var.shape == (N,)
    np.testing.assert_array_equal(np.abs(data.X).min(axis=2) > 0, data.activity)
    np.testing.assert_array_equal(np.abs(data.X).max(axis=2) > 0, data.activity)


def test_the_same_seed_gives_the_same_data_and_another_does_not():
    first, second = draw(1), draw(1)
    for field in dataclasses.fields(MMVData):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    assert not np.array_equal(first.Y, draw(2).Y)


def test_single_precision_rounds_the_same_draw():
    single, double = draw(dtype=np.complex64), draw()
    np.testing.assert_array_equal(single.X, double.X.astype(np.complex64))
    np.testing.assert_allclose(single.Y, double.Y, rtol=1e-5, atol=1e-5)


def test_noise_is_circular_with_the_stated_variance():
    data = draw(T=4000, noise_var=0.3)
    Z = (data.Y - data.A @ data.X).ravel()
    assert within_5_sigma(np.stack([Z.real, Z.imag, np.abs(Z) ** 2 - 0.3, (Z**2).real, (Z**2).imag], axis=1), 0)


def test_channels_have_each_device_own_variance():
    channel_var = np.arange(1.0, 9.0)
    data = draw(T=4000, channel_var=channel_var)
    np.testing.assert_array_equal(data.channel_var, channel_var)
    for n in range(8):
        assert within_5_sigma(np.abs(data.X[data.activity[:, n], n]) ** 2, channel_var[n])


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.95])
def test_antennas_are_exponentially_correlated(correlation):
    data = draw(T=4000, M=4, antenna_correlation=correlation)
    h = data.X[data.activity]
    products = h[:, :, np.newaxis] * h[:, np.newaxis].conj()
    expected = correlation ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    assert within_5_sigma(products.real, expected)
    assert within_5_sigma(products.imag, 0)


def test_gaussian_pilots_have_unit_variance_entries():
    A = draw_pilots(rng(), 200, 100).ravel()
    assert within_5_sigma(np.stack([A.real, A.imag, np.abs(A) ** 2 - 1, (A**2).real], axis=1), 0)


def test_unit_norm_pilots_have_unit_power():
    A = draw_pilots(rng(), 12, 30, "unit_norm")
    np.testing.assert_allclose(np.linalg.norm(A, axis=0), np.sqrt(12), rtol=1e-14)


def test_low_coherence_pilots_have_unit_power_and_little_in_common():
    drawn, spread = (draw_pilots(rng(), 12, 30, kind) for kind in ("unit_norm", "low_coherence"))
    np.testing.assert_allclose(np.linalg.norm(spread, axis=0), np.sqrt(12), rtol=1e-14)
    assert coherence(spread) < 0.6 * coherence(drawn)


def test_qpsk_pilots_take_four_values_equally_often():
    A = draw_pilots(rng(), 100, 100, "qpsk").ravel()
    assert set(np.round(A * np.sqrt(2), 12)) == {1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j}
    assert within_5_sigma(np.stack([A.real, A.imag, (A**2).imag], axis=1), 0)


def test_given_pilots_are_copied_and_kept():
    train = draw()
    test = draw(1, pilots=train.A)
    np.testing.assert_array_equal(test.A, train.A)
    assert not np.shares_memory(test.A, train.A)


def test_real_pilots_become_complex():
    A = rng().standard_normal((5, 8))
    data = draw(pilots=A)
    assert data.A.dtype == np.complex128
    np.testing.assert_array_equal(data.A, A)


def test_snr_is_the_mean_received_power_of_one_device_over_the_noise():
    channel_var = np.linspace(0.5, 2, 8)
    data = draw(noise_var=None, snr_db=7.0, channel_var=channel_var)
    power = np.mean([channel_var[n] * np.linalg.norm(data.A[:, n]) ** 2 / 5 for n in range(8)])
    assert 10 * np.log10(power / data.noise_var) == pytest.approx(7.0, abs=1e-12)


def test_ten_db_is_the_noise_of_the_paper_for_unit_norm_pilots():
    assert draw(noise_var=None, snr_db=10, pilots="unit_norm").noise_var == pytest.approx(0.1, rel=1e-12)


def test_a_users_own_activity_model_works():
    class Everyone:
        def draw(self, rng, N, T):
            return np.ones((T, N), bool)

        def marginal(self, N):
            return np.full(N, 0.999)

    assert draw(activity=Everyone()).activity.all()


def test_the_data_is_frozen_and_prints_its_sizes():
    data = draw()
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.Y = 0
    assert repr(data) == "MMVData(N=8, L=5, M=3, T=6, noise_var=0.1, dtype=complex128)"


BAD_MODELS = [
    (lambda: IndependentActivity(0.0), ValueError, "p must be .* between 0 and 1; got 0"),
    (lambda: IndependentActivity(float("nan")), ValueError, "p must be .*got nan"),
    (lambda: IndependentActivity(0.1, ratio=0), ValueError, "ratio must be .*positive; got 0"),
    (lambda: IndependentActivity(0.6, ratio=9), ValueError, "probability 1.08; it must be below 1"),
    (lambda: IndependentActivity(0.6, ratio=1 / 9), ValueError, "probability 1.08; it must be below 1"),
    (lambda: IndependentActivity("0.1"), TypeError, "p must be real; got '0.1'"),
    (lambda: IndependentActivity(0.1, ratio=3).marginal(7), ValueError, "N must be even where ratio .*; got 7"),
    (lambda: IndependentActivity(0.1).draw(rng(), 0, 3), ValueError, "N must be at least 1; got 0"),
    (lambda: IndependentActivity(0.1).draw(rng(), 3, 0), ValueError, "T must be at least 1; got 0"),
    (lambda: IndependentActivity(0.1).draw(3, 3, 3), TypeError, "rng must be a numpy.random.Generator.* got 3"),
    (lambda: SingleActiveGroup(0.3), ValueError, "p must be 1/G .* got 0.3, 1/p = 3.33"),
    (lambda: SingleActiveGroup(1.0), ValueError, "p must be .* between 0 and 1; got 1"),
    (lambda: SingleActiveGroup(0.25).draw(rng(), 10, 2), ValueError, "N must be a multiple .* 4; got 10"),
    (lambda: SingleActiveGroup(0.25).marginal(10), ValueError, "N must be a multiple .* 4; got 10"),
    (lambda: GroupActivity(0.1, n_groups=0), ValueError, "n_groups must be at least 1; got 0"),
    (lambda: GroupActivity(0.1, n_groups=2.0), TypeError, "n_groups must be an integer; got 2.0"),
    (lambda: GroupActivity(0.1, n_groups=3).draw(rng(), 10, 2), ValueError, "N must be a multiple .* 3; got 10"),
    (
        lambda: draw_pilots(rng(), 3, 4, "dft"),
        ValueError,
        "kind must be one of 'gaussian', .*; got 'dft'",
    ),
    (lambda: draw_pilots(np.random.RandomState(0), 3, 4), TypeError, "rng must be a numpy.random.Generator"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_MODELS)
def test_bad_models_and_pilots_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


BAD_ARGUMENTS = [
    ({"N": 0}, ValueError, "N must be at least 1; got 0"),
    ({"L": 2.0}, TypeError, "L must be an integer; got 2.0"),
    ({"M": True}, TypeError, "M must be an integer; got True"),
    ({"T": -1}, ValueError, "T must be at least 1; got -1"),
    ({"activity": 0.1}, TypeError, "activity must be an activity model .* got 0.1, which lacks draw and marginal"),
    ({"activity": IndependentActivity}, TypeError, "activity must be an activity model .* not a class"),
    ({"noise_var": 0.0}, ValueError, "noise_var must be .*positive; got 0"),
    ({"noise_var": None}, ValueError, "exactly one of noise_var and snr_db; got noise_var=None, snr_db=None"),
    ({"snr_db": 3.0}, ValueError, "exactly one of noise_var and snr_db; got noise_var=0.1, snr_db=3.0"),
    ({"noise_var": None, "snr_db": np.inf}, ValueError, "snr_db must be .*got inf"),
    ({"pilots": "dft"}, ValueError, "pilots must be one of"),
    ({"pilots": np.ones((8, 5))}, ValueError, r"pilots must have shape \(L, N\) = \(5, 8\); got \(8, 5\)"),
    ({"pilots": np.ones((5, 8), int)}, TypeError, "pilots must have one of the dtypes"),
    ({"channel_var": 0.0}, ValueError, "channel_var must be .*positive; got 0"),
    ({"channel_var": np.ones(3)}, ValueError, r"channel_var must be a scalar or have shape \(8,\).*; got \(3,\)"),
    ({"antenna_correlation": 1.0}, ValueError, "antenna_correlation must be .* below 1; got 1"),
    ({"dtype": np.float64}, TypeError, "dtype must be complex64 or complex128; got float64"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        draw(**changes)


def test_a_seed_is_not_a_generator():
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator.* got 0"):
        generate(0, **SMALL)


def test_the_data_of_a_seed_stay_what_they_were():
    data = draw(3, N=40, L=7, T=20, activity=GroupActivity(0.2, 10), noise_var=None, snr_db=7.0, pilots="unit_norm",
                channel_var=np.linspace(0.5, 2, 40), antenna_correlation=0.4)  # fmt: skip
    np.testing.assert_array_equal(np.flatnonzero(data.activity[0]), [8, 9, 10, 11, 16, 17, 18, 19])
    assert data.noise_var == pytest.approx(0.24940778937111005, rel=1e-12)
    np.testing.assert_allclose(
        [data.A[0, 0], data.X[data.activity][1, 1], data.Y[19, 6, 2]],
        [1.22958672 - 1.53970423j, 0.5026457 + 0.30179556j, -2.17669647 + 3.25165361j],
        rtol=1e-8,
    )


def test_groups_are_told_where_there_are_any():
    np.testing.assert_array_equal(draw(activity=GroupActivity(0.2, 4)).groups, [0, 0, 1, 1, 2, 2, 3, 3])
    assert draw().groups is None


def scenario(**changes):
    return Scenario(**({name: SMALL[name] for name in ("N", "L", "M", "activity", "noise_var")} | changes))


def test_generate_is_a_scenario_that_is_used_once():
    options = {"channel": Rayleigh(2.0, 0.3), "noise_var": None, "snr_db": 7.0}
    wanted = scenario(**options).draw(rng(3), 6, dtype=np.complex64)
    found = draw(3, channel_var=2.0, antenna_correlation=0.3, noise_var=None, snr_db=7.0, dtype=np.complex64)
    for field in dataclasses.fields(MMVData):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(wanted, field.name))


def test_data_stay_what_they_were():
    """The first numbers that version 0.1 drew from this seed."""
    data = generate(rng(7), N=6, L=3, M=2, T=4, activity=IndependentActivity(0.3, 2.0), snr_db=10.0)
    sums = [complex(array.sum()) for array in (data.A, data.X, data.Y)]
    np.testing.assert_allclose(sums, FIRST_SUMS, rtol=1e-12)
    assert data.noise_var == pytest.approx(FIRST_NOISE, rel=1e-12)


def test_data_know_the_groups_of_their_activity():
    assert scenario().draw(rng(), 3).groups is None
    grouped = scenario(activity=GroupActivity(0.3, 4)).draw(rng(), 3)
    np.testing.assert_array_equal(grouped.groups, [0, 0, 1, 1, 2, 2, 3, 3])


def test_scenarios_with_own_pilots_compare_and_print():
    A = rng().standard_normal((5, 8))
    one, same, other = (scenario(pilots=pilots) for pilots in (A, A.copy(), 2 * A))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != scenario()
    assert "pilots=<array of shape (5, 8)>" in repr(one)
    A[:] = 0
    assert one == same
    assert not one.pilots.flags.writeable


def test_variants_are_made_by_replace():
    assert dataclasses.replace(scenario(), L=9) == scenario(L=9)
    with pytest.raises(ValueError, match="exactly one of noise_var and snr_db"):
        dataclasses.replace(scenario(), snr_db=3.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activity": IndependentActivity(0.1, 3.0)}, "N=8, L=5, M=3, independent activity p=0.1, p1/p2=3, σ²=0.1"),
        ({"activity": GroupActivity(0.1, 4)}, "N=8, L=5, M=3, i.i.d. group activity p=0.1, G=4, σ²=0.1"),
        (
            {"channel": Rayleigh(2.0), "noise_var": None, "snr_db": 3.0, "pilots": "unit_norm"},
            "N=8, L=5, M=3, independent activity p=0.3, Rayleigh fading g=2, unit-norm pilots, SNR=3 dB",
        ),
    ],
)
def test_scenarios_are_described_in_the_fields_words(changes, words):
    assert str(scenario(**changes)) == words


def test_what_varies_is_left_out_of_the_description():
    described = scenario(activity=IndependentActivity(0.1, 3.0)).describe(without=("L", "activity.p", "noise"))
    assert described == "N=8, M=3, independent activity p1/p2=3"


class Wrong:
    """An activity model whose arrays have another shape."""

    def __init__(self, marginal, active):
        self.probability, self.active = marginal, active

    def marginal(self, N):
        return self.probability

    def draw(self, rng, N, T):
        return self.active


@pytest.mark.parametrize(
    ("activity", "message"),
    [
        (Wrong(np.full(3, 0.1), None), r"activity.marginal\(N\) must return shape \(N,\) = \(8,\); got \(3,\)"),
        (Wrong(np.full(8, 1.2), None), r"activity.marginal\(N\) must be between 0 and 1; got 1.2"),
        (Wrong(np.full(8, 0.1), np.ones((6, 7), bool)), r"Wrong.draw\(rng, N, T\) must return booleans .*\(6, 8\)"),
        (Wrong(np.full(8, 0.1), np.ones((6, 8))), r"Wrong.draw\(rng, N, T\) must return booleans"),
    ],
)
def test_what_an_own_model_does_wrong_is_named(activity, message):
    with pytest.raises(ValueError, match=message):
        scenario(activity=activity).draw(rng(), 6)


class Silent:
    """A channel of an own class that remembers nothing."""

    def variance(self, rng, N):
        return np.ones(N)

    def draw(self, rng, active, variance, M):
        return np.zeros((*active.shape, M), complex)


class Remembering(Silent):
    def __init__(self, strength):
        self.strength = strength


def test_own_classes_that_remember_nothing_are_one_model():
    """``file.py:Class`` makes a new one of them whenever it is said."""
    scene = {"N": 10, "L": 4, "M": 2, "noise_var": 0.1, "activity": IndependentActivity(0.1)}
    one, other = (Scenario(**scene, channel=Silent()) for _ in range(2))
    assert one == other
    assert len({one, other}) == 1
    assert one != Scenario(**scene)
    assert Scenario(**scene, channel=Remembering(1)) != Scenario(**scene, channel=Remembering(1))
