from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from scipy import stats

import mmvsolvers as mmv
from mmvsolvers.evaluation import evaluate_until
from mmvsolvers.result import SolverResult
from mmvsolvers.stopping import UntilErrors, rate_until, share_with_errors


@pytest.mark.parametrize(("wrong", "end"), [("0101", None), ("01011", 5), ("0101011", 6), ("111", 3), ("000000000", 8)])
def test_stops_at_the_error_that_makes_the_number_full(wrong, end):
    flags = np.array([digit == "1" for digit in wrong])
    assert UntilErrors(n_errors=3, max_samples=8).end(flags) == end


@pytest.mark.parametrize(("r", "T"), [(2, 2), (2, 50), (10, 11), (100, 4000)])
def test_the_ends_of_the_interval_are_where_the_stopping_time_is_a_2_5_percent_surprise(r, T):
    found = share_with_errors(r, T, stopped=True)
    assert stats.nbinom.cdf(T - r, r, found.low) == pytest.approx(0.025)
    if r < T:
        assert stats.nbinom.sf(T - r - 1, r, found.high) == pytest.approx(0.025)
    assert found.low <= found.mean <= found.high
    assert found.mean == (r - 1) / (T - 1)


@pytest.mark.parametrize(("k", "T"), [(0, 7), (3, 50), (7, 7)])
def test_without_a_stop_it_is_the_interval_of_clopper_and_pearson(k, T):
    exact = stats.binomtest(k, T).proportion_ci(0.95, "exact")
    found = share_with_errors(k, T)
    assert (found.mean, found.low, found.high) == pytest.approx((k / T, exact.low, exact.high))


@pytest.mark.parametrize("q", [0.002, 0.01, 0.03, 0.1, 0.5, 0.9])
def test_whatever_the_rate_the_interval_holds_it_in_95_percent_of_all_runs(q):
    r, most = 6, 300
    times = np.arange(r, most + 1)
    runs = [(share_with_errors(r, T, stopped=True), stats.nbinom.pmf(T - r, r, q)) for T in times]
    runs += [(share_with_errors(k, most), stats.binom.pmf(k, most, q)) for k in range(r)]
    assert sum(chance for _, chance in runs) == pytest.approx(1.0)
    for surprise in (lambda e: q < e.low, lambda e: q > e.high):
        assert sum(chance for found, chance in runs if surprise(found)) <= 0.025


def test_the_estimate_is_unbiased():
    r, q = 4, 0.1
    times = np.arange(r, 3000)
    means = np.array([share_with_errors(r, T, stopped=True).mean for T in times])
    assert means @ stats.nbinom.pmf(times - r, r, q) == pytest.approx(q, rel=1e-9)


@pytest.mark.parametrize(("r", "q"), [(10, 0.2), (100, 0.02)])
def test_the_interval_of_the_error_rate_holds_it_too(r, q):
    N, runs = 50, 800
    rng = np.random.default_rng(r)
    held, means = 0, []
    for _ in range(runs):
        T = r + rng.negative_binomial(r, q)
        n_wrong = np.zeros(T)
        places = np.append(rng.choice(T - 1, r - 1, replace=False), T - 1)
        n_wrong[places] = np.minimum(rng.geometric(0.4, r), N)  # errors come in bursts
        found = rate_until(n_wrong, N)
        means.append(found.mean)
        truth = q * 2.5 / N
        held += found.low <= truth <= found.high
    assert held / runs >= 0.93
    assert np.mean(means) == pytest.approx(truth, abs=4 * np.std(means) / np.sqrt(runs))


class Coin:
    """Decides wrongly about the first device in a tenth of the samples, and estimates zero."""

    name = "coin"

    def __init__(self):
        self.rng, self.solved = np.random.default_rng(5), []

    def solve(self, data, **options):
        self.solved.append(data.T)
        score = data.activity.astype(float)
        if len(self.solved) > 1:
            flipped = self.rng.random(data.T) < 0.1
            score[flipped, 0] = 1 - score[flipped, 0]
        done, zero = np.ones(data.T, bool), np.zeros(data.T)
        return SolverResult(0 * data.X, score, zero, zero, zero.astype(int), done, ~done)


SCENARIO = mmv.Scenario(N=10, L=4, M=2, activity=mmv.IndependentActivity(0.3), noise_var=0.1)


def batches(T):
    rng = np.random.default_rng(3)
    train = SCENARIO.draw(rng, T)
    return train, (SCENARIO.draw(rng, T, pilots=train.A) for _ in count())


def test_an_evaluation_stops_within_a_batch_and_asks_for_no_more():
    coin = Coin()
    found = evaluate_until(coin, *batches(40), UntilErrors(n_errors=20, max_samples=10_000))
    assert sum(coin.solved[1:]) - 40 < found.n_samples <= sum(coin.solved[1:])
    assert found.sample_error_rate == share_with_errors(20, found.n_samples, stopped=True)
    assert found.error_rate.mean == pytest.approx(found.sample_error_rate.mean / 10)
    assert found.error_rate.low <= 0.01 <= found.error_rate.high
    assert found.mse.n == found.n_samples - 1


def test_an_evaluation_ends_at_the_most_samples():
    found = evaluate_until(Coin(), *batches(40), UntilErrors(n_errors=1000, max_samples=90))
    assert found.n_samples == 90
    n_errors = round(90 * found.sample_error_rate.mean)
    assert found.sample_error_rate == share_with_errors(n_errors, 90)


def test_size_of_batches_does_not_count():
    solver = mmv.SOLVERS["ml_cd"]
    rng = np.random.default_rng(3)
    train, test = SCENARIO.draw(rng, 50), SCENARIO.draw(rng, 90)
    test = replace(test, A=train.A, Y=train.A @ test.X)
    parts = [
        replace(test, Y=test.Y[k : k + 9], X=test.X[k : k + 9], activity=test.activity[k : k + 9])
        for k in range(0, 90, 9)
    ]
    rule = UntilErrors(n_errors=1000, max_samples=90)
    whole, cut = mmv.evaluate(solver, train, test), evaluate_until(solver, train, parts, rule)
    assert replace(whole, seconds_per_sample=0.0) == replace(cut, seconds_per_sample=0.0)


@pytest.mark.parametrize("arguments", [{"n_errors": 1}, {"n_errors": 0}, {"max_samples": 0}])
def test_rules_that_never_say_anything_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        UntilErrors(**arguments)
