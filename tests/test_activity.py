"""Fixed activity is exactly K of N, chosen uniformly."""

import math

import numpy as np
import pytest

from mmvsolvers.activity import FixedActivity


@pytest.mark.parametrize(("K", "N"), [(1, 2), (3, 10), (9, 10)])
def test_exactly_k_devices_are_active(K, N):
    activity = FixedActivity(K).draw(np.random.default_rng(0), N, 300)
    assert activity.dtype == bool
    np.testing.assert_array_equal(activity.sum(axis=1), K)


def test_every_device_and_every_pair_is_active_equally_often():
    K, N, T = 3, 8, 20_000
    activity = FixedActivity(K).draw(np.random.default_rng(0), N, T).astype(float)
    pairs = activity.T @ activity / T
    expected = np.where(np.eye(N), K / N, K * (K - 1) / (N * (N - 1)))
    assert np.abs(pairs - expected).max() < 5 * 0.5 / math.sqrt(T)
    np.testing.assert_allclose(FixedActivity(K).marginal(N), K / N, rtol=1e-15)


@pytest.mark.parametrize("call", [lambda: FixedActivity(4).marginal(4), lambda: FixedActivity(0)])
def test_k_must_leave_somebody_idle(call):
    with pytest.raises(ValueError, match=r"N must be above .* 4; got 4|n_active must be at least 1; got 0"):
        call()


def test_k_is_an_integer():
    with pytest.raises(TypeError, match=r"n_active must be an integer; got 2\.0"):
        FixedActivity(2.0)
