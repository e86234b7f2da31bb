"""Products of matrices by BLAS, into arrays that are there.

Numba's ``np.dot`` checks shapes and allocates in two or three functions more for every order of entries; and what
calls it must count references.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable
from numba.np.arrayobj import make_array
from numba.np.linalg import call_xxgemm, call_xxgemv, ensure_blas

from mmvsolvers.kernels.arrays import empty
from mmvsolvers.kernels.compiling import njit
from mmvsolvers.kernels.shared import COUNTED, UNCOUNTED, gather_rows, subtract

# To copy an entry takes as long as so many multiplications of a product, and to begin, as so many more.
COPY, GATHERING = 4, 10_000


def blas_product(left: Any, right: Any, result: Any) -> None:
    """Set ``result`` to the product of a matrix with a matrix or a vector."""
    np.dot(left, right, result)


@type_callable(blas_product)
def _type_blas_product(context: Any) -> Callable[[Any, Any, Any], Any]:
    def typed(left: Any, right: Any, result: Any) -> Any:
        contiguous = left.layout in "CF" and right.layout in "CF" and result.layout == "C"
        return types.none if contiguous and left.dtype == right.dtype == result.dtype else None

    return typed


@lower_builtin(blas_product, types.Array, types.Array, types.Array)
def _lower_blas_product(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    ensure_blas()
    kinds = signature.args
    arrays = [make_array(kind)(context, builder, argument) for kind, argument in zip(kinds, arguments, strict=True)]
    left, right, result = ((cgutils.unpack_tuple(builder, array.shape), array.data) for array in arrays)

    def is_one(size: Any) -> Any:
        return builder.icmp_signed("==", size, context.get_constant(types.intp, 1))

    # a product with a vector is another routine's, a quicker one
    def with_column() -> None:
        call_xxgemv(context, builder, kinds[0].layout == "C", kinds[0], *left, right[1], result[1])

    if kinds[1].ndim == 1:
        with_column()
        return context.get_dummy_value()
    with builder.if_else(is_one(right[0][1])) as (one_column, more_columns):
        with one_column:
            with_column()
        with more_columns, builder.if_else(is_one(left[0][0])) as (one_row, more_rows):
            with one_row:
                call_xxgemv(context, builder, kinds[1].layout == "F", kinds[1], *right, left[1], result[1])
            with more_rows:
                call_xxgemm(context, builder, kinds[0], *left, kinds[1], *right, kinds[2], *result)
    return context.get_dummy_value()


@njit(**UNCOUNTED)
def matmul_into(result, left, right):
    """Set ``result`` (m, n), in C order, to the product of matrices (m, k) and (k, n), contiguous in either order."""
    if left.shape[1] == 0:
        for i in range(result.shape[0]):
            for j in range(result.shape[1]):
                result[i, j] = 0.0
    elif result.size > 0:
        blas_product(left, right, result)


@njit(**COUNTED)
def matmul(left, right):
    """Return the product of two matrices."""
    result = empty((left.shape[0], right.shape[1]), left.dtype)
    matmul_into(result, left, right)
    return result


@njit(**COUNTED)
def subtract_product(target, left, right):
    """Subtract the product of two matrices from ``target`` in place."""
    subtract(target, matmul(left, right))


@njit(**COUNTED)
def product_of_rows(result, left, right, chosen):
    """Set ``result`` to leftᵀ·right, to which no rows but the ``chosen`` ones contribute."""
    L, M = result.shape
    spared, copied = (left.shape[0] - chosen.size) * L * M, chosen.size * (L + M)
    if spared < COPY * copied + GATHERING:
        matmul_into(result, left.T, right)
    else:
        matmul_into(result, gather_rows(left, chosen).T, gather_rows(right, chosen))
