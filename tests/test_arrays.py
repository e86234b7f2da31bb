import numpy as np
import pytest

from mmvsolvers.kernels import arrays, inverses
from mmvsolvers.kernels.compiling import entry


@entry()
def new(like, L):
    return (
        arrays.zeros((2, *like.shape), like.dtype),
        arrays.zeros(L),
        arrays.zeros((L, 3), np.bool_),
        arrays.empty((L, like.shape[0]), np.int32),
    )


@entry()
def add_to_parts(vector, number):
    parts = arrays.as_real(vector[1:])
    for k in range(parts.size):
        parts[k] += number
    return parts


@entry()
def invert(matrix):
    return inverses.invert(matrix)


@pytest.mark.parametrize("dtype", [np.complex64, np.float64])
def test_new_arrays_have_the_shape_and_type_that_is_asked_for(dtype):
    like = np.ones((4, 2), dtype)
    found = new(like, 5)
    wanted = np.zeros((2, 4, 2), dtype), np.zeros(5), np.zeros((5, 3), bool)
    for one, other in zip(found, wanted, strict=False):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert (found[3].shape, found[3].dtype) == ((5, 4), np.int32)


def test_parts_of_complex_numbers_are_their_memory():
    vector = np.arange(3) * (1 + 2j)
    found = add_to_parts(vector, 1.0)
    np.testing.assert_array_equal(vector, [0, 2 + 3j, 3 + 5j])
    np.testing.assert_array_equal(found, [2, 3, 3, 5])


@pytest.mark.parametrize("L", [1, 2, 7, 40])
def test_inverse_and_determinant_are_those_of_numpy(L):
    rng = np.random.default_rng(L)
    matrix = rng.standard_normal((L, L)) + 1j * rng.standard_normal((L, L))
    given, wanted = matrix.copy(), np.linalg.slogdet(matrix)[1]
    assert invert(given) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(given @ matrix, np.eye(L), atol=1e-9)
