"""Pilot matrices: which sequences the devices send."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.coherence import spread_apart
from mmvsolvers.normal import complex_normal
from mmvsolvers.validation import as_choice, as_count, as_generator

PILOTS = ("gaussian", "unit_norm", "low_coherence", "qpsk")


def draw_pilots(rng: np.random.Generator, L: int, N: int, kind: str = "gaussian") -> NDArray[np.complex128]:
    """Draw a pilot matrix of shape (L, N).

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws; one of the same seed gives the same pilots.
    L, N : int
        Pilot length, number of devices.
    kind : {"gaussian", "unit_norm", "low_coherence", "qpsk"}, default "gaussian"
        "gaussian": i.i.d. CN(0, 1), so that ‖a_n‖² is L on average only. "unit_norm": the same, each column then
        scaled to ‖a_n‖ = √L, unit power per symbol. "low_coherence": the same again, then spread apart, see
        :func:`spread_apart`. "qpsk": independent entries (±1±j)/√2, each of the four equally often.

    Raises
    ------
    TypeError, ValueError
        For an ``rng`` that is not a Generator, counts that are not positive integers, an unknown ``kind``.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20, "unit_norm")
    >>> np.allclose(np.linalg.norm(A, axis=0) ** 2, 8)
    True
    """
    as_choice("kind", kind, PILOTS)
    shape = as_count("L", L), as_count("N", N)
    if kind == "qpsk":
        signs = 1.0 - 2.0 * as_generator(rng).integers(2, size=(2, *shape))
        return np.asarray(np.sqrt(0.5) * (signs[0] + 1j * signs[1]))
    A = complex_normal(as_generator(rng), shape)
    if kind != "gaussian":
        A *= np.sqrt(L) / np.linalg.norm(A, axis=0)
    return spread_apart(A).astype(A.dtype) if kind == "low_coherence" else A
