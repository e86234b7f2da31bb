import itertools

import numpy as np
import oracles
import pytest
from conftest import make_problem, relative_error

import mmvsolvers as mmv

PRIORS = {
    "rare": 0.05,
    "even": 0.5,
    "almost even": 0.5 - 1e-13,
    "likely": 0.8,
    "mixed": np.linspace(0.02, 0.9, 33),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_makes_the_textbook_sweeps(prior):
    eps = PRIORS[prior]
    upper = np.where(np.broadcast_to(eps, 33) > 0.5, 1.0, np.inf)
    A, Y, _ = make_problem(33, 12, 3)
    found = mmv.map_cd(A, Y, 0.1, eps, max_iter=5, tol=0)
    for t in range(len(Y)):
        alpha, step = oracles.map_cd(A, Y[t], 0.1, 5, eps, upper=upper)
        assert relative_error(found.score[t], alpha) < 1e-9
        assert found.optimality[t] == pytest.approx(step, rel=1e-6)
        wanted = oracles.map_objective(A, Y[t], 0.1, eps, found.score[t])
        assert found.objective[t] == pytest.approx(wanted, rel=1e-9)


def test_single_precision_follows():
    A, Y, _ = make_problem(33, 12, 3, dtype=np.complex64)
    found = mmv.map_cd(A, Y, 0.1, 0.1, max_iter=5, tol=0)
    alpha, _ = oracles.map_cd(A.astype(complex), Y[0].astype(complex), 0.1, 5, 0.1)
    assert relative_error(found.score[0], alpha) < 1e-3
    assert found.score.dtype == found.objective.dtype == np.float32


@pytest.mark.parametrize("eps", [0.1, 0.7])
@pytest.mark.parametrize("upper", [0.3, np.linspace(0.2, 2.0, 40)], ids=["one bound", "a bound each"])
def test_keeps_within_its_box(problem, eps, upper):
    A, Y, _ = problem
    found = mmv.map_cd(A, Y, 0.1, eps, upper=upper, max_iter=6, tol=0)
    assert (found.score >= 0).all()
    assert (found.score <= upper).all()
    alpha, _ = oracles.map_cd(A, Y[0], 0.1, 6, eps, upper=upper)
    assert relative_error(found.score[0], alpha) < 1e-9


def test_even_odds_are_maximum_likelihood(problem):
    A, Y, _ = problem
    np.testing.assert_array_equal(mmv.map_cd(A, Y, 0.1, 0.5).score, mmv.ml_cd(A, Y, 0.1).score)


def test_channel_variance_turns_powers_into_activities(problem):
    A, Y, _ = problem
    gains = np.linspace(0.5, 3.0, A.shape[1])
    scaled = mmv.map_cd(A, Y, 0.1, 0.1, channel_var=gains, max_iter=6, tol=0)
    alpha, _ = oracles.map_cd(A, Y[0], 0.1, 6, 0.1, channel_var=gains)
    assert relative_error(scaled.score[0], alpha) < 1e-9


@pytest.mark.parametrize("eps", [0.1, 0.8])
def test_falls_in_every_sweep_and_ends_at_coordinate_minima(problem, eps):
    A, Y, _ = problem
    course = [mmv.map_cd(A, Y, 0.1, eps, max_iter=k, tol=0).objective for k in range(1, 8)]
    assert (np.diff(course, axis=0) <= 1e-10).all()
    found = mmv.map_cd(A, Y, 0.1, eps, tol=1e-9)
    assert found.converged.all()
    for n in range(A.shape[1]):
        for value in np.linspace(0, 1.0 if eps > 0.5 else 3.0, 41):
            alpha = found.score[0].copy()
            alpha[n] = value
            assert oracles.map_objective(A, Y[0], 0.1, eps, alpha) > found.objective[0] - 1e-7


def test_rarer_devices_score_less(problem):
    A, Y, _ = problem
    totals = [mmv.map_cd(A, Y, 0.1, eps).score.sum() for eps in (0.4, 0.1, 1e-3)]
    assert totals == sorted(totals, reverse=True)


def test_every_device_its_own_group_is_no_group(problem):
    A, Y, _ = problem
    alone = mmv.map_cd(A, Y, 0.1, 0.1, groups=3 * np.arange(A.shape[1]))
    np.testing.assert_array_equal(alone.score, mmv.map_cd(A, Y, 0.1, 0.1).score)


def test_groups_have_the_least_objective_of_all_activities():
    A, Y, _ = make_problem(14, 5, 2, T=6)
    labels = np.arange(14) % 7
    eps = np.linspace(0.1, 0.6, 7)
    found = mmv.map_cd(A, Y, 0.2, eps[labels], groups=labels)
    states = [np.array(state) for state in itertools.product([0.0, 1.0], repeat=7)]
    for t in range(len(Y)):
        prior = [np.sum(np.log(np.where(state > 0, eps, 1 - eps))) / 2 for state in states]
        fit = [oracles.negative_log_likelihood(A, Y[t], 0.2, state[labels]) for state in states]
        objective = np.array(fit) - prior
        np.testing.assert_array_equal(found.score[t], states[int(np.argmin(objective))][labels])
        assert found.objective[t] == pytest.approx(objective.min(), rel=1e-9)
    assert (found.optimality == 0).all()


def test_knowing_the_groups_saves_most_errors():
    activity = mmv.GroupActivity(0.1, 20)
    data = mmv.generate(np.random.default_rng(0), N=100, L=12, M=4, T=400, noise_var=0.1, activity=activity)
    plain = mmv.map_cd(data.A, data.Y, 0.1, 0.1).score
    best = mmv.best_threshold(plain, data.activity)
    told = mmv.map_cd(data.A, data.Y, 0.1, 0.1, groups=activity.groups(100)).score
    assert np.mean((told > 0.5) != data.activity) < 0.35 * np.mean((plain > best) != data.activity)


def test_couplings_have_the_least_objective_of_all_activities():
    A, Y, _ = make_problem(8, 4, 2, T=6)
    eps = np.linspace(0.1, 0.6, 8)
    c = np.random.default_rng(0).normal(0, 3, (8, 8))
    c = np.triu(c, 1) + np.triu(c, 1).T
    found = mmv.map_cd(A, Y, 0.5, eps, couplings=c)
    states = [np.array(state) for state in itertools.product([0.0, 1.0], repeat=8)]
    differ = 0
    for t in range(len(Y)):
        prior = [np.sum(np.log(np.where(state > 0, eps, 1 - eps))) + state @ c @ state / 2 for state in states]
        fit = [oracles.negative_log_likelihood(A, Y[t], 0.5, state) for state in states]
        objective = np.array(fit) - np.array(prior) / 2
        np.testing.assert_array_equal(found.score[t], states[int(np.argmin(objective))])
        assert found.objective[t] == pytest.approx(objective.min(), rel=1e-9)
        alone = np.array(fit) - [np.sum(np.log(np.where(state > 0, eps, 1 - eps))) / 2 for state in states]
        differ += np.argmin(alone) != np.argmin(objective)
    assert differ > 0
    assert (found.optimality == 0).all()


def test_devices_that_couplings_tie_wake_and_fall_silent_together():
    activity = mmv.GroupActivity(0.2, 10)
    data = mmv.generate(np.random.default_rng(0), N=40, L=12, M=4, T=100, noise_var=0.1, activity=activity)
    # four of a group, alone at odds of 1 to 99, wake all together at odds of 1 to 4
    alone = np.log(0.01 / 0.99)
    pairs = np.kron(np.eye(10), np.ones((4, 4)) - np.eye(4)) * (np.log(0.2 / 0.8) - 4 * alone) / 6
    found = mmv.map_cd(data.A, data.Y, 0.1, 0.01, couplings=pairs)
    worse = 0
    for t, truth in enumerate(data.activity.astype(float)):
        reached, possible = (
            oracles.negative_log_likelihood(data.A, data.Y[t], 0.1, one)
            - (alone * one.sum() + one @ pairs @ one / 2) / 4
            for one in (found.score[t], truth)
        )
        worse += reached > possible + 1e-9
    assert worse <= 1


def test_couplings_are_of_devices():
    A, Y, _ = make_problem(6, 4, 2)
    pairs = np.zeros((6, 6))
    with pytest.raises(ValueError, match="couplings must not be given together with groups"):
        mmv.map_cd(A, Y, 0.1, 0.1, groups=np.arange(6), couplings=pairs)
    with pytest.raises(ValueError, match="couplings must be symmetric"):
        mmv.map_cd(A, Y, 0.1, 0.1, couplings=pairs + np.eye(6))
    with pytest.raises(ValueError, match="gamma0 must not be given together with groups or couplings"):
        mmv.map_cd(A, Y, 0.1, 0.1, couplings=pairs, gamma0="dense")


def test_groups_have_no_box():
    A, Y, _ = make_problem(6, 4, 2)
    with pytest.raises(ValueError, match="upper must not be given together with groups"):
        mmv.map_cd(A, Y, 0.1, 0.1, groups=np.arange(6) // 2, upper=2.0)
    with pytest.raises(ValueError, match=r"groups must have shape \(6,\)"):
        mmv.map_cd(A, Y, 0.1, 0.1, groups=np.arange(3))


@pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning")
@pytest.mark.parametrize("told", ["groups", "couplings"])
def test_what_flips_gain_is_the_same_by_both_ways(told, monkeypatch):
    A, Y, _ = make_problem(20, 8, 3, T=5)
    pairs = 0.3 * np.random.default_rng(0).standard_normal((20, 20))
    couplings = np.triu(pairs, 1) + np.triu(pairs, 1).T
    structure = {told: np.arange(20) // 2 if told == "groups" else couplings}
    found = []
    for strong in (np.inf, 0.0):
        monkeypatch.setitem(mmv.map_cd.__globals__, "STRONG", strong)
        found.append(mmv.map_cd(A, Y, 0.1, 0.2, max_iter=1, **structure))
    assert found[0].optimality.max() > 0.01
    np.testing.assert_allclose(found[1].optimality, found[0].optimality, atol=1e-9)
    np.testing.assert_allclose(found[1].objective, found[0].objective, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(4))
def test_strong_groups_are_claimed_as_they_are(seed):
    A, Y, _ = make_problem(12, 8, 2, seed=seed)
    found = mmv.map_cd(A, Y, 1e-3, 0.2, channel_var=1e12, groups=np.arange(12) // 2)
    prior = np.where(found.score[:, ::2] > 0, np.log(0.2), np.log(0.8)).sum(axis=1) / 2
    wanted = mmv.negative_log_likelihood(A, Y, 1e-3, 1e12 * found.score) - prior
    np.testing.assert_allclose(found.objective, wanted, rtol=1e-9)
