"""How good estimates and decisions are, each figure with its 95 % interval over the samples.

The samples, not the devices or antennas in them, are what is independent: every interval treats one sample as one
observation. It is conditional on whatever the samples share, such as the pilots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.thresholds import as_activity, operating_points
from mmvsolvers.validation import FINITE, UNIT_INTERVAL, as_array, as_real

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over samples and its 95 % confidence interval.

    Attributes
    ----------
    mean, low, high : float
        The estimate and the end points of the interval. One sample says nothing of the spread: its interval is
        unbounded, up to the limits of the quantity.
    n : int
        The number of samples.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> print(mmv.Estimate.of([0.9, 1.0, 1.1]))
    1.00 ± 0.25
    """

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: ArrayLike) -> Estimate:
        """Estimate the mean of independent samples, with Student's t interval.

        Raises
        ------
        TypeError, ValueError
            For values that are not finite reals.
        """
        samples = as_real("values", values, FINITE).ravel()
        return _ratio(samples, np.ones_like(samples))

    def __float__(self) -> float:
        """Return the mean."""
        return self.mean

    def __str__(self) -> str:
        """Return "mean ± half width", or "mean [low, high]" where the interval is lopsided."""
        below, above = self.mean - self.low, self.high - self.mean
        spec = _format_spec(max(below, above))
        if below == above or math.isclose(below, above, rel_tol=0.05):
            return f"{self.mean:{spec}} ± {above:{spec}}"
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


@dataclass(frozen=True, slots=True, eq=False)
class ROC:
    """The receiver operating characteristic: every trade between the two kinds of error.

    Attributes
    ----------
    threshold : ndarray of shape (K + 1,)
        Falling, one per distinct rule "score > threshold" for K distinct scores: none active first, all last.
    false_alarm : ndarray of shape (K + 1,)
        Share of the idle devices called active, rising from 0 to 1.
    missed_detection : ndarray of shape (K + 1,)
        Share of the active devices called idle, falling from 1 to 0.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> curve = mmv.roc([0.1, 0.8, 0.3, 0.9], [0, 1, 1, 0])
    >>> curve.false_alarm.tolist()
    [0.0, 0.5, 0.5, 0.5, 1.0]
    >>> curve.missed_detection.tolist()
    [1.0, 1.0, 0.5, 0.0, 0.0]
    >>> curve.auc
    0.5
    """

    threshold: NDArray[np.floating]
    false_alarm: NDArray[np.float64]
    missed_detection: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area under detection against false alarm: the chance that an active device outscores an idle one."""
        return float(np.trapezoid(1 - self.missed_detection, self.false_alarm))


def mse(X_hat: ArrayLike, X: ArrayLike) -> Estimate:
    """Mean squared error (1/(N T)) Σ_t ‖X_t − X̂_t‖²_F: per device, summed over the antennas.

    This is the figure of Cui, Li, Zhang, 2021, section V; it is not divided by M.

    Parameters
    ----------
    X_hat, X : array_like of shape (..., N, M)
        Estimates and truth; the leading axes are the samples.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not finite, differ in shape or lack an axis.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> X = np.ones((5, 4, 2))  # five samples, four devices, two antennas
    >>> mmv.mse(0.5 * X, X).mean
    0.5
    """
    return mse_of_errors(squared_errors(X_hat, X))


def squared_errors(X_hat: ArrayLike, X: ArrayLike) -> NDArray[np.float64]:
    """Return ‖X_t − X̂_t‖²_F/N of every sample, (T,); see :func:`mse`."""
    error, truth = _as_error_and_truth(X_hat, X)
    squared: NDArray[np.float64] = _energies(error) / truth.shape[-2]
    return squared


def mse_of_errors(squared: NDArray[np.float64]) -> Estimate:
    """Estimate the mean of non-negative samples, (T,)."""
    estimate = Estimate.of(squared)
    return replace(estimate, low=max(estimate.low, 0.0))


def nmse_db(X_hat: ArrayLike, X: ArrayLike) -> Estimate:
    """Normalised mean squared error 10 log₁₀(Σ_t ‖X_t − X̂_t‖²_F / Σ_t ‖X_t‖²_F), in dB.

    The ratio is that of the sums: samples without an active device count with their error. The interval is that of
    a ratio estimator, carried to the logarithm by the delta method.

    Parameters
    ----------
    X_hat, X : array_like of shape (..., N, M)
        Estimates and truth; the leading axes are the samples.

    Returns
    -------
    Estimate
        −∞ dB, without an interval, for estimates without error.

    Raises
    ------
    TypeError, ValueError
        For arrays that are not finite, differ in shape or lack an axis; where X is zero throughout.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> X = np.ones((5, 4, 2))
    >>> round(mmv.nmse_db(0.9 * X, X).mean, 3)
    -20.0
    """
    error, truth = _as_error_and_truth(X_hat, X)
    energy = _energies(truth)
    if not energy.any():
        raise ValueError("X must not be zero throughout: the normalised error is not defined")
    ratio = _ratio(_energies(error), energy)
    if ratio.mean == 0:
        return Estimate(-math.inf, -math.inf, -math.inf, ratio.n)
    decibels = 10 * math.log10(ratio.mean)
    half_width = 10 / math.log(10) * (ratio.high - ratio.mean) / ratio.mean
    return Estimate(decibels, decibels - half_width, decibels + half_width, ratio.n)


def error_rate(decision: ArrayLike, activity: ArrayLike) -> Estimate:
    """Share of wrong decisions, (1/(N T)) Σ_t ‖α_t − α̂_t‖₁.

    The interval is Student's t over the samples' rates, widened where errors are too rare for it: the upper end is
    at least the mean rate of the samples with errors (1 if there is none) times the Clopper–Pearson limit for the
    share of such samples. So no error in T samples still leaves about 3.7/T, which holds even if a sample, once
    wrong, is wrong everywhere. Rates near 1 are treated alike.

    Parameters
    ----------
    decision, activity : array_like of shape (..., N), bool or 0/1
        Decisions, such as ``score > threshold``, and truth; the leading axes are the samples.

    Raises
    ------
    TypeError, ValueError
        For entries other than 0 and 1 and different shapes.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.error_rate([[1, 0, 0, 1], [0, 0, 0, 0]], [[1, 0, 0, 0], [0, 0, 0, 1]]).mean
    0.25
    """
    called_active, active = _as_decisions(decision, activity)
    return _rate(called_active != active, np.ones_like(active))


def missed_detection(decision: ArrayLike, activity: ArrayLike) -> Estimate:
    """Share of the active devices that are called idle; interval as in :func:`error_rate`, for a ratio of sums.

    Parameters
    ----------
    decision, activity : array_like of shape (..., N), bool or 0/1
        Decisions, such as ``score > threshold``, and truth; the leading axes are the samples.

    Raises
    ------
    TypeError, ValueError
        For entries other than 0 and 1, different shapes, and where no device is active.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.missed_detection([[1, 0, 0, 1], [0, 0, 0, 0]], [[1, 1, 0, 0], [0, 0, 1, 1]]).mean
    0.75
    """
    called_active, active = _as_decisions(decision, activity)
    if not active.any():
        raise ValueError("activity must hold an active device: missed detection is not defined")
    return _rate(~called_active & active, active)


def false_alarm(decision: ArrayLike, activity: ArrayLike) -> Estimate:
    """Share of the idle devices that are called active; interval as in :func:`error_rate`, for a ratio of sums.

    Parameters
    ----------
    decision, activity : array_like of shape (..., N), bool or 0/1
        Decisions, such as ``score > threshold``, and truth; the leading axes are the samples.

    Raises
    ------
    TypeError, ValueError
        For entries other than 0 and 1, different shapes, and where no device is idle.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> mmv.false_alarm([[1, 0, 0, 1], [0, 0, 0, 0]], [[1, 0, 0, 0], [0, 0, 1, 1]]).mean
    0.2
    """
    called_active, active = _as_decisions(decision, activity)
    if active.all():
        raise ValueError("activity must hold an idle device: false alarm is not defined")
    return _rate(called_active & ~active, ~active)


def bayes_error(probability: ArrayLike) -> Estimate:
    """Share of wrong decisions to expect from posterior probabilities, mean min(P, 1 − P): without knowing the truth.

    Decisions are "P > ½". Of the exact posterior it is what no decoder undercuts; of a sampled one it is as good as the
    sampler, so compare it where ``gibbs`` says ``converged``.

    Parameters
    ----------
    probability : array_like of shape (..., N), real
        P(active) of every device, such as the ``score`` of ``gibbs`` or ``bayes``; the leading axes are the samples.

    Raises
    ------
    TypeError, ValueError
        For entries that are not real numbers in [0, 1].

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> round(mmv.bayes_error([[0.0, 0.9], [0.2, 1.0]]).mean, 3)
    0.075
    """
    P = as_real("probability", probability, UNIT_INTERVAL)
    if P.ndim == 0:
        raise ValueError("probability must have shape (..., N); got a scalar")
    estimate = Estimate.of(np.minimum(P, 1 - P).mean(axis=-1))
    return replace(estimate, low=max(estimate.low, 0.0), high=min(estimate.high, 0.5))


def roc(score: ArrayLike, activity: ArrayLike) -> ROC:
    """Return the exact receiver operating characteristic over the sorted scores.

    Parameters
    ----------
    score : array_like of any shape, real
        The larger, the likelier to be active.
    activity : array_like of the same shape, bool or 0/1
        The truth.

    Raises
    ------
    TypeError, ValueError
        For scores that are not finite reals, activities that are not 0 or 1, different shapes, and unless there is
        both an active and an idle device.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> curve = mmv.roc([0.1, 0.8, 0.3, 0.9], [0, 1, 0, 1])
    >>> curve.auc
    1.0
    >>> curve.false_alarm.tolist()
    [0.0, 0.0, 0.0, 0.5, 1.0]
    """
    threshold, missed, false_alarms = operating_points(score, activity)
    n_active, n_idle = missed[0], false_alarms[-1]
    if 0 in (n_active, n_idle):
        raise ValueError(f"activity must hold active and idle devices; got {n_active} active and {n_idle} idle")
    return ROC(threshold, false_alarms / n_idle, missed / n_active)


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> Estimate:
    """Estimate E u/E w from T pairs by Σu/Σw, with the t interval of the linearised residuals u − (Σu/Σw) w."""
    from scipy.special import stdtrit

    n = numerator.size
    ratio = float(numerator.sum() / denominator.sum())
    if n == 1:
        return Estimate(ratio, -math.inf, math.inf, 1)
    residual_spread = np.std(numerator - ratio * denominator, ddof=1)
    quantile = stdtrit(n - 1, (1 + CONFIDENCE) / 2)
    half_width = float(quantile * residual_spread / math.sqrt(n) / denominator.mean())
    return Estimate(ratio, ratio - half_width, ratio + half_width, n)


def _rate(wrong: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Estimate:
    """Estimate the share of ``wrong`` among ``counted`` decisions, both (..., N), with ``wrong`` ≤ ``counted``."""
    n_wrong, n_counted = (np.atleast_1d(flags.sum(axis=-1, dtype=np.float64)).ravel() for flags in (wrong, counted))
    return rate_of_counts(n_wrong, n_counted)


def rate_of_counts(n_wrong: NDArray[np.float64], n_counted: NDArray[np.float64]) -> Estimate:
    """Estimate the share of wrong decisions from the number of wrong ones and of all in every sample, (T,)."""
    estimate = _ratio(n_wrong, n_counted)
    high = max(estimate.high, _rare_limit(n_wrong, n_counted))
    low = min(estimate.low, 1 - _rare_limit(n_counted - n_wrong, n_counted))
    return Estimate(estimate.mean, max(low, 0.0), min(high, 1.0), estimate.n)


def _rare_limit(n_wrong: NDArray[np.float64], n_counted: NDArray[np.float64]) -> float:
    """Upper limit from the number of samples with an error: all that is known when hardly any has one."""
    hit = n_wrong > 0
    n_hit, n_samples = np.count_nonzero(hit), np.count_nonzero(n_counted)
    if n_hit == n_samples:
        return float(n_wrong.sum() / n_counted.sum())
    rate_if_hit = n_wrong[hit].sum() / n_counted[hit].sum() if n_hit else 1.0
    return float(rate_if_hit * exact_limits(int(n_hit), int(n_samples))[1])


def exact_limits(n_errors: int, n_samples: int, *, stopped: bool = False) -> tuple[float, float]:
    """Return Clopper and Pearson's limits for a share, or, where the last error ended the sampling, those given T."""
    from scipy.special import betaincinv

    tail, rest = (1 - CONFIDENCE) / 2, n_samples - n_errors
    low = float(betaincinv(n_errors, rest + 1, tail)) if n_errors else 0.0
    high = float(betaincinv(n_errors + (not stopped), rest, 1 - tail)) if rest else 1.0
    return low, high


def _as_error_and_truth(X_hat: ArrayLike, X: ArrayLike) -> tuple[NDArray[np.inexact], NDArray[np.inexact]]:
    estimate, truth = as_array("X_hat", X_hat), as_array("X", X)
    if estimate.shape != truth.shape or truth.ndim < 2 or 0 in truth.shape:
        raise ValueError(
            f"X_hat and X must have the same shape (..., N, M) with no empty axis; "
            f"got {estimate.shape} and {truth.shape}"
        )
    return estimate - truth, truth


def _energies(X: NDArray[np.inexact]) -> NDArray[np.float64]:
    """Squared Frobenius norm of every sample, (T,)."""
    energies = np.sum(np.abs(X) ** 2, axis=(-2, -1), dtype=np.float64)
    return np.atleast_1d(energies).ravel()


def _as_decisions(decision: ArrayLike, activity: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    called_active, active = as_activity("decision", decision), as_activity("activity", activity)
    if called_active.shape != active.shape or active.ndim == 0:
        raise ValueError(
            f"decision and activity must have the same shape (..., N); got {called_active.shape} and {active.shape}"
        )
    return called_active, active


def _format_spec(half_width: float) -> str:
    """Return a format that shows two digits of the half width, and the mean to the same place."""
    if not math.isfinite(half_width) or half_width == 0:
        return ".4g"
    decimals = max(1 - math.floor(math.log10(half_width)), 0)
    return f".{decimals}f" if decimals <= 6 else ".1e"
