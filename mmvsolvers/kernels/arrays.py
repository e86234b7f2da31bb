"""New arrays, and complex ones as real: Numba compiles functions of its own for each kind of these in every kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed, impl_ret_new_ref
from numba.core.typing.npydecl import parse_dtype, parse_shape
from numba.extending import lower_builtin, type_callable
from numba.np.arrayobj import _empty_nd_impl, make_array, populate_array


def empty(shape: Any, dtype: Any = np.float64) -> Any:
    """Return a new array of any content."""
    return np.empty(shape, dtype)


def zeros(shape: Any, dtype: Any = np.float64) -> Any:
    """Return a new array of zeros."""
    return np.zeros(shape, dtype)


def as_real(vector: Any) -> Any:
    """Return the real and imaginary parts of a contiguous vector of complex128, in turn; they are the same memory."""
    return vector.view(np.float64)


@type_callable(empty)
@type_callable(zeros)
def _type_new(context: Any) -> Callable[..., Any]:
    def typed(shape: Any, dtype: Any = None) -> Any:
        n_axes, entries = parse_shape(shape), types.float64 if dtype is None else parse_dtype(dtype)
        return None if n_axes is None or entries is None else types.Array(entries, n_axes, "C")

    return typed


@type_callable(as_real)
def _type_as_real(context: Any) -> Callable[[Any], Any]:
    def typed(vector: Any) -> Any:
        fits = isinstance(vector, types.Array) and (vector.ndim, vector.layout) == (1, "C")
        return types.Array(types.float64, 1, "C") if fits and vector.dtype == types.complex128 else None

    return typed


@lower_builtin(empty, types.Any)
@lower_builtin(empty, types.Any, types.Any)
def _lower_empty(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind: Any = signature.args[0]
    several = isinstance(kind, types.BaseTuple)
    sizes = cgutils.unpack_tuple(builder, arguments[0]) if several else arguments[:1]
    kinds = tuple(kind) if several else (kind,)
    shape = [context.cast(builder, size, one, types.intp) for size, one in zip(sizes, kinds, strict=True)]
    array = _empty_nd_impl(context, builder, signature.return_type, shape)
    return impl_ret_new_ref(context, builder, signature.return_type, array._getvalue())


@lower_builtin(zeros, types.Any)
@lower_builtin(zeros, types.Any, types.Any)
def _lower_zeros(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    value = _lower_empty(context, builder, signature, arguments)
    array = make_array(signature.return_type)(context, builder, value)
    cgutils.memset(builder, array.data, builder.mul(array.itemsize, array.nitems), 0)
    return value


@lower_builtin(as_real, types.Array)
def _lower_as_real(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    given = make_array(signature.args[0])(context, builder, arguments[0])
    found = make_array(signature.return_type)(context, builder)
    size, width = given.nitems, context.get_constant(types.intp, 8)
    populate_array(
        found,
        data=builder.bitcast(given.data, found.data.type),
        shape=[builder.add(size, size)],
        strides=[width],
        itemsize=width,
        meminfo=given.meminfo,
        parent=given.parent,
    )
    return impl_ret_borrowed(context, builder, signature.return_type, found._getvalue())
