"""Monte Carlo until enough errors are seen: when to stop, and what may be concluded then."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.metrics import Estimate, exact_limits
from mmvsolvers.validation import as_count


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilErrors:
    """Stop at the sample that brings the number of samples with an error to ``n_errors``, or at ``max_samples``.

    How far an error rate is known then depends on the errors seen and hardly on the rate: 100 of them leave about
    ±20 %. Sampling until a number of events is inverse binomial sampling [1]_.

    Attributes
    ----------
    n_errors : int
        Samples with at least one wrong decision to wait for; at least 2, of which the last one only tells when to stop.
    max_samples : int
        Where the wait ends.

    Raises
    ------
    TypeError, ValueError
        For what are no such numbers.

    References
    ----------
    .. [1] J. B. S. Haldane, "On a method of estimating frequencies", Biometrika, 1945.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rule = mmv.UntilErrors(n_errors=2, max_samples=1000)
    >>> rule.end(np.array([False, True, False, False, True, False]))
    5
    """

    n_errors: int = 100
    max_samples: int = 1_000_000

    def __post_init__(self) -> None:
        """Reject what cannot be waited for."""
        as_count("max_samples", self.max_samples)
        if as_count("n_errors", self.n_errors) < 2:
            raise ValueError(f"n_errors must be at least 2, to leave an estimate; got {self.n_errors}")

    def end(self, wrong: NDArray[np.bool_]) -> int | None:
        """Return after how many of these samples, (T,), it stops; None if they are not enough."""
        places = np.flatnonzero(wrong[: self.max_samples])
        if places.size >= self.n_errors:
            return int(places[self.n_errors - 1]) + 1
        return self.max_samples if wrong.size >= self.max_samples else None


def share_with_errors(n_errors: int, n_samples: int, *, stopped: bool = False) -> Estimate:
    """Estimate the share of samples with an error, with an exact 95 % interval.

    Parameters
    ----------
    n_errors, n_samples : int
        Samples with an error, and all of them.
    stopped : bool, default False
        Whether the last error ended the sampling. The unbiased estimate then leaves out the sample that did,
        (r − 1)/(T − 1), and the interval is that of the negative binomial distribution of T. Otherwise the interval is
        Clopper and Pearson's. Both are of one family: where sampling ends at the r-th error or at a maximum,
        whichever comes first, the coverage is at least 95 % whatever the rate.

    Returns
    -------
    Estimate
    """
    low, high = exact_limits(n_errors, n_samples, stopped=stopped)
    mean = (n_errors - 1) / (n_samples - 1) if stopped else n_errors / n_samples
    return Estimate(mean, low, high, n_samples)


def rate_until(n_wrong: NDArray[Any], n_decisions: int) -> Estimate:
    """Estimate the share of wrong decisions from samples of which the last one, with its error, ended the sampling.

    The rate is the share of samples with an error times the mean rate of these; the two are independent, and their
    intervals are put together in the logarithm.

    Parameters
    ----------
    n_wrong : ndarray of shape (T,)
        Wrong decisions in every sample; positive in the last.
    n_decisions : int
        Decisions in a sample.
    """
    hit = n_wrong[n_wrong > 0] / n_decisions
    share, size = share_with_errors(hit.size, n_wrong.size, stopped=True), Estimate.of(hit)
    mean = float(n_wrong[:-1].mean() / n_decisions)
    size_low, size_high = max(size.low, 1 / n_decisions), min(size.high, 1.0)
    below = math.hypot(math.log(share.mean / share.low), math.log(size.mean / size_low))
    above = math.hypot(math.log(share.high / share.mean), math.log(size_high / size.mean))
    return Estimate(mean, mean * math.exp(-below), min(mean * math.exp(above), 1.0), n_wrong.size)
