import numpy as np
import pytest
from conftest import make_problem
from oracles import enumerate_posterior, log_odds

import mmvsolvers as mmv


@pytest.mark.parametrize("dtype", [np.complex128, np.float64])
def test_is_the_exact_posterior_of_few_devices(dtype):
    A, Y, _ = make_problem(8, 4, 2, dtype=dtype)
    eps, gains = np.linspace(0.1, 0.5, 8), np.linspace(0.5, 2, 8)
    found = mmv.gibbs(A, Y, 0.3, eps, channel_var=gains, max_iter=20_000)
    assert found.converged.all()
    for t in range(len(Y)):
        P, X = enumerate_posterior(A, Y[t], 0.3, lambda state: log_odds(eps) @ state, gains)
        np.testing.assert_allclose(found.score[t], P, atol=0.03)
        np.testing.assert_allclose(found.X[t], X, atol=0.05)


def test_knows_groups_in_any_order():
    A, Y, _ = make_problem(9, 4, 2)
    groups = np.array([5, 2, 5, 7, 2, 7, 7, 1, 5])
    found = mmv.gibbs(A, Y, 0.5, 0.3, groups=groups, max_iter=20_000)
    for t in range(len(Y)):
        P, X = enumerate_posterior(A, Y[t], 0.5, lambda state: log_odds(0.3) * state.sum(), groups=groups)
        np.testing.assert_allclose(found.score[t], P, atol=0.03)
        np.testing.assert_allclose(found.X[t], X, atol=0.05)


def test_knows_couplings():
    A, Y, _ = make_problem(7, 3, 1)
    c = np.triu(np.random.default_rng(0).standard_normal((7, 7)), 1)
    c += c.T
    found = mmv.gibbs(A, Y, 0.5, 0.3, couplings=c, max_iter=20_000)
    for t in range(len(Y)):
        P, _ = enumerate_posterior(A, Y[t], 0.5, lambda a: log_odds(0.3) * a.sum() + a @ c @ a / 2)
        np.testing.assert_allclose(found.score[t], P, atol=0.03)


@pytest.mark.parametrize("solver", [mmv.gibbs, mmv.map_cd])
def test_finds_the_one_active_group_among_groups_that_look_alike(solver):
    rng = np.random.default_rng(0)
    alike, own = rng.standard_normal((6, 4, 2)) @ [0.7, 0.7j], rng.standard_normal((6, 40, 2)) @ [0.35, 0.35j]
    activity = mmv.SingleActiveGroup(0.1)
    scenario = mmv.Scenario(N=40, L=6, M=4, noise_var=0.01, activity=activity, pilots=np.tile(alike, 10) + own)
    data = scenario.draw(rng, 100)
    best = mmv.bayes(scenario, data).score > 0.5
    np.testing.assert_array_equal(solver(data.A, data.Y, 0.01, 0.1, groups=data.groups).score > 0.5, best)


@pytest.mark.parametrize("seed", range(3))
def test_changes_between_devices_that_look_alike(seed):
    A, _, _ = make_problem(8, 4, 2, T=1)
    A[:, 1] = A[:, 0] + 0.15 * A[:, 1]
    Y = (A[:, :1] + A[:, 1:2]) @ [[0.5, 0.5j]]
    P, _ = enumerate_posterior(A, Y, 0.3, lambda state: log_odds(1e-5) * state.sum())
    assert P[:2].min() > 0.4
    # flips alone lead through both or neither active, which is rarer than one sweep in thousands
    found = mmv.gibbs(A, Y, 0.3, 1e-5, max_iter=20_000, seed=seed)
    assert found.converged
    np.testing.assert_allclose(found.score, P, atol=0.03)


def test_an_answer_depends_on_the_seed_and_not_on_the_batch():
    A, Y, _ = make_problem(20, 8, 2, T=4)
    together = mmv.gibbs(A, Y, 0.1, 0.2, max_iter=30)
    for t in range(4):
        alone = mmv.gibbs(A, Y[t], 0.1, 0.2, max_iter=30)
        np.testing.assert_array_equal(alone.score, together.score[t])
        np.testing.assert_array_equal(alone.X, together.X[t])
    assert (mmv.gibbs(A, Y, 0.1, 0.2, max_iter=30, seed=1).score != together.score).any()


def test_errs_less_than_map_and_knows_how_often():
    data = mmv.generate(
        np.random.default_rng(0), N=100, L=16, M=4, T=600, noise_var=0.1, activity=mmv.IndependentActivity(0.1, 3.0)
    )
    found = mmv.gibbs(data.A, data.Y, 0.1, data.activity_prob)
    relaxed = mmv.map_cd(data.A, data.Y, 0.1, data.activity_prob).score
    estimate = mmv.ml_mmse(data.A, data.Y, 0.1, threshold=0.3).X
    assert mmv.mse(found.X, data.X).mean < 0.7 * mmv.mse(estimate, data.X).mean
    best = mmv.best_threshold(relaxed, data.activity)
    errors = (found.score > 0.5) != data.activity
    assert errors.mean() < 0.85 * ((relaxed > best) != data.activity).mean()
    agreed = found.converged
    assert agreed.mean() > 0.5
    expected = np.minimum(found.score, 1 - found.score)[agreed]
    spread = np.std(errors[agreed].sum(axis=1)) / np.sqrt(agreed.sum()) / 100
    assert abs(errors[agreed].mean() - expected.mean()) < 3 * spread + 2e-4


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"groups": [0, 1]}, ValueError, r"groups must have shape \(6,\)"),
        ({"groups": np.zeros(6)}, TypeError, "groups must be integer labels"),
        ({"couplings": np.ones((6, 6))}, ValueError, "couplings must be symmetric with a zero diagonal; got 1 at"),
        ({"couplings": np.eye(6, k=1)}, ValueError, r"got 1 at \(0, 1\) and 0 at \(1, 0\)"),
        ({"couplings": np.full((6, 6), np.nan)}, ValueError, "couplings must be finite; got nan"),
        ({"couplings": np.zeros((5, 5))}, ValueError, "couplings must have shape"),
        ({"couplings": np.zeros((6, 6)), "groups": np.zeros(6, int)}, ValueError, "couplings must not be given"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
    ids=str,
)
def test_bad_input(options, error, words):
    A, Y, _ = make_problem(6, 4, 2)
    with pytest.raises(error, match=words):
        mmv.gibbs(A, Y, 0.1, 0.1, **options)
    with pytest.raises(ValueError, match="activity_prob must be constant within a group"):
        mmv.gibbs(A, Y, 0.1, np.linspace(0.1, 0.2, 6), groups=np.zeros(6, int))


def test_groups_of_one_device_are_no_groups():
    A, Y, _ = make_problem(20, 8, 2)
    plain = mmv.gibbs(A, Y, 0.1, 0.2, max_iter=30)
    told = mmv.gibbs(A, Y, 0.1, 0.2, groups=np.arange(20), max_iter=30)
    np.testing.assert_array_equal(told.score, plain.score)
