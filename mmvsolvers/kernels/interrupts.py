"""Whether anybody still waits for what a kernel computes.

A thread says before it calls a kernel where a number lies that ceases to be zero once nobody does; every thread has a
place of its own for the address. Kernels look at the number every few milliseconds of work and then leave early: what
they return is garbage, and thrown away.
"""

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

Result = TypeVar("Result")

# Python's own storage by thread, which compiled code may read without Python's lock
_python = ctypes.pythonapi
_python.PyThread_tss_alloc.restype = ctypes.c_void_p
_python.PyThread_tss_create.argtypes = [ctypes.c_void_p]
_python.PyThread_tss_set.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
_key = _python.PyThread_tss_alloc()
if not _key or _python.PyThread_tss_create(_key):
    raise MemoryError("no storage by thread is left")
# compiled code from the disk finds it by name
binding.add_symbol("mmvsolvers_unwanted", _key)


def call_while_wanted(unwanted: ctypes.c_int, call: Callable[..., Result], *arguments: Any) -> Result:
    """Return ``call(*arguments)``, whose kernels leave early once ``unwanted`` is not zero."""
    _python.PyThread_tss_set(_key, ctypes.addressof(unwanted))
    try:
        return call(*arguments)
    finally:
        _python.PyThread_tss_set(_key, None)


def interrupted() -> bool:
    """Tell a kernel whether to leave. Where Python runs it instead of compiled code, it goes on."""
    return False


@type_callable(interrupted)
def _type_interrupted(context: Any) -> Callable[[], Any]:
    return lambda: types.boolean


@lower_builtin(interrupted)
def _lower_interrupted(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    module = builder.module
    number, place = ir.IntType(32), ir.IntType(8).as_pointer()
    key = module.globals.get("mmvsolvers_unwanted") or ir.GlobalVariable(module, ir.IntType(8), "mmvsolvers_unwanted")
    get = cgutils.get_or_insert_function(module, ir.FunctionType(place, [place]), "PyThread_tss_get")
    found = builder.bitcast(builder.call(get, [key]), number.as_pointer())
    told = cgutils.alloca_once_value(builder, cgutils.false_bit)
    with builder.if_then(cgutils.is_not_null(builder, found), likely=False):
        value = builder.load_atomic(found, "monotonic", 4)
        builder.store(builder.icmp_unsigned("!=", value, number(0)), told)
    return builder.load(told)
