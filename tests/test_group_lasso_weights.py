"""Weights in GROUP LASSO: the optimality conditions of the weighted problem, and better detection."""

import numpy as np
import pytest
from conftest import make_problem

import mmvsolvers as mmv


@pytest.mark.parametrize("solve", [mmv.group_lasso_bcd, mmv.group_lasso_admm])
@pytest.mark.parametrize("own", [True, False])
def test_the_weighted_problem_is_solved(solve, own):
    A, Y, _ = make_problem(30, 10, 4)
    w = np.linalg.norm(A, axis=0) / np.sqrt(10) if own else np.random.default_rng(0).uniform(0.5, 2, 30)
    lam = 2.0
    X = solve(A, Y, lam, weights="own" if own else w, tol=1e-10, max_iter=100_000).X
    correlation = A.conj().T @ (Y - A @ X)
    length = np.linalg.norm(X, axis=-1)
    active = length > 1e-6
    assert 0 < active.sum() < active.size
    assert (np.linalg.norm(correlation, axis=-1) <= lam * w * (1 + 1e-3)).all()
    wanted = (lam * w[:, None] * X / np.maximum(length, 1e-300)[..., None])[active]
    np.testing.assert_allclose(correlation[active], wanted, atol=2e-2 * lam)


def test_own_norms_detect_better():
    rng = np.random.default_rng(0)
    errors = {None: 0.0, "own": 0.0}
    for _ in range(4):
        data = mmv.generate(rng, N=100, L=12, M=4, T=200, activity=mmv.IndependentActivity(0.1, 3), noise_var=0.1)
        for weights in errors:
            score = mmv.group_lasso_bcd(data.A, data.Y, weights=weights, tol=1e-3).score
            errors[weights] += np.mean((score > mmv.best_threshold(score, data.activity)) != data.activity)
    assert errors["own"] < 0.9 * errors[None]


def test_bad_weights_are_named():
    A, Y, _ = make_problem(5, 4, 2)
    with pytest.raises(ValueError, match="weights must be 'own' or numbers; got 'norm'"):
        mmv.group_lasso_bcd(A, Y, weights="norm")
    with pytest.raises(ValueError, match="weights must be finite and positive; got 0"):
        mmv.group_lasso_admm(A, Y, weights=np.zeros(5))


def test_rows_that_vanish_where_the_weights_are_undone_are_refused():
    A, Y, _ = make_problem(5, 4, 2)
    with pytest.raises(ValueError, match="weights must keep the powers of X within the exponents of float64"):
        mmv.group_lasso_bcd(A * 2.0**818, Y * 2.0**-339, 2.0**-338, weights="own")
