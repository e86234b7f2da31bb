"""Exponential and logarithm made of arithmetic, so that loops of them run in vector registers: NumPy's do not."""

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, type_callable

from mmvsolvers.kernels.compiling import njit

# A product may be added without being rounded.
FUSE = {"contract"}
MANTISSA = 52
ONE = np.int64(0x3FF0000000000000)
# The bits of √½, from which exponents are counted, and a number so large that its last bit stands for 1.
ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)
LARGE = 1.5 * 2.0**52
# 1/12!, …, 1/1!, 1/0!
INVERSE_FACTORIALS = tuple(1.0 / factorial(k) for k in range(12, -1, -1))
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


def bits(x: float) -> Any:
    """Return the bits of a double."""
    return np.float64(x).view(np.int64)


def from_bits(k: Any) -> Any:
    """Return the double of given bits."""
    return np.int64(k).view(np.float64)


@type_callable(bits)
def _type_bits(context: Any) -> Callable[[Any], Any]:
    return lambda x: types.int64 if x == types.float64 else None


@type_callable(from_bits)
def _type_from_bits(context: Any) -> Callable[[Any], Any]:
    return lambda k: types.float64 if k == types.int64 else None


@lower_builtin(bits, types.float64)
def _lower_bits(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(arguments[0], ir.IntType(64))


@lower_builtin(from_bits, types.int64)
def _lower_from_bits(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(arguments[0], ir.DoubleType())


@njit(fastmath=FUSE)
def exp(x):
    """Return eˣ, to rounding, for |x| ≤ 700, and e^±700 beyond."""
    x = min(max(x, -700.0), 700.0)
    shifted = x * (1.0 / np.log(2.0)) + LARGE
    r = (x - (shifted - LARGE) * LOG_2_HIGH) - (shifted - LARGE) * LOG_2_LOW
    series = 0.0
    for coefficient in INVERSE_FACTORIALS:
        series = series * r + coefficient
    return series * from_bits((bits(shifted) << MANTISSA) + ONE)


@njit(fastmath=FUSE)
def log(x):
    """Return log x, to rounding, of a positive normal number."""
    k = (bits(x) - ROOT_HALF) >> MANTISSA
    m = from_bits(bits(x) - (k << MANTISSA))
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = 1.0 / 19.0
    for odd in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        series = series * square + 1.0 / odd
    return k * np.log(2.0) + 2.0 * s * (1.0 + square * series)
