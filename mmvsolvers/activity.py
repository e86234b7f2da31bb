"""Who is active: models of the devices' activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.validation import POSITIVE, PROBABILITY, as_count, as_generator, as_group_size, as_scalar


@runtime_checkable
class ActivityModel(Protocol):
    """What a scenario asks of an activity model; write your own with these two methods.

    A model whose devices wake in groups may have a third, ``groups(N) -> ndarray of shape (N,), int``: the devices of a
    number are always active together. Solvers that know groups are told them.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> class OddDevices:
    ...     def draw(self, rng, N, T):
    ...         return np.tile(self.marginal(N) > 0, (T, 1))
    ...     def marginal(self, N):
    ...         return np.arange(N) % 2.0
    ...
    >>> isinstance(OddDevices(), mmv.ActivityModel)
    True
    """

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""


@dataclass(frozen=True, slots=True)
class IndependentActivity:
    """Devices that wake independently, the two halves of them with different probabilities.

    Devices 0 … N/2−1 are active with probability p₁ and the others with p₂, where (p₁ + p₂)/2 = p and
    p₁/p₂ = ratio (Cui, Li, Zhang, 2021, section V, "independent case").

    Parameters
    ----------
    p : float
        Average activity probability, in (0, 1).
    ratio : float, default 1
        p₁/p₂, positive. 1 makes all devices alike.

    Raises
    ------
    ValueError
        If p, p₁ or p₂ is outside (0, 1) or ``ratio`` is not positive; from the methods, if N is odd while
        ``ratio`` is not 1.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> activity = mmv.IndependentActivity(0.25, ratio=4)
    >>> activity.marginal(4).tolist()
    [0.4, 0.4, 0.1, 0.1]
    >>> activity.draw(np.random.default_rng(0), 4, 2).astype(int).tolist()
    [[0, 1, 1, 1], [0, 0, 0, 0]]
    """

    words: ClassVar[str] = "independent activity"
    symbols: ClassVar[Mapping[str, str]] = {"ratio": "p1/p2"}
    p: float
    ratio: float = 1.0

    def __post_init__(self) -> None:
        """Reject parameters that give no probabilities."""
        as_scalar("p", self.p, PROBABILITY)
        as_scalar("ratio", self.ratio, POSITIVE)
        if max(self._halves()) >= 1:
            raise ValueError(
                f"p={self.p:g} and ratio={self.ratio:g} make half of the devices active with probability "
                f"{max(self._halves()):g}; it must be below 1"
            )

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        return as_generator(rng).random((as_count("T", T), N)) < self.marginal(N)

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_count("N", N)
        if self.ratio == 1:
            return np.full(N, float(self.p))
        if N % 2:
            raise ValueError(f"N must be even where ratio parts the devices into two halves; got {N}")
        return np.repeat(self._halves(), N // 2)

    def _halves(self) -> tuple[float, float]:
        return 2 * self.p * self.ratio / (1 + self.ratio), 2 * self.p / (1 + self.ratio)


@dataclass(frozen=True, slots=True)
class SingleActiveGroup:
    """Exactly one of G = 1/p groups of N/G consecutive devices is active, each equally often.

    Cui, Li, Zhang, 2021, section V, "correlated case with a single active group".

    Parameters
    ----------
    p : float
        Activity probability of every device, one over an integer above 1.

    Raises
    ------
    ValueError
        If 1/p is not an integer above 1; from the methods, if G does not divide N.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> activity = mmv.SingleActiveGroup(0.5)
    >>> activity.draw(np.random.default_rng(0), 4, 2).astype(int).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """

    words: ClassVar[str] = "single active group"
    p: float

    def __post_init__(self) -> None:
        """Reject a p that gives no whole number of groups."""
        as_scalar("p", self.p, PROBABILITY)
        if abs(self.n_groups * self.p - 1) > 1e-9:
            raise ValueError(f"p must be 1/G for an integer number of groups G; got {self.p:g}, 1/p = {1 / self.p:g}")

    @property
    def n_groups(self) -> int:
        """G, the number of groups."""
        return round(1 / self.p)

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        group_of_device = self.groups(N)
        active_group = as_generator(rng).integers(self.n_groups, size=as_count("T", T))
        return np.asarray(group_of_device == active_group[:, np.newaxis])

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_group_size(N, self.n_groups)
        return np.full(N, 1 / self.n_groups)

    def groups(self, N: int) -> NDArray[np.int64]:
        """Return the number of each device's group, shape (N,)."""
        return np.arange(N) // as_group_size(N, self.n_groups)


@dataclass(frozen=True, slots=True)
class GroupActivity:
    """Groups of N/G consecutive devices, each group active or idle as a whole, independently.

    Cui, Li, Zhang, 2021, section V, "correlated case with i.i.d. group activity".

    Parameters
    ----------
    p : float
        Probability that a group is active, in (0, 1).
    n_groups : int
        G, the number of groups.

    Raises
    ------
    TypeError
        If ``n_groups`` is not an integer.
    ValueError
        If p is outside (0, 1) or ``n_groups`` is below 1; from the methods, if it does not divide N.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> activity = mmv.GroupActivity(0.3, n_groups=3)
    >>> activity.groups(6).tolist()
    [0, 0, 1, 1, 2, 2]
    >>> activity.draw(np.random.default_rng(1), 6, 2).astype(int).tolist()
    [[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]]
    """

    words: ClassVar[str] = "i.i.d. group activity"
    symbols: ClassVar[Mapping[str, str]] = {"n_groups": "G"}
    p: float
    n_groups: int

    def __post_init__(self) -> None:
        """Reject what is no probability and no count."""
        as_scalar("p", self.p, PROBABILITY)
        as_count("n_groups", self.n_groups)

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        group_of_device = self.groups(N)
        active_groups = as_generator(rng).random((as_count("T", T), self.n_groups)) < self.p
        return active_groups[:, group_of_device]

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability that each device is active, shape (N,)."""
        as_group_size(N, self.n_groups)
        return np.full(N, float(self.p))

    def groups(self, N: int) -> NDArray[np.int64]:
        """Return the number of each device's group, shape (N,)."""
        return np.arange(N) // as_group_size(N, self.n_groups)


@dataclass(frozen=True, slots=True)
class FixedActivity:
    """Exactly K of the N devices are active in every sample, every choice of K equally often.

    Parameters
    ----------
    n_active : int
        K, at least 1 and, as the methods check, below N.

    Raises
    ------
    TypeError
        If ``n_active`` is not an integer.
    ValueError
        If it is below 1; from the methods, if it is not below N.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> mmv.FixedActivity(3).draw(np.random.default_rng(0), N=10, T=2).sum(axis=1)
    array([3, 3])
    """

    words: ClassVar[str] = "fixed activity"
    symbols: ClassVar[Mapping[str, str]] = {"n_active": "K"}
    n_active: int

    def __post_init__(self) -> None:
        """Reject what is no count."""
        as_count("n_active", self.n_active)

    def draw(self, rng: np.random.Generator, N: int, T: int) -> NDArray[np.bool_]:
        """Draw the activity of N devices in T independent samples, shape (T, N)."""
        self._check(N)
        # The ranks of independent uniform numbers are a uniform permutation.
        ranks = np.argpartition(as_generator(rng).random((as_count("T", T), N)), self.n_active, axis=1)
        active = np.zeros((T, N), np.bool_)
        np.put_along_axis(active, ranks[:, : self.n_active], True, axis=1)
        return active

    def marginal(self, N: int) -> NDArray[np.float64]:
        """Return the probability K/N that each device is active, shape (N,)."""
        self._check(N)
        return np.full(N, self.n_active / N)

    def _check(self, N: int) -> None:
        if as_count("N", N) <= self.n_active:
            raise ValueError(f"N must be above the number of active devices, {self.n_active}; got {N}")
