"""In which order the axes of a user's arrays come, and how results get the same order."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is wrong in a layout's name is wrong in the arrays too: suggestions are looked for in these only.
_BATCHES = ("", "T", "ST")


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of A and Y, a letter each: L, N, M, and any others for the batch.

    Attributes
    ----------
    pilots, received : str
        Such as "LN" and "LMT".
    """

    pilots: str
    received: str

    @classmethod
    def of(cls, pilots: str, received: str | None, Y: NDArray[Any]) -> "Layout":
        """Return the layout that the options describe: the batch of Y comes first unless they say otherwise."""
        if received is None:
            if not 2 <= Y.ndim <= 3:
                raise ValueError(
                    f"Y has {Y.ndim} axes, {Y.shape}: say what they are with --received-axes, such as STLM"
                )
            received = "TLM"[3 - Y.ndim :]
        _check("--pilots-axes", pilots, "LN")
        _check("--received-axes", received, "".join(axis for axis in received if axis not in "LM") + "LM")
        return cls(pilots, received)

    @property
    def batch(self) -> str:
        """The letters of the batch, in order."""
        return "".join(axis for axis in self.received if axis not in "LM")

    @property
    def signals(self) -> str:
        """The axes of X: those of Y, N in the place of L."""
        return self.received.replace("L", "N")

    @property
    def scores(self) -> str:
        """The axes of what there is for each device: those of X without M."""
        return self.signals.replace("M", "")

    def standard(self, A: NDArray[Any], Y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return A and Y as the solvers take them, (L, N) and (..., L, M).

        Raises
        ------
        ValueError
            If they do not fit together in this layout; the message suggests one in which they do.
        """
        if not self._fits(A.shape, Y.shape):
            fitting = _fitting(A.shape, Y.shape)
            hint = f"; they would with {' or '.join(map(str, fitting))}" if fitting else ""
            raise ValueError(f"A of shape {A.shape} and Y of shape {Y.shape} do not fit together with {self}{hint}")
        return _ordered(A, self.pilots, "LN"), _ordered(Y, self.received, self.batch + "LM")

    def original(self, array: NDArray[Any], standard: str, axes: str) -> NDArray[Any]:
        """Return an array whose axes are called ``standard`` in the order ``axes``."""
        return _ordered(array, standard, axes)

    def describe(self, A: NDArray[Any], Y: NDArray[Any]) -> str:
        """Say how the arrays were understood."""
        return f"A {_named(self.pilots, A.shape)}, Y {_named(self.received, Y.shape)}"

    def _fits(self, pilots: tuple[int, ...], received: tuple[int, ...]) -> bool:
        if (len(pilots), len(received)) != (len(self.pilots), len(self.received)):
            return False
        return pilots[self.pilots.index("L")] == received[self.received.index("L")]

    def __str__(self) -> str:
        """Return the options that describe it."""
        return f"--pilots-axes {self.pilots} --received-axes {self.received}"


def _named(axes: str, shape: tuple[int, ...]) -> str:
    return f"({', '.join(axes)}) = {shape}"


def _check(option: str, axes: str, wanted: str) -> None:
    if sorted(axes) != sorted(wanted) or len(set(axes)) != len(axes):
        raise ValueError(f"{option} must be an order of {', '.join(wanted)}, each once; got {axes!r}")


def _ordered(array: NDArray[Any], axes: str, wanted: str) -> NDArray[Any]:
    return np.transpose(array, [axes.index(axis) for axis in wanted])


def _fitting(pilots: tuple[int, ...], received: tuple[int, ...]) -> list[Layout]:
    """Return the layouts that shapes fit, those with fewer pilots than devices first, three at most."""
    found = [
        Layout(first, "".join(order))
        for batch in _BATCHES
        for first in ("LN", "NL")
        for order in permutations(batch + "LM")
        if Layout(first, "".join(order))._fits(pilots, received)
    ]
    return sorted(found, key=lambda layout: pilots[layout.pilots.index("L")])[:3]
