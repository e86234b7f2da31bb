"""How all kernels are compiled, and where compiled code is kept."""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache


@cache
def _imported(source: Path) -> frozenset[Path]:
    """Return the kernel sources that a source imports: those beside it, or beside this file."""
    folders = (source.parent, Path(__file__).parent)
    names = [getattr(sys.modules.get(name), "__file__", None) for name in _imported_names(source)]
    files = [Path(name) for name in names if name]
    return frozenset(file for file in files if file.parent in folders and file.name != "__init__.py")


def _imported_names(source: Path) -> Iterator[str]:
    """Yield what the modules may be called that a source imports at its top."""
    for statement in ast.parse(source.read_bytes()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)


@cache
def _digest(source: Path) -> str:
    """Return a digest of all sources that functions of a source may be compiled from."""
    found, new = set(), {source}
    while new:
        found |= new
        new = {file for known in new for file in _imported(known)} - found
    # by folder too: files of the same name would come in the order of their hashes, another in every process
    parts = sorted((file.parts[-2:], file) for file in found)
    contents = ["/".join(name).encode() + b"\0" + file.read_bytes() for name, file in parts]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


class KernelCache(FunctionCache):
    """Numba's cache on disk, of the very sources that the code was made of, and done without wherever it fails.

    Numba knows a function by the time of its own file alone, while the code that it compiles takes in functions of
    other files, and a copy of a file has another time.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _digest(Path(function.__code__.co_filename))

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
