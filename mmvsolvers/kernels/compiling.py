"""How all kernels are compiled."""

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with Numba at the first call and keep the result on disk, or in memory where no disk can be written.

    Division by zero gives inf or NaN, as in NumPy, and no exception: none may leave a parallel loop.
    """
    options = {"error_model": "numpy", **options}

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            # Numba found neither the package's folder nor the user's cache writable.
            return numba.njit(**options)(function)

    return compiled
