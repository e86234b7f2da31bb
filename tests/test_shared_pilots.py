"""One pilot for a group: the virtual devices are those of MAP, and hardly an error is left."""

import numpy as np
import pytest

import mmvsolvers as mmv

GROUPS = np.repeat([7, -2, 0], [2, 1, 3])


def test_devices_share_a_pilot_within_a_group_only():
    A = mmv.draw_shared_pilots(np.random.default_rng(0), 6, GROUPS, "unit_norm")
    equal = (A[:, :, None] == A[:, None, :]).all(axis=0)
    np.testing.assert_array_equal(equal, GROUPS[:, None] == GROUPS)
    np.testing.assert_allclose(np.linalg.norm(A, axis=0), np.sqrt(6))


def test_virtual_devices_have_the_summed_power():
    rng = np.random.default_rng(0)
    A, gains = mmv.draw_shared_pilots(rng, 5, GROUPS), rng.uniform(0.5, 2, 6)
    prob = np.array([0.1, 0.1, 0.2, 0.3, 0.3, 0.3])
    Y = rng.standard_normal((4, 5, 3, 2)) @ [1, 1j]
    found = mmv.map_shared(A, Y, 0.1, prob, groups=GROUPS, channel_var=gains, tol=1e-6)
    powers = [gains[2], gains[3:].sum(), gains[:2].sum()]
    wanted = mmv.map_cd(A[:, [2, 3, 0]], Y, 0.1, prob[[2, 3, 0]], channel_var=powers, tol=1e-6)
    np.testing.assert_array_equal(found.score, wanted.score[:, [2, 2, 0, 1, 1, 1]])
    np.testing.assert_array_equal(found.objective, wanted.objective)


def test_with_a_group_for_every_device_it_is_map_cd():
    rng = np.random.default_rng(0)
    A, Y = (rng.standard_normal((*shape, 2)) @ [1, 1j] for shape in ((5, 9), (3, 5, 2)))
    found = mmv.map_shared(A, Y, 0.1, 0.2, groups=np.arange(9))
    np.testing.assert_array_equal(found.score, mmv.map_cd(A, Y, 0.1, 0.2).score)


def test_hardly_an_error_is_left():
    rng, groups = np.random.default_rng(0), np.arange(100) // 5
    A = mmv.draw_shared_pilots(rng, 12, groups)
    data = mmv.generate(rng, N=100, L=12, M=4, T=1000, activity=mmv.GroupActivity(0.1, 20), noise_var=0.1, pilots=A)
    score = mmv.map_shared(data.A, data.Y, 0.1, 0.1, groups=groups).score
    threshold = mmv.best_threshold(score, data.activity)
    assert mmv.error_rate(score > threshold, data.activity).mean < 0.001


A = np.ones((4, 6)) * np.repeat([1.0, -1.0, 2.0], [2, 1, 3])
Y = np.ones((4, 2))
BAD = [
    (ValueError, "the pilots in A must be constant within a group", A * np.arange(1, 7), GROUPS, 0.1),
    (ValueError, "activity_prob must be constant within a group", A, GROUPS, np.linspace(0.1, 0.6, 6)),
    (ValueError, r"groups must have shape \(6,\), one label per device; got \(5,\)", A, GROUPS[:5], 0.1),
    (TypeError, "groups must be integer labels; got dtype float64", A, GROUPS * 1.0, 0.1),
]


@pytest.mark.parametrize(("error", "message", "A", "groups", "prob"), BAD)
def test_bad_arguments_are_named(error, message, A, groups, prob):
    with pytest.raises(error, match=message):
        mmv.map_shared(A, Y, 0.1, prob, groups=groups)


def test_orthogonal_pilots_within_groups():
    A = mmv.draw_orthogonal_pilots(np.random.default_rng(0), 4, GROUPS)
    same = GROUPS[:, None] == GROUPS
    gram = A.conj().T @ A
    np.testing.assert_allclose(gram[same], 4.0 * np.eye(6)[same], atol=1e-12)
    assert np.abs(gram[~same]).min() > 1e-3
    with pytest.raises(ValueError, match="at most L=1 devices each; got one of 3"):
        mmv.draw_orthogonal_pilots(np.random.default_rng(0), 1, GROUPS)
