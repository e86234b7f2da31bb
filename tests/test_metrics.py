"""The figures are those of their formulas, and 95 % intervals cover in about 95 % of the cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmvsolvers as mmv
from mmvsolvers.metrics import Estimate, bayes_error, error_rate, false_alarm, missed_detection, mse, nmse_db, roc


def rng(seed=0):
    return np.random.default_rng(seed)


def signals(T=30, N=5, M=3, seed=0, error=0.3):
    draws = rng(seed).standard_normal((2, T, N, M, 2)).view(np.complex128)[..., 0]
    return draws[0] + error * draws[1], draws[0]


def coverage(estimate_of, truth, repeats=2000):
    """Share of intervals that hold the truth, over seeded repetitions."""
    intervals = [estimate_of(rng(seed)) for seed in range(repeats)]
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


def test_mse_is_per_device_and_summed_over_antennas():
    X_hat, X = signals(T=7, N=5, M=3)
    expected = sum(np.linalg.norm(X[t] - X_hat[t], "fro") ** 2 for t in range(7)) / (5 * 7)
    assert float(mse(X_hat, X)) == pytest.approx(expected, rel=1e-13)


def test_nmse_is_the_ratio_of_energies_in_db():
    X_hat, X = signals()
    expected = 20 * math.log10(np.linalg.norm(X_hat - X) / np.linalg.norm(X))
    assert float(nmse_db(X_hat, X)) == pytest.approx(expected, rel=1e-13)


def test_rates_are_those_of_their_definitions():
    activity = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 0]])
    decision = np.array([[1, 0, 1, 0, 0], [1, 0, 1, 1, 0]])
    assert float(error_rate(decision, activity)) == pytest.approx(4 / 10)
    assert float(missed_detection(decision, activity)) == pytest.approx(1 / 3)
    assert float(false_alarm(decision, activity)) == pytest.approx(3 / 7)


@given(st.integers(0, 100), st.integers(2, 6), st.integers(2, 5), st.integers(1, 4))
def test_leading_axes_are_the_samples(seed, T, N, M):
    X_hat, X = signals(2 * T, N, M, seed)
    nested = (2, T, N, M)
    assert mse(X_hat, X) == mse(X_hat.reshape(nested), X.reshape(nested))
    assert nmse_db(X_hat, X) == nmse_db(X_hat.reshape(nested), X.reshape(nested))
    decision, activity = X_hat[..., 0].real > 0, X[..., 0].real > 0
    assert error_rate(decision, activity) == error_rate(decision.reshape(2, T, N), activity.reshape(2, T, N))


@given(st.integers(0, 100), st.floats(0.01, 100))
def test_scaling_the_signals_scales_the_mse_and_leaves_the_nmse(seed, scale):
    X_hat, X = signals(seed=seed)
    first, second = mse(X_hat, X), mse(scale * X_hat, scale * X)
    np.testing.assert_allclose(
        [second.mean, second.low, second.high], np.array([first.mean, first.low, first.high]) * scale**2
    )
    first, second = nmse_db(X_hat, X), nmse_db(scale * X_hat, scale * X)
    np.testing.assert_allclose([second.mean, second.low, second.high], [first.mean, first.low, first.high])


def test_t_interval_matches_scipy():
    from scipy import stats

    values = rng().exponential(size=12)
    estimate = Estimate.of(values)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    np.testing.assert_allclose([estimate.mean, estimate.low, estimate.high], [values.mean(), low, high], rtol=1e-12)
    assert estimate.n == 12


# 2000 repetitions measure a coverage of 0.95 to ±0.015 (three standard errors). The asymptotic intervals of ratios,
# and the rule for rare errors, are allowed to be a little off; the latter may be wide, never narrow.
def test_interval_of_a_mean_covers():
    assert coverage(lambda r: Estimate.of(r.standard_normal(10)), 0) == pytest.approx(0.95, abs=0.015)


def test_interval_of_the_mse_covers():
    def draw(r):
        return mse(r.standard_normal((100, 4, 2)), np.zeros((100, 4, 2)))

    assert coverage(draw, 2.0) == pytest.approx(0.95, abs=0.02)


def test_interval_of_the_nmse_covers():
    def draw(r):
        X = r.standard_normal((100, 10, 2)) * (r.random((100, 10, 1)) < 0.3)
        return nmse_db(X + 0.1 * r.standard_normal(X.shape), X)

    assert coverage(draw, 10 * math.log10(0.01 / 0.3)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("rate", [0.0002, 0.001, 0.005, 0.03, 0.3, 0.995])
def test_interval_of_the_error_rate_covers_at_every_rate(rate):
    def draw(r):
        return error_rate(r.random((50, 20)) < rate, np.zeros((50, 20)))

    assert coverage(draw, rate) > 0.935


def test_interval_of_the_error_rate_covers_when_samples_fail_as_a_whole():
    def draw(r):
        return error_rate(np.repeat(r.random((100, 1)) < 0.01, 20, axis=1), np.zeros((100, 20)))

    assert coverage(draw, 0.01) > 0.935


def test_intervals_of_the_two_kinds_of_error_cover():
    def decide(r):
        activity = r.random((100, 10)) < 0.1
        return np.where(activity, r.random((100, 10)) < 0.8, r.random((100, 10)) < 0.05), activity

    assert coverage(lambda r: missed_detection(*decide(r)), 0.2) == pytest.approx(0.95, abs=0.02)
    assert coverage(lambda r: false_alarm(*decide(r)), 0.05) == pytest.approx(0.95, abs=0.02)


def test_no_error_in_T_samples_leaves_the_clopper_pearson_limit():
    estimate = error_rate(np.zeros((1000, 100)), np.zeros((1000, 100)))
    assert (estimate.mean, estimate.low) == (0, 0)
    # The rate of failing samples at which 1000 clean ones in a row have a chance of 2.5 %.
    assert (1 - estimate.high) ** 1000 == pytest.approx(0.025, rel=1e-9)


def test_errors_everywhere_mirror_no_error():
    estimate = error_rate(np.ones((1000, 100)), np.zeros((1000, 100)))
    assert (estimate.mean, estimate.high) == (1, 1)
    assert estimate.low**1000 == pytest.approx(0.025, rel=1e-9)


def test_samples_without_an_active_device_say_nothing_of_missed_detection():
    activity = np.zeros((20, 4), bool)
    activity[:10, 0] = True
    assert (1 - missed_detection(activity, activity).high) ** 10 == pytest.approx(0.025, rel=1e-9)


def test_one_sample_has_an_unbounded_interval():
    assert Estimate.of([2.0]) == Estimate(2.0, -math.inf, math.inf, 1)
    X_hat, X = signals(T=1)
    assert (mse(X_hat, X).low, mse(X_hat[0], X[0]).high) == (0, math.inf)
    rate = error_rate([True, False], [True, True])
    assert rate == Estimate(0.5, 0.0, 1.0, 1)


def test_an_estimate_without_error():
    _, X = signals()
    assert mse(X, X) == Estimate(0.0, 0.0, 0.0, 30)
    assert nmse_db(X, X) == Estimate(-math.inf, -math.inf, -math.inf, 30)


def test_single_precision_is_accumulated_in_double():
    X_hat, X = signals(T=50, N=200, M=8)
    single = mse(X_hat.astype(np.complex64), X.astype(np.complex64))
    assert float(single) == pytest.approx(float(mse(X_hat, X)), rel=1e-6)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.01234, 0.01114, 0.01354, 100), "0.0123 ± 0.0012"),
        (Estimate(0.0, 0.0, 0.0037, 1000), "0.0000 [0.0000, 0.0037]"),
        (Estimate(1234.5, 1200.0, 1269.0, 9), "1234 ± 34"),
        (Estimate(2.0, -math.inf, math.inf, 1), "2 ± inf"),
        (Estimate(3.2e-9, 3.0e-9, 3.4e-9, 50), "3.2e-09 ± 2.0e-10"),
        (Estimate(0.0, 0.0, 0.0, 5), "0 ± 0"),
        (Estimate(-math.inf, -math.inf, -math.inf, 5), "-inf [-inf, -inf]"),
    ],
)
def test_text_shows_two_digits_of_the_uncertainty(estimate, text):
    assert str(estimate) == text


def test_roc_holds_every_pair_of_rates():
    score, activity = np.round(rng().random(60), 1), rng(1).random(60) < 0.3
    curve = roc(score, activity)
    decision = score > curve.threshold[:, np.newaxis]
    np.testing.assert_allclose(curve.false_alarm, decision[:, ~activity].mean(axis=1), rtol=1e-15)
    np.testing.assert_allclose(curve.missed_detection, 1 - decision[:, activity].mean(axis=1), atol=1e-15)
    assert (curve.false_alarm[0], curve.false_alarm[-1]) == (0, 1)


@given(st.integers(0, 1000))
def test_area_under_the_roc_is_the_chance_of_the_right_order(seed):
    score, activity = rng(seed).integers(0, 6, 30), rng(seed + 1).random(30) < 0.5
    activity[:2] = [True, False]
    above = np.subtract.outer(score[activity], score[~activity])
    assert roc(score, activity).auc == pytest.approx(np.mean((above > 0) + 0.5 * (above == 0)), abs=1e-12)


def test_bayes_error_is_what_the_exact_posterior_errs():
    data = mmv.generate(rng(), N=8, L=4, M=2, T=4000, noise_var=0.5, activity=mmv.IndependentActivity(0.3))
    P = mmv.bayes(mmv.IndependentActivity(0.3), data).score
    expected, true = bayes_error(P), error_rate(P > 0.5, data.activity)
    assert expected.mean == pytest.approx(np.minimum(P, 1 - P).mean(), rel=1e-12)
    assert true.low > 0.02
    assert max(expected.low, true.low) < min(expected.high, true.high)


BAD = [
    (lambda: bayes_error([[0.5, 1.1]]), ValueError, "probability must be between 0 and 1; got 1.1"),
    (lambda: bayes_error(0.5), ValueError, r"probability must have shape \(\.\.\., N\); got a scalar"),
    (lambda: mse(np.ones((2, 3, 4)), np.ones((2, 3, 5))), ValueError, r"same shape \(\.\.\., N, M\)"),
    (lambda: mse(np.ones(3), np.ones(3)), ValueError, r"same shape \(\.\.\., N, M\)"),
    (lambda: mse(np.ones((0, 3, 4)), np.ones((0, 3, 4))), ValueError, "no empty axis"),
    (lambda: mse(np.full((3, 4), np.nan), np.ones((3, 4))), ValueError, "X_hat must be finite; got 12"),
    (lambda: mse(np.ones((3, 4)), np.ones((3, 4), int)), TypeError, "X must have one of the dtypes"),
    (lambda: nmse_db(np.ones((3, 4)), np.zeros((3, 4))), ValueError, "X must not be zero throughout"),
    (lambda: error_rate([0.3, 0.9], [0, 1]), ValueError, "decision must be boolean .* got 0.3"),
    (lambda: error_rate([[0, 1]], [0, 1]), ValueError, r"same shape \(\.\.\., N\); got \(1, 2\) and \(2,\)"),
    (lambda: error_rate([], []), ValueError, "decision must not be empty"),
    (lambda: error_rate(True, True), ValueError, r"same shape \(\.\.\., N\)"),
    (lambda: missed_detection([0, 1], [0, 0]), ValueError, "activity must hold an active device"),
    (lambda: false_alarm([0, 1], [1, 1]), ValueError, "activity must hold an idle device"),
    (lambda: roc([0.1, 0.2], [1, 1]), ValueError, "active and idle devices; got 2 active and 0 idle"),
    (lambda: roc([0.1, 0.2], [0, 0]), ValueError, "active and idle devices; got 0 active and 2 idle"),
    (lambda: Estimate.of([]), ValueError, "values must not be empty"),
    (lambda: Estimate.of([1.0, np.inf]), ValueError, "values must be .*got inf"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
