"""How all kernels are compiled, and where compiled code is kept."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache


@cache
def _digest(folder: Path) -> str:
    """Return a digest of all kernel sources that functions of a folder may be compiled from."""
    sources = sorted({*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")})
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


class KernelCache(FunctionCache):
    """Numba's cache on disk, as old as the youngest kernel source, and done without wherever it fails.

    Numba knows a function by its own file alone, while the code that it compiles takes in functions of other files.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        file = self._cache_file
        file._source_stamp = (file._source_stamp, _digest(Path(function.__code__.co_filename).parent))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return compiled code, or None where there is none or it cannot be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # Whatever a damaged file unpickles to: begin a new one.
            self._without_failing(self.flush)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code if the disk takes it."""
        self._without_failing(super().save_overload, sig, data)

    @staticmethod
    def _without_failing(action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception:
            # A full or read-only disk, another process's half-written index: the code stays in memory.
            return


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with Numba at the first call and keep the result on disk, or in memory where no disk can be written.

    Division by zero gives inf or NaN, as in NumPy, and no exception: none may leave a parallel loop.
    """
    options = {"error_model": "numpy", **options}

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        try:
            dispatcher._cache = KernelCache(function)
        except (RuntimeError, OSError):
            # Neither the package's folder nor the user's cache is writable, or no source is there to be read.
            return dispatcher
        return dispatcher

    return compiled
