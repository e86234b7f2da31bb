import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

SHAPES = [(33, 12, 3), (70, 24, 4), (130, 70, 2), (5, 8, 2), (1, 4, 3), (12, 6, 1)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), SHAPES)
def test_makes_the_textbook_sweeps(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.ml_cd(A, Y, 0.1, max_iter=4, tol=0)
    for t in range(len(Y)):
        gamma, step = oracles.map_cd(A.astype(complex), Y[t].astype(complex), 0.1, 4)
        assert relative_error(found.score[t], gamma) < TOLERANCE[dtype]
        assert found.optimality[t] == pytest.approx(step, rel=0.05 if TOLERANCE[dtype] > 1e-6 else 1e-6, abs=1e-4)
    assert found.score.dtype == found.objective.dtype == np.dtype(dtype).type(0).real.dtype
    assert (found.n_iter == 4).all()
    assert found.X is None


def test_skipping_silent_devices_changes_nothing():
    # many sweeps, late enough that most devices are skipped
    A, Y, _ = make_problem(120, 40, 8, T=1, p=0.05)
    found = mmv.ml_cd(A, Y, 0.1, max_iter=40, tol=0)
    gamma, _ = oracles.map_cd(A, Y[0], 0.1, 40)
    assert relative_error(found.score[0], gamma) < 1e-9


def test_objective_is_the_negative_log_likelihood(problem):
    A, Y, _ = problem
    found = mmv.ml_cd(A, Y, 0.1)
    for t in range(len(Y)):
        wanted = oracles.negative_log_likelihood(A, Y[t], 0.1, found.score[t])
        assert found.objective[t] == pytest.approx(wanted, rel=1e-10)
        assert mmv.negative_log_likelihood(A, Y[t], 0.1, found.score[t]) == pytest.approx(wanted, rel=1e-10)


def test_falls_in_every_sweep(problem):
    A, Y, _ = problem
    course = [mmv.ml_cd(A, Y, 0.1, max_iter=k, tol=0).objective for k in range(1, 8)]
    assert (np.diff(course, axis=0) <= 1e-10).all()


def test_ends_where_the_likelihood_is_stationary(problem):
    A, Y, _ = problem
    found = mmv.ml_cd(A, Y, 0.1, tol=1e-9)
    assert found.converged.all()
    h = 1e-6
    for n in range(A.shape[1]):
        step = h * (np.arange(A.shape[1]) == n)
        gamma = found.score[0]
        ahead = oracles.negative_log_likelihood(A, Y[0], 0.1, gamma + step)
        if gamma[n] > h:
            behind = oracles.negative_log_likelihood(A, Y[0], 0.1, gamma - step)
            assert abs(ahead - behind) / (2 * h) < 1e-5
        else:
            assert ahead - found.objective[0] > -1e-9


def test_reaches_the_answer_of_many_textbook_sweeps():
    A, Y, _ = make_problem(60, 30, 8, T=2, p=0.1)
    found = mmv.ml_cd(A, Y, 0.1, tol=1e-6)
    for t in range(2):
        gamma, step = oracles.map_cd(A, Y[t], 0.1, 60)
        assert step < 1e-8
        assert relative_error(found.score[t], gamma) < 1e-4


@pytest.mark.parametrize("noise_var", [1e-2, 1e-3, 1e-6])
def test_tolerates_little_noise_in_single_precision(noise_var):
    A, Y, _ = make_problem(60, 30, 8, noise_var=noise_var, dtype=np.complex64)
    with np.errstate(all="raise"):
        found = mmv.ml_cd(A, Y, noise_var)
    assert found.converged.all()
    assert found.score.dtype == found.objective.dtype == found.optimality.dtype == np.float32
    double = mmv.ml_cd(A.astype(complex), Y.astype(complex), noise_var)
    assert relative_error(found.score, double.score) < 1e-3


def test_says_when_it_did_not_converge(problem):
    A, Y, _ = problem
    with pytest.warns(mmv.ConvergenceWarning, match="ml_cd: 3 of 3 problems"):
        found = mmv.ml_cd(A, Y, 0.1, max_iter=1)
    assert not found.converged.any()
    assert (found.n_iter == 1).all()


def test_noise_may_differ_between_problems(problem):
    A, Y, _ = problem
    levels = np.array([0.1, 0.5, 2.0])
    together = mmv.ml_cd(A, Y, levels)
    for t, noise_var in enumerate(levels):
        np.testing.assert_array_equal(together.score[t], mmv.ml_cd(A, Y[t], noise_var).score)
