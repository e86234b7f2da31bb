"""Priors from logs: what was put into drawn logs is found again, and judged right."""

from itertools import product

import numpy as np
import pytest

import mmvsolvers as mmv
from mmvsolvers.activity_prior import fit_couplings

T = 1500


def draw(model, N, T=T, seed=0):
    return model.draw(np.random.default_rng(seed), N, T)


def draw_pairs(rng, T, log_odds, couplings):
    """Draw from log p(α) = Σ c_n α_n + Σ_{n<m} c_nm α_n α_m + const, with all 2ᴺ activities enumerated."""
    states = np.array(list(product((0, 1), repeat=log_odds.size)))
    log_p = states @ log_odds + np.einsum("sn,nm,sm->s", states, couplings, states) / 2
    p = np.exp(log_p - log_p.max())
    return states[rng.choice(len(states), size=T, p=p / p.sum())].astype(bool)


def pseudo_likelihood_of_single_samples(active, log_odds, couplings):
    total = 0.0
    for alpha in active:
        for n in range(alpha.size):
            odds = log_odds[n] + sum(couplings[n, m] for m in np.flatnonzero(alpha) if m != n)
            total += np.log(1 / (1 + np.exp(-odds if alpha[n] else odds)))
    return total


def test_marginals_are_frequencies():
    logs = draw(mmv.IndependentActivity(0.2, ratio=3), 20)
    prior = mmv.fit_activity_prior(logs, smoothing=2.0)
    np.testing.assert_allclose(prior.activity_prob, (logs.sum(axis=0) + 2) / (T + 4))


def test_independent_devices_stay_independent():
    prior = mmv.fit_activity_prior(draw(mmv.IndependentActivity(0.1, ratio=3), 40))
    assert prior.best == "independent"
    assert prior.groups.tolist() == list(range(40))
    assert np.count_nonzero(np.triu(prior.couplings)) <= 3
    assert list(prior.told()) == ["activity_prob"]


def test_rounding_errors_make_no_form_the_best():
    logs = np.random.default_rng(35).random((400, 5)) < 0.98
    assert mmv.fit_activity_prior(logs).best == "independent"


def test_devices_that_are_always_active_are_not_coupled():
    logs = draw(mmv.IndependentActivity(0.2), 8, 400)
    logs[:, :2] = True
    prior = mmv.fit_activity_prior(logs)
    assert prior.best == "independent"
    assert prior.couplings[0, 1] == 0
    assert prior.silent_prob[:2].min() > 0.99


def test_smoothing_keeps_probabilities_from_one():
    logs = np.ones((200, 3), bool)
    assert mmv.fit_activity_prior(logs, smoothing=1e-12).activity_prob.max() < 1
    with pytest.raises(ValueError, match="smoothing must not be lost beside 200 samples; got 1e-16"):
        mmv.fit_activity_prior(logs, smoothing=1e-16)


def test_groups_are_found_wherever_their_devices_are():
    rng = np.random.default_rng(0)
    order = rng.permutation(40)
    prior = mmv.fit_activity_prior(draw(mmv.GroupActivity(0.1, 8), 40)[:, order])
    truth = order // 5
    np.testing.assert_array_equal(prior.groups[:, None] == prior.groups, truth[:, None] == truth)
    assert prior.groups[0] == 0
    assert prior.best == "groups"
    told = prior.told()
    assert list(told) == ["activity_prob", "groups"]
    for label in range(8):
        assert np.ptp(told["activity_prob"][prior.groups == label]) == 0
    # the couplings see the same: positive within groups, none between them
    within = truth[:, None] == truth
    assert (prior.couplings[within & ~np.eye(40, dtype=bool)] > 0).all()
    assert np.count_nonzero(prior.couplings[~within]) < 0.01 * (~within).sum()


def test_a_group_whose_devices_sometimes_fail_is_still_one():
    logs = draw(mmv.GroupActivity(0.2, 4), 20, 4000)
    logs &= np.random.default_rng(1).random(logs.shape) > 0.05
    assert mmv.fit_activity_prior(logs, group_correlation=1.0).groups.max() == 19
    prior = mmv.fit_activity_prior(logs)
    assert prior.groups.tolist() == [n // 5 for n in range(20)]
    np.testing.assert_allclose(prior.group_prob, 0.19, atol=0.03)


def test_couplings_of_long_logs_are_those_drawn_from():
    rng = np.random.default_rng(0)
    N = 6
    log_odds = rng.uniform(-2, -0.5, N)
    couplings = np.triu(rng.uniform(-1.5, 1.5, (N, N)), 1)
    couplings += couplings.T
    logs = draw_pairs(rng, 60_000, log_odds, couplings)
    prior = mmv.fit_activity_prior(logs, penalty=0.0)
    assert prior.best == "pairs"
    np.testing.assert_allclose(prior.couplings, couplings, atol=0.15)
    np.testing.assert_allclose(np.log(prior.silent_prob / (1 - prior.silent_prob)), log_odds, atol=0.15)
    np.testing.assert_array_equal(prior.couplings, prior.couplings.T)
    assert not np.diag(prior.couplings).any()
    assert list(prior.told()) == ["activity_prob", "couplings"]


def test_couplings_maximise_the_penalised_pseudo_likelihood():
    """Of convex programs, no other point does better: look at 200 of them around."""
    rng = np.random.default_rng(0)
    logs = draw_pairs(rng, 60, np.full(4, -1.0), 1.2 * (np.ones((4, 4)) - np.eye(4)))
    usual = (logs.sum(axis=0) + 0.5) / 61
    spread = np.sqrt(usual * (1 - usual))
    chance = 2 * np.sqrt(2 * 60 * np.log(6)) * np.outer(spread, spread)

    def objective(log_odds, couplings):
        value = pseudo_likelihood_of_single_samples(logs, log_odds, couplings)
        on_average = log_odds + couplings @ usual
        value += 0.5 * np.sum(np.log(1 / (1 + np.exp(on_average))) + np.log(1 / (1 + np.exp(-on_average))))
        return value - 0.3 * np.sum(np.triu(chance * np.abs(couplings), 1))

    log_odds, couplings = fit_couplings(logs, 0.5, 0.3)
    assert np.count_nonzero(np.triu(couplings)) > 0
    best = objective(log_odds, couplings)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(60):
            change = np.triu(rng.standard_normal((4, 4)), 1) * scale
            assert objective(log_odds + scale * rng.standard_normal(4), couplings + change + change.T) < best + 1e-5


def test_what_is_held_out_is_judged_by_what_was_fitted_without_it():
    logs = draw(mmv.IndependentActivity(0.3), 5, 40)
    halves = logs[:20], logs[20:]
    wanted = []
    for judged, fitted in (halves, halves[::-1]):
        p = (fitted.sum(axis=0) + 0.5) / 21
        wanted.append(np.log(np.where(judged, p, 1 - p)).sum(axis=1))
    found = mmv.fit_activity_prior(logs).held_out["independent"]
    assert found.mean == pytest.approx(np.mean(wanted), rel=1e-12)


def test_devices_that_never_or_always_wake_get_finite_numbers():
    logs = draw(mmv.IndependentActivity(0.3), 6, 200)
    logs[:, 2], logs[:, 4] = False, True
    prior = mmv.fit_activity_prior(logs)
    for probability in (prior.activity_prob, prior.group_prob, prior.silent_prob):
        assert ((probability > 0) & (probability < 1)).all()
    assert np.isfinite(prior.couplings).all()
    assert mmv.fit_activity_prior(logs[:, :1]).groups.tolist() == [0]


def test_a_log_of_a_silent_network_is_no_group():
    prior = mmv.fit_activity_prior(np.zeros((50, 6)))
    assert prior.groups.tolist() == list(range(6))
    assert prior.best == "independent"


BAD = [
    (ValueError, r"logs must have shape \(T, N\) with T >= 4; got \(3, 5\)", [np.zeros((3, 5))], {}),
    (ValueError, "logs must be boolean or hold only 0 and 1", [np.full((9, 5), 0.5)], {}),
    (TypeError, "logs must be boolean", [np.full((9, 5), "yes")], {}),
    (ValueError, "smoothing must be finite and positive; got 0", [np.zeros((9, 5))], {"smoothing": 0}),
    (ValueError, "group_correlation must be above 0", [np.zeros((9, 5))], {"group_correlation": 1.5}),
    (ValueError, "penalty must be .*non-negative; got -1", [np.zeros((9, 5))], {"penalty": -1}),
]


@pytest.mark.parametrize(("error", "message", "arguments", "options"), BAD)
def test_bad_arguments_are_named(error, message, arguments, options):
    with pytest.raises(error, match=message):
        mmv.fit_activity_prior(*arguments, **options)


def test_only_known_forms_are_told():
    prior = mmv.fit_activity_prior(draw(mmv.IndependentActivity(0.3), 6, 40))
    assert list(prior.told("pairs")) == ["activity_prob", "couplings"]
    with pytest.raises(ValueError, match="form must be one of 'independent', 'groups', 'pairs'; got 'other'"):
        prior.told("other")
