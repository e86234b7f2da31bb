"""The solvers as scikit-learn and MNE-Python know them, against those packages."""

import doctest
import inspect
from importlib import import_module

import numpy as np
import pytest
from conftest import make_problem

import mmvsolvers as mmv


@pytest.mark.needs("sklearn")
def test_is_an_estimator_of_scikit_learn():
    from sklearn.utils.estimator_checks import check_estimator

    from mmvsolvers.adapters.sklearn import GroupLasso

    refused = {"check_complex_data": "complex data are what it is for"}
    outcomes = check_estimator(GroupLasso(), expected_failed_checks=refused, on_skip=None, on_fail=None)
    failed = [outcome["check_name"] for outcome in outcomes if outcome["status"] == "failed"]
    assert not failed
    assert sum(outcome["status"] == "passed" for outcome in outcomes) > 40


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_finds_what_multi_task_lasso_finds(n_outputs):
    from sklearn.linear_model import Lasso, MultiTaskLasso

    from mmvsolvers.adapters.sklearn import GroupLasso

    A, Y, _ = make_problem(40, 20, 3, dtype=np.float64)
    Y = Y[0, :, 0] if n_outputs is None else Y[0]
    lam = 0.2 * float(mmv.lambda_max(A, Y.reshape(20, -1)))
    theirs = (Lasso if n_outputs is None else MultiTaskLasso)(lam / 20, fit_intercept=False, tol=1e-12, max_iter=10_000)
    ours = GroupLasso(lam, tol=1e-12).fit(A, Y)
    np.testing.assert_allclose(ours.coef_, theirs.fit(A, Y).coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(A), theirs.predict(A), atol=1e-6)
    assert ours.score(A, Y) == pytest.approx(theirs.score(A, Y))


@pytest.mark.needs("sklearn")
def test_fits_complex_data_and_groups():
    from sklearn.base import clone

    from mmvsolvers.adapters.sklearn import GroupLasso

    A, Y, _ = make_problem(20, 12, 4)
    groups = np.arange(20) // 2
    model = clone(GroupLasso(2.0, groups=groups)).fit(A, Y[0])
    np.testing.assert_array_equal(model.coef_.T, mmv.group_lasso_bcd(A, Y[0], 2.0, groups=groups).X)
    np.testing.assert_allclose(model.predict(A), A @ model.coef_.T)


@pytest.mark.needs("sklearn")
def test_is_scored_and_searched_on_complex_data():
    from sklearn.metrics import r2_score
    from sklearn.model_selection import GridSearchCV

    from mmvsolvers.adapters.sklearn import GroupLasso

    A, Y, _ = make_problem(20, 30, 2)
    model = GroupLasso(2.0).fit(A, Y[0])
    parts = [np.hstack([one.real, one.imag]) for one in (Y[0], model.predict(A))]
    assert model.score(A, Y[0]) == pytest.approx(r2_score(*parts))
    search = GridSearchCV(GroupLasso(), {"lam": [1.0, 1e6]}, cv=3).fit(A, Y[0])
    assert search.best_params_ == {"lam": 1.0}


@pytest.mark.needs("sklearn")
def test_complex_data_of_wrong_shapes_are_named():
    from mmvsolvers.adapters.sklearn import GroupLasso

    A, Y, _ = make_problem(20, 12, 4)
    for outputs in (Y, Y[0, :5], Y[0, 0, 0]):
        with pytest.raises(ValueError, match=r"A must have shape \(L, N\) and Y"):
            GroupLasso(2.0).fit(A, outputs)
    model = GroupLasso(2.0).fit(A, Y[0])
    with pytest.raises(ValueError, match=r"A must have shape \(L, 20\); got \(12, 19\)"):
        model.predict(A[:, 1:])
    with pytest.raises(ValueError, match="A must be finite"):
        model.predict(A * np.nan)


def sources(n_orient, seed=0):
    """Whitened data of two sources in smooth noise, and a gain whose columns resemble their neighbours'."""
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((30, 120)) @ np.exp(-np.square(np.subtract.outer(np.arange(120), np.arange(120))) / 8)
    X = np.zeros((120, 20))
    for position in (8, 25):
        rows = slice(position * n_orient, (position + 1) * n_orient)
        X[rows] = rng.standard_normal((n_orient, 1)) * np.sin(np.linspace(0, 6, 20) + position)
    M = G @ X
    return M + 0.05 * np.abs(M).max() * rng.standard_normal(M.shape), G


@pytest.mark.needs("mne")
@pytest.mark.parametrize("n_orient", [1, 3])
@pytest.mark.parametrize("fraction", [0.5, 0.1])
def test_reaches_the_objective_of_mne(n_orient, fraction):
    from mne.inverse_sparse.mxne_optim import mixed_norm_solver as theirs

    from mmvsolvers.adapters.mne import mixed_norm_solver

    M, G = sources(n_orient)
    blocks = (G.T @ M).reshape(-1, n_orient * M.shape[1])
    alpha = fraction * np.linalg.norm(blocks, axis=1).max()

    def objective(X, active_set):
        rows = X.reshape(-1, n_orient * M.shape[1])
        return 0.5 * np.square(M - G[:, active_set] @ X).sum() + alpha * np.linalg.norm(rows, axis=1).sum()

    X, active_set, value = mixed_norm_solver(M, G, alpha, n_orient=n_orient)
    X_theirs, active_theirs, *_ = theirs(M, G, alpha, debias=False, n_orient=n_orient, tol=1e-8, verbose=False)
    assert value == pytest.approx(objective(X, active_set), rel=1e-9)
    assert value <= objective(X_theirs, active_theirs) * (1 + 1e-7)
    assert active_set.shape == (120,)
    assert X.shape == (active_set.sum(), 20)


@pytest.mark.needs("mne")
def test_takes_the_arguments_of_mne():
    from mne.inverse_sparse.mxne_optim import mixed_norm_solver as theirs

    from mmvsolvers.adapters.mne import mixed_norm_solver

    assert set(inspect.signature(mixed_norm_solver).parameters) <= set(inspect.signature(theirs).parameters)


def test_orientations_must_divide_the_columns():
    from mmvsolvers.adapters.mne import mixed_norm_solver

    with pytest.raises(ValueError, match="n_orient must divide the 10 columns of G; got 3"):
        mixed_norm_solver(np.ones((4, 2)), np.ones((4, 10)), 1.0, n_orient=3)


@pytest.mark.parametrize("name", [pytest.param("sklearn", marks=pytest.mark.needs("sklearn")), "mne"])
def test_examples_are_true(name):
    found = doctest.testmod(import_module(f"mmvsolvers.adapters.{name}"))
    assert found.attempted > 3
    assert found.failed == 0
