"""The best threshold is the best of all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmvsolvers.thresholds import best_threshold, equal_error, operating_points, threshold_at

# Few distinct values make ties, neighbours one rounding step apart make midpoints that round away.
AWKWARD = [-1.0, 0.0, 5e-324, 1e-310, 0.5, 1.0, 1 + 2**-52, 1 - 2**-53, 1e308, 1.7e308]


@st.composite
def scores_and_activity(draw, dtype=np.float64):
    n = draw(st.integers(1, 12))
    values = st.sampled_from(AWKWARD) if dtype == np.float64 else st.sampled_from([*AWKWARD[4:8], 1 + 2**-23])
    score = np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)
    return score, draw(hnp.arrays(bool, n))


def errors(score, activity, threshold):
    return np.count_nonzero((score > threshold) != activity)


def fewest_errors(score, activity):
    """Try a threshold at every score and one below all of them: every decision rule there is."""
    candidates = [np.nextafter(score.min(), score.dtype.type(-np.inf)), *score]
    return min(errors(score, activity, threshold) for threshold in candidates)


@given(scores_and_activity())
def test_no_threshold_makes_fewer_errors(case):
    score, activity = case
    assert errors(score, activity, best_threshold(score, activity)) == fewest_errors(score, activity)


@given(scores_and_activity(np.float32))
def test_single_precision_scores_are_decided_as_counted(case):
    score, activity = case
    threshold = best_threshold(score, activity)
    assert errors(score, activity, threshold) == fewest_errors(score, activity)
    assert errors(score.astype(np.float64), activity, threshold) == fewest_errors(score, activity)


@given(scores_and_activity())
def test_operating_points_count_the_errors_of_their_thresholds(case):
    score, activity = case
    threshold, missed, false_alarms = operating_points(score, activity)
    assert len(threshold) == len(np.unique(score)) + 1
    assert (np.diff(threshold) < 0).all()
    decision = score > threshold[:, np.newaxis]
    np.testing.assert_array_equal(missed, (~decision & activity).sum(axis=1))
    np.testing.assert_array_equal(false_alarms, (decision & ~activity).sum(axis=1))


def test_a_large_sample_agrees_with_brute_force():
    rng = np.random.default_rng(0)
    activity = rng.random((40, 50)) < 0.2
    score = np.round(rng.exponential(size=(40, 50)) + activity, 2)
    assert errors(score, activity, best_threshold(score, activity)) == fewest_errors(score.ravel(), activity.ravel())


def test_the_threshold_is_midway_between_the_neighbours_it_separates():
    assert best_threshold([3.0, 1.0, 8.0, 2.0], [False, False, True, False]) == 5.5


def test_the_highest_of_equally_good_thresholds_is_taken():
    # Calling nobody active and calling the first three active both make one error.
    assert best_threshold([4.0, 3.0, 2.0, 1.0], [False, True, False, False]) == 4.0


def test_nobody_active_gives_the_largest_score():
    assert best_threshold([1.0, 7.0, 3.0], [0, 0, 0]) == 7.0


def test_everybody_active_gives_the_next_number_below_the_smallest():
    assert best_threshold([1.0, 7.0, 3.0], [1, 1, 1]) == np.nextafter(1.0, 0)


def test_permuting_the_devices_changes_nothing():
    rng = np.random.default_rng(1)
    score, activity = rng.integers(0, 9, 200), rng.random(200) < 0.4
    order = rng.permutation(200)
    assert best_threshold(score, activity) == best_threshold(score[order], activity[order])


BAD = [
    (([0.1, np.nan], [1, 0]), ValueError, "score must be .*; got nan"),
    (([0.1, 1j], [1, 0]), TypeError, "score must be real; got dtype complex128"),
    (([0.1, 0.2], [1, 2]), ValueError, "activity must be boolean or hold only 0 and 1 .* got 2"),
    (([0.1, 0.2], [1, np.nan]), ValueError, "activity must be boolean or hold only 0 and 1 .* got nan"),
    (([0.1, 0.2], ["a", "b"]), TypeError, "activity must be boolean; got dtype"),
    (([0.1, 0.2], [1, 0, 1]), ValueError, r"same shape; got \(2,\) and \(3,\)"),
    (([], []), ValueError, "score must not be empty"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        best_threshold(*arguments)


@given(scores_and_activity(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]))
def test_a_rate_is_held_and_no_better_threshold_holds_it(case, rate):
    score, activity = case
    candidates = [np.nextafter(score.min(), -np.inf), *score]

    def rates(threshold):
        called, idle = score > threshold, ~activity
        return (~called & activity).sum() / max(activity.sum(), 1), (called & idle).sum() / max(idle.sum(), 1)

    every = [rates(threshold) for threshold in candidates]
    if not activity.all():
        missed, alarms = rates(threshold_at(score, activity, false_alarm=rate))
        assert alarms <= rate
        assert missed == min(pm for pm, pf in every if pf <= rate)
    if activity.any():
        missed, alarms = rates(threshold_at(score, activity, missed_detection=rate))
        assert missed <= rate
        assert alarms == min(pf for pm, pf in every if pm <= rate)
    if activity.any() and not activity.all():
        found = equal_error(score, activity)
        assert max(rates(found.threshold)) == found.rate == min(max(both) for both in every)


@pytest.mark.parametrize(
    ("activity", "options", "words"),
    [
        ([1, 0], {}, "exactly one of false_alarm and missed_detection must be given"),
        ([1, 0], {"false_alarm": 0.1, "missed_detection": 0.1}, "exactly one of"),
        ([1, 0], {"false_alarm": 1.5}, "false_alarm must be between 0 and 1"),
        ([1, 1], {"false_alarm": 0.1}, "activity must hold an idle device"),
        ([0, 0], {"missed_detection": 0.1}, "activity must hold an active device"),
    ],
)
def test_rates_that_cannot_be_held_are_refused(activity, options, words):
    with pytest.raises(ValueError, match=words):
        threshold_at([2.0, 1.0], activity, **options)
