import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv
from bench.psca import certify

SHAPES = [(33, 12, 3), (150, 24, 4), (60, 70, 3), (5, 8, 2), (1, 4, 3), (12, 6, 1)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), SHAPES)
def test_makes_the_textbook_iterations(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.ml_psca(A, Y, 0.1, max_iter=6, tol=0)
    for t in range(len(Y)):
        gamma, objective, step = oracles.map_psca(A.astype(complex), Y[t].astype(complex), 0.1, 6)
        assert relative_error(found.score[t], gamma) < TOLERANCE[dtype]
        assert found.objective[t] == pytest.approx(objective, rel=TOLERANCE[dtype])
        assert found.optimality[t] == pytest.approx(step, rel=0.05 if TOLERANCE[dtype] > 1e-6 else 1e-6, abs=1e-4)
    assert found.score.dtype == found.objective.dtype == np.dtype(dtype).type(0).real.dtype
    assert (found.n_iter == 6).all()
    assert found.X is None


def test_the_step_is_the_minimum_of_the_convex_approximation():
    from mmvsolvers.kernels.map_psca import surrogate_step

    rng = np.random.default_rng(0)
    for _ in range(200):
        q, r, value = rng.uniform(0.1, 5, 3)
        upper = value + rng.uniform(0.1, 5)
        log_odds = rng.uniform(-2, 8)
        value = min(value, 0.99 / q)
        grid = np.linspace(-value, upper - value, 20_001)
        best = grid[np.argmin((q - log_odds) * grid - r * grid / (1 + grid * q))]
        assert surrogate_step.py_func(q, r, value, log_odds, upper) == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("L", [12, 20])
def test_falls_in_every_iteration(L):
    A, Y, _ = make_problem(40, L, 6, T=3)
    course = [mmv.ml_psca(A, Y, 0.1, max_iter=k, tol=0).objective for k in range(1, 15)]
    assert (np.diff(course, axis=0) <= 1e-10).all()


def test_the_certificate_is_that_of_the_exact_coordinate_steps():
    A, Y, _ = make_problem(60, 30, 8, p=0.1)
    found = mmv.ml_psca(A, Y, 0.1, tol=1e-5)
    assert found.converged.all()
    for t in range(len(Y)):
        gamma = found.score[t]
        sample = Y[t] @ Y[t].conj().T / 8
        step = oracles.largest_step(A, sample, 0.1, gamma, np.zeros(60), np.full(60, np.inf))
        assert found.optimality[t] == pytest.approx(step, rel=1e-6)
        assert found.objective[t] == pytest.approx(oracles.negative_log_likelihood(A, Y[t], 0.1, gamma), rel=1e-10)


def test_random_problems_are_certified_against_coordinate_descent():
    """A part of ``python -m bench.psca certify``."""
    row = certify("ml_psca", n_problems=60, seed=0)
    assert row["converged"] == row["problems"] == 60
    assert row["same or lower"] == 60


def test_single_precision_ends_where_double_does():
    A, Y, _ = make_problem(60, 30, 8, T=4, p=0.1)
    single = mmv.ml_psca(A.astype(np.complex64), Y.astype(np.complex64), 0.1)
    assert single.converged.all()
    assert single.score.dtype == np.float32
    assert relative_error(single.score, mmv.ml_psca(A, Y, 0.1).score) < 1e-3


def test_says_when_it_did_not_converge(problem):
    A, Y, _ = problem
    with pytest.warns(mmv.ConvergenceWarning, match="ml_psca: 3 of 3 problems"):
        found = mmv.ml_psca(A, Y, 0.1, max_iter=1)
    assert (found.n_iter == 1).all()


def test_noise_may_differ_between_problems(problem):
    A, Y, _ = problem
    levels = np.array([0.1, 0.5, 2.0])
    together = mmv.ml_psca(A, Y, levels)
    for t, noise_var in enumerate(levels):
        np.testing.assert_array_equal(together.score[t], mmv.ml_psca(A, Y[t], noise_var).score)
