"""GROUP LASSO with groups of devices: the optimum of a convex solver, its certificate, and what it is a case of."""

import numpy as np
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

SOLVERS = [mmv.group_lasso_bcd, mmv.group_lasso_admm]
LABELS = {
    "pairs": np.arange(12) // 2,
    "scattered": np.array([7, 3, 3, 7, 0, 1, 1, 0, 7, 4, 0, 9]),
    "longer than pilots": np.arange(12) // 6,
    "one": np.zeros(12, int),
}


def lengths(rows, labels):
    return np.sqrt([(np.abs(rows[labels == label]) ** 2).sum() for label in np.unique(labels)])


def gap(A, Y, X, lam, labels):
    R = Y - A @ X
    theta = R * min(1, lam / lengths(A.conj().T @ R, labels).max())
    primal = (np.abs(R) ** 2).sum() / 2 + lam * lengths(X, labels).sum()
    return primal, primal - np.vdot(theta, Y).real + (np.abs(theta) ** 2).sum() / 2


def textbook_sweeps(A, Y, lam, labels, n_iter):
    """Every group to its minimiser in turn, the length of its rows found by bisection."""
    X = np.zeros((A.shape[1], Y.shape[1]), complex)
    for _ in range(n_iter):
        for label in np.unique(labels):
            mine = labels == label
            A_g = A[:, mine]
            t = A_g.conj().T @ (Y - A @ X + A_g @ X[mine])
            X[mine] = 0
            if np.linalg.norm(t) <= lam:
                continue
            gram = A_g.conj().T @ A_g
            low, high = 1e-12, 1e12
            for _ in range(200):
                middle = np.sqrt(low * high)
                rows = np.linalg.solve(gram + lam / middle * np.eye(len(gram)), t)
                low, high = (middle, high) if np.linalg.norm(rows) > middle else (low, middle)
            X[mine] = rows
    return X


@pytest.mark.parametrize("solve", SOLVERS)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_certifies_the_problem_solved(solve, labels):
    A, Y, _ = make_problem(12, 5, 3)
    found = solve(A, Y, 1.5, groups=labels, tol=1e-9, max_iter=100_000)
    assert found.converged.all()
    for t in range(len(Y)):
        primal, miss = gap(A, Y[t], found.X[t], 1.5, labels)
        assert found.objective[t] == pytest.approx(primal, rel=1e-9)
        assert -1e-9 * primal < miss < 2e-9 * primal
        assert mmv.duality_gap(A, Y[t], found.X[t], 1.5, groups=labels) == pytest.approx(miss, abs=1e-9 * primal)
    np.testing.assert_allclose(found.score, (np.abs(found.X) ** 2).mean(axis=-1))


@pytest.mark.parametrize("solve", SOLVERS)
def test_is_the_optimum_of_a_convex_solver(solve):
    cp = pytest.importorskip("cvxpy")
    A, Y, _ = make_problem(12, 5, 3, T=1)
    labels, w = LABELS["scattered"], np.linspace(0.5, 2, 12)
    X = cp.Variable((12, 3), complex=True)
    penalty = sum(cp.norm(cp.multiply(w[labels == g][:, None], X[labels == g]), "fro") for g in np.unique(labels))
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(A @ X - Y[0]) + 2.0 * penalty))
    optimum = problem.solve(solver="CLARABEL")
    found = solve(A, Y[0], 2.0, groups=labels, weights=w, tol=1e-10, max_iter=100_000)
    assert found.objective == pytest.approx(optimum, rel=1e-7)
    assert relative_error(found.X, X.value) < 1e-3
    assert mmv.duality_gap(A, Y[0], found.X, 2.0, groups=labels, weights=w) < 1e-8 * optimum


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
def test_makes_the_textbook_sweeps(dtype):
    A, Y, _ = make_problem(12, 5, 3, dtype=dtype)
    for labels in LABELS.values():
        found = mmv.group_lasso_bcd(A, Y, 2.0, groups=labels, max_iter=3, tol=0)
        assert found.X.dtype == dtype
        assert (found.n_iter == 3).all()
        for t in range(len(Y)):
            wanted = textbook_sweeps(A.astype(complex), Y[t].astype(complex), 2.0, labels, 3)
            assert relative_error(found.X[t], wanted) < TOLERANCE[dtype]


@pytest.mark.parametrize("solve", SOLVERS)
def test_every_device_its_own_group_is_no_group(solve):
    A, Y, _ = make_problem(12, 5, 3)
    alone = solve(A, Y, 1.0, groups=7 * np.arange(12)[::-1])
    np.testing.assert_array_equal(alone.X, solve(A, Y, 1.0).X)


def test_the_largest_lam_is_where_groups_wake():
    A, Y, _ = make_problem(12, 5, 3)
    labels = LABELS["pairs"]
    for weights in (None, "own"):
        largest = mmv.lambda_max(A, Y, groups=labels, weights=weights)
        for factor, awake in ((1.001, False), (0.999, True)):
            X = mmv.group_lasso_bcd(A, Y, factor * largest, groups=labels, weights=weights, tol=1e-9).X
            assert (X.any(axis=(1, 2)) == awake).all()
            assert (X.any(axis=-1)[:, ::2] == X.any(axis=-1)[:, 1::2]).all()
        path = mmv.group_lasso_path(A, Y, n_lams=3, ratio=0.1, groups=labels, weights=weights)
        np.testing.assert_allclose(path.lams[0], largest)
        again = mmv.group_lasso_bcd(A, Y, path.lams[2], groups=labels, weights=weights, tol=1e-9)
        assert relative_error(path.X[2], again.X) < 1e-2


@pytest.mark.parametrize("solve", SOLVERS)
def test_without_penalty_fits_by_least_squares(solve):
    A, Y, _ = make_problem(6, 10, 2)
    found = solve(A, Y, 0.0, groups=[0, 0, 0, 1, 1, 1], tol=1e-10, max_iter=100_000)
    assert relative_error(found.X, np.linalg.pinv(A) @ Y) < 1e-4
    assert found.converged.all()


@pytest.mark.parametrize("solve", SOLVERS)
def test_a_batch_is_its_problems_and_single_precision_solves_too(solve):
    A, Y, _ = make_problem(12, 5, 3, T=4)
    labels = LABELS["scattered"]
    together = solve(A, Y.reshape(2, 2, 5, 3), 1.0, groups=labels)
    for i in np.ndindex(2, 2):
        np.testing.assert_array_equal(together.X[i], solve(A, Y.reshape(2, 2, 5, 3)[i], 1.0, groups=labels).X)
    single = solve(A.astype(np.complex64), Y.astype(np.complex64), 1.0, groups=labels, tol=1e-4)
    assert single.X.dtype == np.complex64
    assert single.objective.dtype == single.optimality.dtype == np.float32
    assert relative_error(single.objective, together.objective.ravel()) < 1e-3


def test_knowing_the_groups_detects_better():
    activity = mmv.GroupActivity(0.1, 20)
    data = mmv.generate(np.random.default_rng(0), N=100, L=12, M=4, T=200, noise_var=0.1, activity=activity)
    errors = []
    for groups in (None, data.groups):
        score = mmv.group_lasso_bcd(data.A, data.Y, groups=groups, tol=1e-3).score
        if groups is not None:
            score = score.reshape(200, 20, 5).mean(axis=-1).repeat(5, axis=-1)
        errors.append(np.mean((score > mmv.best_threshold(score, data.activity)) != data.activity))
    assert errors[1] < 0.3 * errors[0]


def test_bad_groups_are_named():
    A, Y, _ = make_problem(6, 4, 2)
    for solve in SOLVERS:
        with pytest.raises(ValueError, match=r"groups must have shape \(6,\), one label per device; got \(3,\)"):
            solve(A, Y, groups=[0, 0, 1])
        with pytest.raises(TypeError, match="groups must be integer labels"):
            solve(A, Y, groups=np.ones(6))
