"""Turning scores into decisions: every threshold that matters, and the best of them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.validation import FINITE, as_real


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
    >>> best_threshold([0.9, 0.2, 0.6, 0.1], [True, False, True, False])
    0.4
    """
    threshold, missed, false_alarms = operating_points(score, activity)
    return float(threshold[np.argmin(missed + false_alarms)])


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
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be boolean; got dtype {array.dtype.name}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    activity = array.astype(np.bool_)
    if not np.array_equal(activity, array):
        other = array[array != activity].flat[0]
        raise ValueError(f"{name} must be boolean or hold only 0 and 1 (as score > threshold does); got {other:g}")
    return activity


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
