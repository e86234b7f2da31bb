"""Turning scores into decisions: every threshold that matters, and the best of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.validation import FINITE, UNIT_INTERVAL, as_real, as_regular, as_scalar


class EqualError(NamedTuple):
    """Where the two kinds of error are balanced.

    Attributes
    ----------
    threshold : float
        Scores above it mean active.
    rate : float
        The larger of missed detection and false alarm there.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> threshold, rate = mmv.equal_error([0.1, 0.8, 0.3, 0.9], [0, 1, 1, 0])
    >>> rate
    0.5
    """

    threshold: float
    rate: float


def best_threshold(score: ArrayLike, activity: ArrayLike) -> float:
    """Return the threshold with the fewest wrong decisions, where "score > threshold" means active.

    It is the exact minimiser of the error rate over all real thresholds: the rate changes at the scores alone, so
    sorting them, O(n log n), gives it everywhere. The threshold lies midway between the two neighbouring scores
    that it separates. Where several intervals have the fewest errors, the highest is taken: fewest devices active.
    If no device is best called active, the threshold is the largest score; if every device is, it is the next
    number below the smallest.

    Parameters
    ----------
    score : array_like of any shape, real
        The larger, the likelier to be active.
    activity : array_like of the same shape, bool or 0/1
        The truth.

    Returns
    -------
    float
        Exact in the precision of ``score``, so that ``score > threshold`` decides alike in float32 and float64.

    Raises
    ------
    TypeError, ValueError
        For scores that are not finite reals, activities that are not 0 or 1, different shapes, no entry.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.best_threshold([0.9, 0.2, 0.6, 0.1], [True, False, True, False])
    0.4
    """
    threshold, missed, false_alarms = operating_points(score, activity)
    return float(threshold[np.argmin(missed + false_alarms)])


def threshold_at(
    score: ArrayLike,
    activity: ArrayLike,
    *,
    false_alarm: float | None = None,
    missed_detection: float | None = None,
) -> float:
    """Return the threshold that holds one kind of error to a rate and makes the fewest errors of the other kind.

    Exact over all real thresholds, as :func:`best_threshold` is, and midway between the scores that it separates. The
    rate is held on the scores given: with few of them, the true rate may be above it.

    Parameters
    ----------
    score : array_like of any shape, real
        The larger, the likelier to be active.
    activity : array_like of the same shape, bool or 0/1
        The truth.
    false_alarm : float
        Largest share of the idle devices that may be called active.
    missed_detection : float
        Largest share of the active devices that may be called idle. Exactly one of the two must be given.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        For scores that are not finite reals, activities that are not 0 or 1, different shapes, no entry; for rates
        outside [0, 1], both or none of them, and where there is no device that the rate could be of.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.threshold_at([0.9, 0.2, 0.6, 0.1], [True, False, False, False], false_alarm=0.4)
    0.4
    """
    threshold, missed, alarms = operating_points(score, activity)
    match false_alarm, missed_detection:
        case (_, None) if false_alarm is not None:
            rate = as_scalar("false_alarm", false_alarm, UNIT_INTERVAL)
            return float(threshold[np.flatnonzero(_shares("idle", alarms, alarms[-1]) <= rate)[-1]])
        case (None, _) if missed_detection is not None:
            rate = as_scalar("missed_detection", missed_detection, UNIT_INTERVAL)
            return float(threshold[np.flatnonzero(_shares("active", missed, missed[0]) <= rate)[0]])
    raise ValueError("exactly one of false_alarm and missed_detection must be given")


def equal_error(score: ArrayLike, activity: ArrayLike) -> EqualError:
    """Return the threshold at which the larger of missed detection and false alarm is least, and that rate.

    Parameters
    ----------
    score : array_like of any shape, real
        The larger, the likelier to be active.
    activity : array_like of the same shape, bool or 0/1
        The truth.

    Returns
    -------
    EqualError
        ``threshold`` and ``rate``. Both kinds of error are at most ``rate``, and equal to it up to one device.

    Raises
    ------
    TypeError, ValueError
        As :func:`best_threshold`, and unless there is both an active and an idle device.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.equal_error([4.0, 3.0, 2.0, 1.0], [True, False, True, False])
    EqualError(threshold=3.5, rate=0.5)
    """
    threshold, missed, alarms = operating_points(score, activity)
    larger = np.maximum(_shares("active", missed, missed[0]), _shares("idle", alarms, alarms[-1]))
    best = int(np.argmin(larger))
    return EqualError(float(threshold[best]), float(larger[best]))


def operating_points(
    score: ArrayLike, activity: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
    """Count the errors of every distinct decision rule "score > threshold".

    Returns
    -------
    threshold : ndarray of shape (K + 1,), real
        One threshold per rule, falling, for K distinct scores: none active first, all active last.
    missed, false_alarms : ndarray of shape (K + 1,), int64
        Active devices called idle, and idle devices called active.
    """
    values, truth = _as_scores(score), as_activity("activity", activity)
    if values.shape != truth.shape:
        raise ValueError(f"score and activity must have the same shape; got {values.shape} and {truth.shape}")
    order = np.argsort(-values, axis=None, kind="stable")
    falling, active = values.ravel()[order], truth.ravel()[order]
    last_of_tie = np.append(falling[1:] < falling[:-1], True)
    detected = np.append(0, np.cumsum(active)[last_of_tie])
    called_active = np.append(0, np.flatnonzero(last_of_tie) + 1)
    return _between(falling[last_of_tie]), detected[-1] - detected, called_active - detected


def as_activity(name: str, value: ArrayLike) -> NDArray[np.bool_]:
    """Return a non-empty array of decisions or of true activities, given as bool or as numbers 0 and 1."""
    array = as_regular(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be boolean; got dtype {array.dtype.name}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    activity = array.astype(np.bool_)
    if not np.array_equal(activity, array):
        other = array[array != activity].flat[0]
        raise ValueError(f"{name} must be boolean or hold only 0 and 1 (as score > threshold does); got {other:g}")
    return activity


def _shares(kind: str, errors: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    if total == 0:
        raise ValueError(f"activity must hold an {kind} device: the rate is not defined")
    return errors / total


def _as_scores(score: ArrayLike) -> NDArray[np.floating[Any]]:
    values = as_real("score", score, FINITE)
    dtype = np.asarray(score).dtype
    # A threshold computed in float64 could round onto a float32 score and decide it the other way.
    return values.astype(dtype) if dtype.kind == "f" else values


def _between(falling: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return a threshold on either side of, and midway between, distinct falling scores."""
    above, below = falling[:-1], falling[1:]
    midway = below / 2 + above / 2
    # Rounding may put the midpoint of close neighbours on the upper one.
    separating = np.where(midway < above, midway, below)
    return np.concatenate([falling[:1], separating, np.nextafter(falling[-1:], -np.inf, dtype=falling.dtype)])
