import numpy as np
import pytest

from mmvsolvers.kernels import elementary
from mmvsolvers.kernels.compiling import entry


@entry()
def exp_of_all(x):
    found = np.empty(x.size)
    for i in range(x.size):
        found[i] = elementary.exp(x[i])
    return found


@entry()
def log_of_all(x):
    found = np.empty(x.size)
    for i in range(x.size):
        found[i] = elementary.log(x[i])
    return found


def test_exp_is_exact_to_rounding():
    x = np.concatenate([np.linspace(-700, 700, 100_001), np.linspace(-1, 1, 100_001), [0.0, -0.0]])
    np.testing.assert_allclose(exp_of_all(x), np.exp(x), rtol=4 * np.finfo(float).eps)


def test_exp_neither_overflows_nor_vanishes():
    np.testing.assert_allclose(
        exp_of_all(np.array([-np.inf, -1e9, 1e9, np.inf])), np.exp([-700.0, -700.0, 700.0, 700.0]), rtol=1e-15
    )


def test_log_is_exact_to_rounding():
    x = np.concatenate(
        [np.geomspace(1e-300, 1e300, 100_001), np.linspace(0.5, 2, 100_001), 1 + np.geomspace(1e-15, 1e-3)]
    )
    np.testing.assert_allclose(log_of_all(x), np.log(x), rtol=4 * np.finfo(float).eps)


@pytest.mark.parametrize("x", [1.0, -2.5, 1e-300, np.pi])
def test_numbers_are_their_bits(x):
    assert elementary.from_bits(elementary.bits(x)) == x
