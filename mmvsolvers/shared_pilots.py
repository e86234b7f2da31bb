"""Pilots made for groups, shared or orthogonal: what knowing the groups is worth without any learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.map_cd import map_cd
from mmvsolvers.normal import complex_normal
from mmvsolvers.pilots import draw_pilots
from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.result import SolverResult
from mmvsolvers.validation import (
    POSITIVE,
    PROBABILITY,
    as_count,
    as_generator,
    as_labels,
    as_per_device,
    check_constant,
)


def draw_shared_pilots(
    rng: np.random.Generator, L: int, groups: ArrayLike, kind: str = "gaussian"
) -> NDArray[np.complex128]:
    """Draw a pilot matrix (L, N) in which all devices of a group have one pilot.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws; one of the same seed gives the same pilots.
    L : int
        Pilot length.
    groups : array_like of shape (N,), int
        Labels: the devices of a label are always active together.
    kind : {"gaussian", "unit_norm", "low_coherence"}, default "gaussian"
        How the groups' pilots are drawn; see :func:`draw_pilots`.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = mmv.draw_shared_pilots(np.random.default_rng(0), 4, groups=[0, 0, 1])
    >>> np.array_equal(A[:, 0], A[:, 1]), np.array_equal(A[:, 1], A[:, 2])
    (True, False)
    """
    label = as_labels(groups, as_count("the number of devices in groups", np.size(groups)))
    return draw_pilots(rng, L, int(label.max()) + 1, kind)[:, label]


def draw_orthogonal_pilots(rng: np.random.Generator, L: int, groups: ArrayLike) -> NDArray[np.complex128]:
    """Draw a pilot matrix (L, N) in which the pilots of a group's devices are orthogonal.

    Each group has a random orthonormal frame of its own, uniformly distributed, with columns of norm √L. Devices that
    are active together then do not disturb each other: where one group is active, whoever knows which estimates each
    channel as if the device were alone, while pilots of low coherence among all devices leave several times that error.

    Parameters
    ----------
    rng : numpy.random.Generator
    L : int
        Pilot length.
    groups : array_like of shape (N,), int
        Labels: the devices of a label are always active together. At most L have the same one.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = mmv.draw_orthogonal_pilots(np.random.default_rng(0), 4, [0, 0, 0, 1, 1])
    >>> np.allclose(A[:, :3].conj().T @ A[:, :3], 4 * np.eye(3))
    True
    """
    length = as_count("L", L)
    label = as_labels(groups, as_count("the number of devices in groups", np.size(groups)))
    largest = np.bincount(label).max()
    if largest > length:
        raise ValueError(f"groups must have at most L={length} devices each; got one of {largest}")
    A = np.empty((length, label.size), np.complex128)
    for members in (label == g for g in range(label.max() + 1)):
        frame, triangle = np.linalg.qr(complex_normal(as_generator(rng), (length, int(members.sum()))))
        # Uniform on the frames only without the phases that the decomposition chose.
        diagonal = np.diagonal(triangle)
        A[:, members] = np.sqrt(length) * frame * (diagonal / np.abs(diagonal))
    return A


def map_shared(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    activity_prob: ArrayLike,
    *,
    groups: ArrayLike,
    channel_var: ArrayLike = 1.0,
    **options: Any,
) -> SolverResult:
    """Detect groups that share a pilot, by ``map_cd`` over G virtual devices.

    Devices with one pilot a and independent channels of variances g_n add up to one device with that pilot and the
    variance Σ g_n: with independent Rayleigh fading this loses nothing. Their channels cannot be told apart, though:
    for channel estimation pilots must differ.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots, equal within every group.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    activity_prob : float or array_like of shape (N,)
        ε, the probability that a device's group is active, equal within every group.
    groups : array_like of shape (N,), int
        Labels: the devices of a label are always active together.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    **options
        Keyword arguments of ``map_cd``, of which ``upper``, ``gamma0`` and ``couplings`` are those of the groups, by
        rising label.

    Returns
    -------
    SolverResult
        That of ``map_cd`` over the groups, with the ``score`` of a group given to all its devices, (..., N).

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        As ``map_cd`` does.

    Examples
    --------
    >>> import numpy as np
    >>> import mmvsolvers as mmv
    >>> rng, activity = np.random.default_rng(0), mmv.GroupActivity(0.1, 20)
    >>> groups = np.arange(100) // 5
    >>> A = mmv.draw_shared_pilots(rng, 12, groups)
    >>> data = mmv.generate(rng, N=100, L=12, M=4, T=50, activity=activity, noise_var=0.1, pilots=A)
    >>> score = mmv.map_shared(data.A, data.Y, data.noise_var, data.activity_prob, groups=groups).score
    >>> bool(np.mean((score > 0.2) != data.activity) < 0.01)
    True
    """
    pilots = as_pilots("A", A)
    N = pilots.shape[1]
    label = as_labels(groups, N)
    _, first = np.unique(label, return_index=True)
    prob = as_per_device("activity_prob", activity_prob, N, PROBABILITY)
    gain = as_per_device("channel_var", channel_var, N, POSITIVE)
    check_constant("the pilots in A", pilots.T, label)
    check_constant("activity_prob", prob, label)
    found = map_cd(pilots[:, first], Y, noise_var, prob[first], channel_var=np.bincount(label, weights=gain), **options)
    return replace(found, score=found.score[..., label])
