import numpy as np
import pytest
from conftest import TOLERANCE, relative_error

from mmvsolvers.kernels import products
from mmvsolvers.kernels.compiling import entry


@entry()
def product(left, right):
    return products.matmul(left, right)


@entry()
def product_of_rows(left, right, chosen):
    result = np.empty((left.shape[1], right.shape[1]), left.dtype)
    products.product_of_rows(result, left, right, chosen)
    return result


def entries(rng, *shape, dtype):
    values = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return values.astype(dtype)


# products with a row, a column, a number, and with nothing, go different ways
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(3, 4, 5), (1, 4, 5), (3, 4, 1), (1, 4, 1), (3, 1, 5), (1, 1, 1), (3, 0, 5), (0, 4, 5), (3, 4, 0)]
)
def test_products_are_those_of_numpy(m, k, n, dtype):
    rng = np.random.default_rng((m, k, n))
    left, right = entries(rng, m, k, dtype=dtype), entries(rng, k, n, dtype=dtype)
    turned_left, turned_right = (np.ascontiguousarray(one.T).T for one in (left, right))
    for one, other in ((left, right), (turned_left, right), (left, turned_right), (turned_left, turned_right)):
        found = product(one, other)
        assert found.shape == (m, n)
        if found.size and k:
            assert relative_error(found, left @ right) < TOLERANCE[dtype]
        else:
            assert not found.any()


@pytest.mark.parametrize(("N", "n_chosen"), [(6, 2), (4000, 3), (4000, 4000), (6, 0), (4000, 0)])
def test_rows_that_are_left_out_contribute_nothing(N, n_chosen):
    rng = np.random.default_rng(N)
    left, right = entries(rng, N, 12, dtype=complex), np.zeros((N, 4), complex)
    chosen = np.sort(rng.permutation(N)[:n_chosen])
    right[chosen] = entries(rng, n_chosen, 4, dtype=complex)
    np.testing.assert_allclose(product_of_rows(left, right, chosen), left.T @ right, atol=1e-10)
