import warnings
from dataclasses import replace

import numpy as np
import pytest

import mmvsolvers as mmv
from mmvsolvers.evaluation import average
from mmvsolvers.result import SolverResult


def draw(seed, T, **options):
    rng = np.random.default_rng(seed)
    activity = mmv.IndependentActivity(0.1)
    return mmv.generate(rng, N=20, L=10, M=3, T=T, activity=activity, noise_var=0.1, **options)


@pytest.fixture(scope="module")
def data():
    train = draw(0, 60)
    return train, draw(1, 40, pilots=train.A)


@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_measures_what_the_solver_finds_at_the_threshold_learned(data, name):
    train, test = data
    solver = mmv.SOLVERS[name]
    found = mmv.evaluate(solver, train, test)
    options = {}
    if name == "ml_mmse":
        options["threshold"] = mmv.best_threshold(mmv.ml_cd(train.A, train.Y, 0.1).score, train.activity)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmv.DivergenceWarning)
        warnings.simplefilter("ignore", mmv.ConvergenceWarning)
        learned = mmv.best_threshold(solver.solve(train, **options).score, train.activity)
        result = solver.solve(test, **options)
    assert found.threshold == learned
    assert found.error_rate == mmv.error_rate(result.score > learned, test.activity)
    assert found.missed_detection == mmv.missed_detection(result.score > learned, test.activity)
    assert found.false_alarm == mmv.false_alarm(result.score > learned, test.activity)
    assert found.mse == (mmv.mse(result.X, test.X) if solver.recovers_signal else None)
    assert found.n_diverged == result.diverged.sum()
    assert found.seconds_per_sample > 0


def test_counts_what_did_not_converge(data):
    found = mmv.evaluate(mmv.SOLVERS["ml_cd"], *data, max_iter=1)
    assert found.n_unconverged == data[1].T
    assert mmv.evaluate(mmv.SOLVERS["ml_cd"], *data, max_iter=1, tol=0).n_unconverged == 0


def test_takes_any_decoder(data):
    class Oracle:
        name = "oracle"

        def solve(self, data, **options):
            done = np.ones(data.T, bool)
            zero = np.zeros(data.T)
            return SolverResult(data.X, data.activity.astype(float), zero, zero, zero.astype(int), done, ~done)

    found = mmv.evaluate(Oracle(), *data)
    assert float(found.mse) == float(found.error_rate) == 0


def test_the_threshold_of_ml_mmse_is_learned_with_the_options_it_is_used_with(data):
    train, test = data
    found = mmv.evaluate(mmv.SOLVERS["ml_mmse"], train, test, max_iter=2, tol=0)
    scores = mmv.ml_cd(train.A, train.Y, 0.1, max_iter=2, tol=0).score
    assert found.threshold == mmv.best_threshold(scores, train.activity)
    result = mmv.ml_mmse(test.A, test.Y, 0.1, threshold=found.threshold, max_iter=2, tol=0)
    assert found.mse == mmv.mse(result.X, test.X)


def test_says_what_it_can_evaluate(data):
    with pytest.raises(TypeError, match=r"solver must be an entry of SOLVERS, .* got 'gibbs'"):
        mmv.evaluate("gibbs", *data)
    with pytest.raises(TypeError, match=r"train must be MMVData, .* got ndarray"):
        mmv.evaluate(mmv.SOLVERS["ml_cd"], data[0].Y, data[1])
    with pytest.raises(TypeError, match=r"test must be MMVData, .* got ndarray"):
        mmv.evaluate(mmv.SOLVERS["ml_cd"], data[0], data[1].Y)


def test_a_threshold_given_is_used(data):
    all_idle = mmv.evaluate(mmv.SOLVERS["ml_mmse"], *data, threshold=1e6)
    assert float(all_idle.mse) == pytest.approx(float(mmv.mse(0 * data[1].X, data[1].X)))


def test_the_interval_of_an_average_is_over_the_draws(data):
    draws = [mmv.evaluate(mmv.SOLVERS["group_lasso_bcd"], draw(k, 30), draw(k, 30)) for k in range(5)]
    spread = [replace(one, mse=mmv.Estimate(k, k - 0.1, k + 0.1, 30)) for k, one in enumerate(draws, start=2)]
    assert average(spread).mse == mmv.Estimate.of([2.0, 3.0, 4.0, 5.0, 6.0])
    assert average(draws[:1]) == draws[0]
    far = mmv.Estimate.of([0.1, 0.9]), mmv.Estimate.of([0.2, 0.4])
    rates = [replace(draws[0], missed_detection=one, false_alarm=one, sample_error_rate=one) for one in far]
    found = average(rates)
    assert found.missed_detection.high == found.false_alarm.high == found.sample_error_rate.high == 1.0


def test_draws_without_an_error_leave_open_what_their_samples_do(data):
    one = mmv.evaluate(mmv.SOLVERS["ml_cd"], *data)
    rare = mmv.error_rate(np.zeros((100, 20), bool), np.zeros((100, 20), bool))
    found = average(4 * [replace(one, error_rate=rare)]).error_rate
    assert found.mean == found.low == 0
    assert found.high == pytest.approx(rare.high / 2)
