import sys

import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

MODULE = sys.modules["mmvsolvers.covariance_lasso"]


@pytest.fixture(params=["gram", "residual"])
def form(request, monkeypatch):
    """Both forms of the descent: all gradients kept, and the residual kept."""
    if request.param == "residual":
        monkeypatch.setattr(MODULE, "GRAM_LIMIT", 0)
    return request.param


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(33, 12, 3), (70, 9, 4), (5, 8, 2), (1, 4, 3), (12, 6, 1)])
def test_makes_the_textbook_sweeps(form, N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.covariance_lasso(A, Y, 2.0, noise_var=0.1, max_iter=7, tol=0)
    for t in range(len(Y)):
        r = oracles.covariance_lasso(A.astype(complex), Y[t].astype(complex), 2.0, 7, 0.1)
        assert relative_error(found.score[t], r) < TOLERANCE[dtype]
        wanted = oracles.covariance_lasso_objective(A.astype(complex), Y[t].astype(complex), r, 2.0, 0.1)
        assert found.objective[t] == pytest.approx(wanted, rel=10 * TOLERANCE[dtype])
    assert found.score.dtype == found.objective.dtype == np.dtype(dtype).type(0).real.dtype


@pytest.mark.parametrize("lam", [0.0, 0.5, 20.0])
def test_gap_bounds_what_is_missing(form, problem, lam):
    A, Y, _ = problem
    best = mmv.covariance_lasso(A, Y, lam, tol=1e-10, max_iter=20_000)
    assert best.converged.all()
    for max_iter in (1, 3, 10, 30):
        found = mmv.covariance_lasso(A, Y, lam, tol=0, max_iter=max_iter)
        gap = found.optimality * found.objective
        assert (found.optimality >= 0).all()
        assert (found.objective - best.objective <= gap + 1e-9 * best.objective).all()


def test_agrees_with_a_convex_solver(problem):
    cp = pytest.importorskip("cvxpy")
    A, Y, _ = problem
    S, _, _ = oracles.covariance_lasso_parts(A, Y[0], 0.1)
    r = cp.Variable(A.shape[1], nonneg=True)
    atoms = np.stack([np.outer(a, a.conj()).ravel() for a in A.T], axis=1)
    residual = cp.hstack([S.ravel().real - atoms.real @ r, S.ravel().imag - atoms.imag @ r])
    cp.Problem(cp.Minimize(0.5 * cp.sum_squares(residual) + 5.0 * cp.sum(r))).solve(solver=cp.CLARABEL)
    found = mmv.covariance_lasso(A, Y[0], 5.0, noise_var=0.1, tol=1e-10, max_iter=10_000)
    assert relative_error(found.score, r.value) < 1e-5


@pytest.mark.parametrize("entries", [1, 2**18], ids=["one problem at a time", "all at once"])
def test_default_lam_is_a_tenth_of_what_silences_all(problem, monkeypatch, entries):
    monkeypatch.setattr("mmvsolvers.batch.MATCHED_ENTRIES", entries)
    A, Y, _ = problem
    b = np.array([oracles.covariance_lasso_parts(A, Y_t, 0.1)[2] for Y_t in Y])
    found, wanted = (mmv.covariance_lasso(A, Y, lam, noise_var=0.1).score for lam in (None, b.max(axis=1) / 10))
    np.testing.assert_allclose(found, wanted)


def test_all_fall_silent_at_the_largest_gradient(problem):
    A, Y, _ = problem
    _, _, b = oracles.covariance_lasso_parts(A, Y[0], 0.0)
    assert not mmv.covariance_lasso(A, Y[0], 1.0001 * b.max()).score.any()
    assert mmv.covariance_lasso(A, Y[0], 0.999 * b.max(), max_iter=1, tol=0).score.any()
