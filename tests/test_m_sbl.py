import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

SHAPES = [(33, 12, 3), (5, 8, 2), (1, 4, 3), (12, 6, 1)]


def textbook(A, Y, noise_var, gamma, n_iter, update):
    """The updates by the posterior of X, with its N×N covariance: MacKay's ‖μ_n‖²/M/(1 - S_nn/γ_n), or its root."""
    for _ in range(n_iter):
        S = np.linalg.inv(A.conj().T @ A / noise_var + np.diag(1 / gamma))
        mean = S @ A.conj().T @ Y / noise_var
        ahead = (np.abs(mean) ** 2).mean(axis=1) / (1 - np.diag(S).real / gamma)
        gamma = ahead if update == "ratio" else np.sqrt(gamma * ahead)
    S = np.linalg.inv(A.conj().T @ A / noise_var + np.diag(1 / gamma))
    return gamma, S @ A.conj().T @ Y / noise_var


@pytest.mark.parametrize("update", ["root", "ratio"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), SHAPES)
def test_makes_the_textbook_updates(N, L, M, dtype, update):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    start = np.linspace(0.5, 1.5, N)
    found = mmv.m_sbl(A, Y, 0.1, update=update, gamma0=start, max_iter=4, tol=0)
    for t in range(len(Y)):
        gamma, X = textbook(A.astype(complex), Y[t].astype(complex), 0.1, start, 4, update)
        assert relative_error(found.score[t], gamma) < TOLERANCE[dtype]
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
        step = oracles.largest_step(A, Y[t] @ Y[t].conj().T / M, 0.1, gamma, np.zeros(N), np.full(N, np.inf))
        assert found.optimality[t] == pytest.approx(step, rel=1e-3, abs=1e-6)
    assert found.X.dtype == dtype
    assert (found.n_iter == 4).all()


def test_the_root_never_raises_the_objective(problem):
    A, Y, _ = problem
    course = np.array([mmv.m_sbl(A, Y, 0.1, update="root", max_iter=k, tol=0).objective for k in range(1, 25)])
    assert (np.diff(course, axis=0) <= 1e-10).all()


@pytest.mark.parametrize("update", ["root", "ratio"])
def test_long_pilots_give_the_answer_of_maximum_likelihood(update):
    A, Y, _ = make_problem(40, 30, 16, T=4, p=0.1)
    found, wanted = mmv.m_sbl(A, Y, 0.1, update=update, tol=1e-5, max_iter=20_000), mmv.ml_cd(A, Y, 0.1, tol=1e-7)
    np.testing.assert_allclose(found.objective, wanted.objective, rtol=1e-6)
    assert relative_error(found.score, wanted.score) < 1e-2
    for t in range(4):
        f = oracles.negative_log_likelihood(A, Y[t], 0.1, found.score[t])
        assert found.objective[t] == pytest.approx(f, rel=1e-10)


@pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning")
def test_short_pilots_have_better_stationary_points_than_the_descent_finds():
    A, Y, _ = make_problem(100, 8, 4, T=60, p=0.15)
    found, descent = mmv.m_sbl(A, Y, 0.1).objective, mmv.ml_cd(A, Y, 0.1).objective
    assert (np.abs(found - descent) > 1e-2).mean() > 0.3
    assert found.mean() < descent.mean()


@pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning")
@pytest.mark.parametrize("update", ["root", "ratio"])
def test_goes_farther_than_the_textbook_in_a_run_to_tolerance(update):
    A, Y, _ = make_problem(100, 12, 4, T=40, p=0.1)
    textbook = mmv.m_sbl(A, Y, 0.1, update=update, max_iter=200, tol=0)
    found = mmv.m_sbl(A, Y, 0.1, update=update, max_iter=200)
    assert found.converged.mean() > 0.7 > 2 * (textbook.optimality <= 1e-3).mean()
    assert found.objective.mean() < textbook.objective.mean() + 1e-2


def test_noise_may_differ_between_problems(problem):
    A, Y, _ = problem
    levels = np.array([0.1, 0.5, 2.0])
    together = mmv.m_sbl(A, Y, levels, max_iter=20, tol=0)
    for t, noise_var in enumerate(levels):
        np.testing.assert_array_equal(together.score[t], mmv.m_sbl(A, Y[t], noise_var, max_iter=20, tol=0).score)


def test_says_when_it_did_not_converge(problem):
    A, Y, _ = problem
    with pytest.warns(mmv.ConvergenceWarning, match="m_sbl: 3 of 3 problems"):
        found = mmv.m_sbl(A, Y, 0.1, max_iter=1)
    assert not found.converged.any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"update": "em"}, "update must be one of 'ratio', 'root'"),
        ({"gamma0": 0.0}, "gamma0 must be finite and positive; got 0"),
        ({"gamma0": np.ones(3)}, r"gamma0 must be a scalar or have shape \(40,\)"),
    ],
)
def test_names_what_is_wrong(problem, options, words):
    A, Y, _ = problem
    with pytest.raises(ValueError, match=words):
        mmv.m_sbl(A, Y, 0.1, **options)
