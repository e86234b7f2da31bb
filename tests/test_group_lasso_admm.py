import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(33, 12, 3), (70, 24, 4), (5, 8, 2), (1, 4, 3), (12, 6, 1), (400, 40, 8)])
def test_makes_the_textbook_iterations(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.group_lasso_admm(A, Y, 2.0, rho=1.5, max_iter=30, tol=0)
    exact = complex if np.dtype(dtype).kind == "c" else float
    for t in range(len(Y)):
        X = oracles.group_lasso_admm(A.astype(exact), Y[t].astype(exact), 2.0, 1.5, 30)
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
    assert found.X.dtype == dtype


@pytest.mark.parametrize("rho", [None, "adaptive", 0.3, np.array([1.0, 2.0, 20.0])], ids=str)
def test_every_rho_leads_to_the_answer_of_coordinate_descent(problem, rho):
    A, Y, _ = problem
    wanted = mmv.group_lasso_bcd(A, Y, 3.0, tol=1e-12)
    found = mmv.group_lasso_admm(A, Y, 3.0, rho=rho, tol=1e-10, max_iter=100_000)
    assert found.converged.all()
    assert relative_error(found.X, wanted.X) < 1e-4
    np.testing.assert_allclose(found.objective, wanted.objective, rtol=1e-9)


def test_gap_is_a_certificate(problem):
    A, Y, _ = problem
    best = mmv.group_lasso_bcd(A, Y, 2.0, tol=1e-12)
    for max_iter in (1, 10, 100):
        found = mmv.group_lasso_admm(A, Y, 2.0, max_iter=max_iter, tol=0)
        for t in range(len(Y)):
            objective = oracles.group_lasso_objective(A, Y[t], found.X[t], 2.0)
            gap = oracles.group_lasso_gap(A, Y[t], found.X[t], 2.0)
            assert found.objective[t] == pytest.approx(objective, rel=1e-9)
            assert found.optimality[t] == pytest.approx(gap / objective, rel=1e-6)
            assert objective - best.objective[t] <= gap + 1e-10 * objective


@pytest.mark.parametrize(("N", "L", "M", "fraction"), [(30, 8, 4, 0.1), (100, 20, 4, 0.3), (100, 20, 4, 0.05)])
def test_default_rho_converges_within_the_default_iterations(N, L, M, fraction):
    A, Y, _ = make_problem(N, L, M, T=4, p=0.1)
    assert mmv.group_lasso_admm(A, Y, fraction * mmv.lambda_max(A, Y)).converged.all()
