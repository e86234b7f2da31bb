import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

SHAPES = [(33, 12, 3), (70, 24, 4), (130, 30, 2), (5, 8, 2), (1, 4, 3), (12, 6, 1)]
# enough measurements, L times M, for devices to be visited in blocks
MANY_MEASUREMENTS = [(70, 40, 30), (100, 20, 60)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [*SHAPES, *MANY_MEASUREMENTS])
def test_makes_the_textbook_sweeps(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.group_lasso_bcd(A, Y, 2.0, max_iter=5, tol=0)
    exact = complex if np.dtype(dtype).kind == "c" else float
    for t in range(len(Y)):
        X = oracles.group_lasso_bcd(A.astype(exact), Y[t].astype(exact), 2.0, 5)
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
        assert relative_error(found.score[t], np.sum(np.abs(X) ** 2, axis=1) / M) < TOLERANCE[dtype]
    assert found.X.dtype == dtype
    assert found.score.dtype == found.objective.dtype == np.dtype(dtype).type(0).real.dtype


def test_skipping_silent_devices_changes_nothing():
    A, Y, _ = make_problem(120, 40, 8, T=1, p=0.05)
    lam = 0.2 * mmv.lambda_max(A, Y)
    found = mmv.group_lasso_bcd(A, Y, lam, max_iter=40, tol=0)
    assert relative_error(found.X[0], oracles.group_lasso_bcd(A, Y[0], lam[0], 40)) < 1e-9


@pytest.mark.parametrize("shape", [SHAPES[0], MANY_MEASUREMENTS[0]])
@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.01])
def test_gap_is_a_certificate(shape, fraction):
    A, Y, _ = make_problem(*shape)
    lam = fraction * mmv.lambda_max(A, Y)
    best = mmv.group_lasso_bcd(A, Y, lam, tol=1e-13, max_iter=50_000)
    assert best.converged.all()
    for tol, max_iter in ((0, 1), (0, 5), (1e-2, 1000), (1e-5, 1000)):
        found = mmv.group_lasso_bcd(A, Y, lam, tol=tol, max_iter=max_iter)
        for t in range(len(Y)):
            objective = oracles.group_lasso_objective(A, Y[t], found.X[t], lam[t])
            gap = oracles.group_lasso_gap(A, Y[t], found.X[t], lam[t])
            assert found.objective[t] == pytest.approx(objective, rel=1e-12)
            assert found.optimality[t] == pytest.approx(gap / objective, rel=1e-6, abs=1e-13)
            assert mmv.duality_gap(A, Y[t], found.X[t], lam[t]) == pytest.approx(gap, rel=1e-6, abs=1e-10)
            assert objective - best.objective[t] <= gap + 1e-11 * objective
            assert gap >= -1e-12 * objective


@pytest.mark.parametrize("dtype", [np.float64, np.complex128], ids=lambda dtype: dtype.__name__)
def test_agrees_with_a_convex_solver(dtype):
    cp = pytest.importorskip("cvxpy")
    A, Y, _ = make_problem(30, 10, 3, T=1, dtype=dtype)
    X = cp.Variable((30, 3), complex=np.dtype(dtype).kind == "c")
    loss = 0.5 * cp.sum_squares(A @ X - Y[0]) + 3.0 * cp.sum(cp.norm(X, 2, axis=1))
    cp.Problem(cp.Minimize(loss)).solve(solver=cp.CLARABEL)
    found = mmv.group_lasso_bcd(A, Y[0], 3.0, tol=1e-12)
    assert relative_error(found.X, X.value) < 1e-4
    assert found.objective <= oracles.group_lasso_objective(A, Y[0], X.value, 3.0) + 1e-9


def test_lambda_max_is_where_all_devices_fall_silent(problem):
    A, Y, _ = problem
    largest = mmv.lambda_max(A, Y)
    assert not mmv.group_lasso_bcd(A, Y, 1.0001 * largest, max_iter=3, tol=0).X.any()
    assert mmv.group_lasso_bcd(A, Y, 0.999 * largest, max_iter=3, tol=0).X.any(axis=(1, 2)).all()


def test_a_start_at_the_answer_needs_no_sweep(problem):
    A, Y, _ = problem
    found = mmv.group_lasso_bcd(A, Y, 2.0, tol=1e-8)
    again = mmv.group_lasso_bcd(A, Y, 2.0, tol=1e-8, X0=found.X)
    assert (again.n_iter == 0).all()
    np.testing.assert_array_equal(again.X, found.X)


def test_default_lam_is_a_twentieth_of_lambda_max(problem):
    A, Y, _ = problem
    np.testing.assert_array_equal(mmv.group_lasso_bcd(A, Y).X, mmv.group_lasso_bcd(A, Y, 0.05 * mmv.lambda_max(A, Y)).X)


def test_path_starts_at_zero_and_solves_every_point(problem):
    A, Y, _ = problem
    path = mmv.group_lasso_path(A, Y, n_lams=20, ratio=0.05, tol=1e-8)
    assert path.X.shape == (20, *Y.shape[:1], A.shape[1], Y.shape[2])
    assert not path.X[0].any()
    assert (np.diff(path.lams, axis=0) < 0).all()
    np.testing.assert_allclose(path.lams[-1], 0.05 * mmv.lambda_max(A, Y))
    for lams, X in zip(path.lams, path.X, strict=True):
        alone = mmv.group_lasso_bcd(A, Y, lams, tol=1e-10)
        assert relative_error(X, alone.X) < 1e-3
    # a step from one λ to a close one costs less than a start from nothing
    cold = sum(mmv.group_lasso_bcd(A, Y, lams, tol=1e-8).n_iter.sum() for lams in path.lams)
    assert sum(point.n_iter.sum() for point in path.results) < cold


def test_says_when_it_did_not_converge(problem):
    A, Y, _ = problem
    with pytest.warns(mmv.ConvergenceWarning, match="group_lasso_bcd: 3 of 3 problems"):
        assert not mmv.group_lasso_bcd(A, Y, 0.1, max_iter=2, tol=1e-12).converged.any()
