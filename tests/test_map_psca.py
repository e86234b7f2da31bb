import numpy as np
import oracles
import pytest
from conftest import make_problem, relative_error

import mmvsolvers as mmv
from bench.psca import certify

PRIORS = {"rare": 0.05, "even": 0.5, "likely": 0.8, "mixed": np.linspace(0.02, 0.9, 33)}


@pytest.mark.parametrize("prior", PRIORS)
def test_makes_the_textbook_iterations(prior):
    eps = PRIORS[prior]
    upper = np.where(np.broadcast_to(eps, 33) > 0.5, 1.0, np.inf)
    A, Y, _ = make_problem(33, 12, 3)
    found = mmv.map_psca(A, Y, 0.1, eps, max_iter=6, tol=0)
    for t in range(len(Y)):
        alpha, _, step = oracles.map_psca(A, Y[t], 0.1, 6, eps, upper=upper)
        assert relative_error(found.score[t], alpha) < 1e-9
        assert found.optimality[t] == pytest.approx(step, rel=1e-6)
        wanted = oracles.map_objective(A, Y[t], 0.1, eps, found.score[t])
        assert found.objective[t] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("eps", [0.1, 0.7])
@pytest.mark.parametrize("upper", [0.3, np.linspace(0.2, 2.0, 40)], ids=["one bound", "a bound each"])
def test_keeps_within_its_box(problem, eps, upper):
    A, Y, _ = problem
    found = mmv.map_psca(A, Y, 0.1, eps, upper=upper, max_iter=6, tol=0)
    assert (found.score >= 0).all()
    assert (found.score <= upper).all()
    alpha, _, _ = oracles.map_psca(A, Y[0], 0.1, 6, eps, upper=upper)
    assert relative_error(found.score[0], alpha) < 1e-9


def test_even_odds_are_maximum_likelihood(problem):
    A, Y, _ = problem
    np.testing.assert_array_equal(mmv.map_psca(A, Y, 0.1, 0.5).score, mmv.ml_psca(A, Y, 0.1).score)


def test_channel_variance_turns_powers_into_activities(problem):
    A, Y, _ = problem
    gains = np.linspace(0.5, 3.0, A.shape[1])
    scaled = mmv.map_psca(A, Y, 0.1, 0.1, channel_var=gains, max_iter=6, tol=0)
    alpha, _, _ = oracles.map_psca(A, Y[0], 0.1, 6, 0.1, channel_var=gains)
    assert relative_error(scaled.score[0], alpha) < 1e-9


@pytest.mark.parametrize("eps", [0.1, 0.6, 0.8])
def test_ends_at_coordinate_minima(problem, eps):
    """Where ε > ½, minima behind a maximum count too."""
    A, Y, _ = problem
    found = mmv.map_psca(A, Y, 0.1, eps, tol=1e-7)
    assert found.converged.all()
    for n in range(A.shape[1]):
        for value in np.linspace(0, 1.0 if eps > 0.5 else 3.0, 41):
            alpha = found.score[0].copy()
            alpha[n] = value
            assert oracles.map_objective(A, Y[0], 0.1, eps, alpha) > found.objective[0] - 1e-7


@pytest.mark.parametrize("tol", [1e-3, 1e-5])
def test_devices_leave_a_bound_that_is_no_minimum(tol):
    """Their minimum may lie behind a maximum, where a convex approximation sees no way down."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        A, Y, _ = make_problem(24, int(rng.integers(4, 12)), 2, T=4, p=0.5, noise_var=0.05, seed=seed)
        found = mmv.map_psca(A, Y, 0.05, rng.uniform(0.3, 0.95, 24), tol=tol, max_iter=5000)
        assert found.converged.all()


def test_random_problems_are_certified_against_coordinate_descent():
    """A part of ``python -m bench.psca certify``."""
    row = certify("map_psca", n_problems=60, seed=0)
    assert row["converged"] == row["problems"] == 60
    assert row["seeds of other minima"] == "45 48 57"  # the first of results/psca_certified.csv
