import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(33, 12, 3), (5, 8, 2), (1, 4, 3)])
def test_estimates_given_the_detected_support(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    gains = np.linspace(0.5, 2.0, N)
    found = mmv.ml_mmse(A, Y, 0.1, threshold=0.3, channel_var=gains)
    np.testing.assert_array_equal(found.score, mmv.ml_cd(A, Y, 0.1).score)
    assert found.X.dtype == dtype
    for t in range(len(Y)):
        wanted = oracles.mmse_given_support(A, Y[t], 0.1, found.score[t] > 0.3, gains)
        assert relative_error(found.X[t], wanted) < TOLERANCE[dtype]


def test_the_true_support_gives_the_mmse_estimate(problem):
    A, Y, X = problem
    found = mmv.ml_mmse(A, Y, 0.1, threshold=0.2)
    right = ((found.score > 0.2) == X.any(axis=-1)).all(axis=-1)
    assert right.any()
    assert relative_error(found.X[right], X[right]) < 0.2


def test_nobody_above_the_threshold_gives_zero(problem):
    A, Y, _ = problem
    assert not mmv.ml_mmse(A, Y, 0.1, threshold=1e6).X.any()


def test_a_known_support_gives_the_oracles_estimate():
    A, Y, X = make_problem(33, 12, 3)
    active = X.any(axis=-1)
    gains = np.linspace(0.5, 2.0, 33)
    found = mmv.mmse_estimate(A, Y, 0.1, active, channel_var=gains)
    for t in range(len(Y)):
        assert relative_error(found[t], oracles.mmse_given_support(A, Y[t], 0.1, active[t], gains)) < 1e-9
    single = mmv.mmse_estimate(A, Y[0], 0.1, active[0], channel_var=gains)
    np.testing.assert_array_equal(single, found[0])


@pytest.mark.parametrize(
    ("active", "error", "message"),
    [
        (np.zeros((3, 32), bool), ValueError, r"active must have shape \(\.\.\., N\)"),
        (np.full((3, 33), 0.5), ValueError, "active must be boolean"),
        (np.full((3, 33), "yes"), TypeError, "active must be boolean"),
    ],
    ids=["shape", "value", "type"],
)
def test_a_support_that_is_none_is_named(active, error, message):
    A, Y, _ = make_problem(33, 12, 3)
    with pytest.raises(error, match=message):
        mmv.mmse_estimate(A, Y, 0.1, active)
