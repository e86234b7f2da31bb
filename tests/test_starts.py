"""Where ML and MAP start, and keeping the best of several results."""

import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv
from mmvsolvers.likelihood import DENSE_UPDATES


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
def test_sweeps_go_on_where_others_ended(dtype):
    A, Y, _ = make_problem(33, 12, 3, dtype=dtype)
    first = mmv.ml_cd(A, Y, 0.1, max_iter=2, tol=0).score
    found = mmv.ml_cd(A, Y, 0.1, gamma0=first, max_iter=3, tol=0)
    wanted = mmv.ml_cd(A, Y, 0.1, max_iter=5, tol=0)
    assert relative_error(found.score, wanted.score) < TOLERANCE[dtype]
    np.testing.assert_allclose(found.objective, wanted.objective, rtol=TOLERANCE[dtype])


def test_map_starts_from_powers_and_sweeps_activities():
    A, Y, _ = make_problem(20, 8, 3)
    g, prob = np.linspace(0.5, 2, 20), np.linspace(0.1, 0.4, 20)
    first = mmv.map_cd(A, Y, 0.1, prob, channel_var=g, max_iter=2, tol=0).score
    found = mmv.map_cd(A, Y, 0.1, prob, channel_var=g, gamma0=first * g, max_iter=3, tol=0)
    assert relative_error(found.score, mmv.map_cd(A, Y, 0.1, prob, channel_var=g, max_iter=5, tol=0).score) < 1e-9


def test_the_dense_start_is_a_few_updates_of_sparse_bayesian_learning():
    A, Y, _ = make_problem(30, 8, 3, T=3)
    start = mmv.m_sbl(A, Y, 0.1, max_iter=DENSE_UPDATES, tol=0).score
    assert (start > 0).all()
    for options in ({"max_iter": 3, "tol": 0}, {"tol": 1e-6}):
        found = mmv.ml_cd(A, Y, 0.1, gamma0="dense", **options)
        wanted = mmv.ml_cd(A, Y, 0.1, gamma0=start, **options)
        assert relative_error(found.score, wanted.score) < 1e-9
    scaled = mmv.ml_cd(1e-9 * A, 1e-6 * Y, 0.1e-12, gamma0="dense", tol=1e-6)
    assert relative_error(scaled.score, 1e6 * found.score) < 1e-6


def test_ends_are_stationary_and_not_all_alike():
    data = mmv.generate(
        np.random.default_rng(0), N=60, L=8, M=2, T=20, noise_var=0.1, activity=mmv.IndependentActivity(0.1)
    )
    ends = [mmv.ml_cd(data.A, data.Y, 0.1, gamma0=start, tol=1e-7) for start in (None, "dense")]
    assert all(end.converged.all() for end in ends)
    assert np.abs(ends[0].objective - ends[1].objective).max() > 1e-3
    for t in range(3):
        covariance = data.Y[t] @ data.Y[t].conj().T / data.M
        flat, free = np.zeros(data.N), np.full(data.N, np.inf)
        assert oracles.largest_step(data.A, covariance, 0.1, ends[1].score[t], flat, free) < 1e-6


def test_starts_above_the_bound_begin_at_it():
    A, Y, _ = make_problem(12, 6, 2)
    high, at = (
        mmv.map_cd(A, Y, 0.1, 0.2, upper=1.0, gamma0=level * np.ones(12), max_iter=2, tol=0) for level in (7, 1)
    )
    np.testing.assert_array_equal(high.score, at.score)


def test_a_batch_starts_each_problem_where_it_says():
    A, Y, _ = make_problem(15, 6, 2, T=4)
    starts = np.random.default_rng(0).uniform(0, 2, (2, 2, 15))
    together = mmv.ml_cd(A, Y.reshape(2, 2, 6, 2), 0.1, gamma0=starts)
    for i in np.ndindex(2, 2):
        alone = mmv.ml_cd(A, Y.reshape(2, 2, 6, 2)[i], 0.1, gamma0=starts[i])
        np.testing.assert_array_equal(together.score[i], alone.score)


@pytest.mark.parametrize(
    ("gamma0", "words"),
    [
        ("sparse", "gamma0 must be 'dense' or numbers; got 'sparse'"),
        (np.ones(3), r"gamma0 must have shape \(5,\) or \(2, 5\), or be 'dense'; got \(3,\)"),
        (-np.ones(5), "gamma0 must be finite and non-negative; got -1"),
    ],
)
def test_bad_starts_are_named(gamma0, words):
    A, Y, _ = make_problem(5, 4, 2)
    with pytest.raises(ValueError, match=words):
        mmv.ml_cd(A, Y, 0.1, gamma0=gamma0)


def test_groups_take_no_start():
    A, Y, _ = make_problem(4, 4, 2)
    with pytest.raises(ValueError, match="gamma0 must not be given together with groups"):
        mmv.map_cd(A, Y, 0.1, 0.1, groups=[0, 0, 1, 1], gamma0="dense")


@pytest.mark.parametrize("solve", [lambda *a, **k: mmv.m_sbl(*a, **k, max_iter=9, tol=0), mmv.ml_cd])
def test_the_best_result_is_kept_problem_by_problem(solve):
    A, Y, _ = make_problem(40, 8, 2, T=6)
    results = [solve(A, Y.reshape(2, 3, 8, 2), 0.1, gamma0=start) for start in (np.full(40, 0.02), np.full(40, 5.0))]
    best = mmv.best_of(results)
    winners = np.argmin([result.objective for result in results], axis=0)
    assert 0 < winners.mean() < 1
    for i in np.ndindex(2, 3):
        for name in ("X", "score", "objective", "optimality", "n_iter", "converged", "diverged"):
            found, wanted = getattr(best, name), getattr(results[winners[i]], name)
            assert (found is None) == (wanted is None)
            if found is not None:
                np.testing.assert_array_equal(found[i], wanted[i])


def test_the_best_of_one_problem_and_bad_lists():
    A, Y, _ = make_problem(8, 4, 2)
    one, other = mmv.ml_cd(A, Y[0], 0.1, max_iter=1, tol=0), mmv.ml_cd(A, Y[0], 0.1)
    assert mmv.best_of([one, other]).objective == other.objective
    with pytest.raises(ValueError, match="results must not be empty"):
        mmv.best_of([])
    with pytest.raises(ValueError, match="results must be of the same problems"):
        mmv.best_of([one, mmv.ml_cd(A, Y, 0.1)])
