"""How compiled kernels are launched: what threads the libraries underneath may use, and what may break in on them."""

import _signal  # type: ignore[import-not-found]  # signal's own functions spend 15 µs a launch on enums
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import LibController, ThreadpoolController, threadpool_limits

# A long batch is solved in parts of about so many seconds. The first has at most so many N·L·(L + M) in sum, or one
# problem a thread; a later one is at most so many times larger than the one before.
PART_SECONDS = 0.4
FIRST_PART = 10**5
LARGEST_GROWTH = 32


def _load_blas() -> None:
    """Load what numba computes products with, SciPy's BLAS: not NumPy's, and else loaded only at the first product."""
    import scipy.linalg.blas  # noqa: F401


@cache
def _libraries() -> list[LibController]:
    """Return what sets the threads of every BLAS: looking up the loaded libraries takes milliseconds."""
    _load_blas()
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


class _Launches:
    """What launches of kernels from several Python threads, and from forked processes, must know of each other."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.turn = threading.RLock()
        self.depth = 0
        self.limits: list[tuple[LibController, int]] = []
        self.layer: str | None = None
        self.orphaned = False
        self.workers: ThreadPoolExecutor | None = None
        self.n_workers = 0

    def pool(self, n_workers: int) -> ThreadPoolExecutor:
        """Return threads to compute on, at least so many."""
        with self.lock:
            if self.workers is None or self.n_workers < n_workers:
                # one that others still use ends when they are done with it
                self.workers = ThreadPoolExecutor(n_workers, "mmvsolvers")
                self.n_workers = n_workers
            return self.workers

    def hold_blas(self) -> None:
        """Hold every BLAS to one thread; the first of all that do finds the limits that the last one restores."""
        with self.lock:
            if self.depth == 0:
                threads = [(library, library.get_num_threads()) for library in _libraries()]
                self.limits = [(library, limit) for library, limit in threads if limit != 1]
                for library, _ in self.limits:
                    library.set_num_threads(1)
            self.depth += 1

    def release_blas(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                _restore(self.limits)

    def forked(self) -> None:
        """Begin anew in a forked child, whose parent's threads are gone."""
        held, limits, layer = self.depth > 0, self.limits, _layer()
        self.__init__()  # type: ignore[misc]
        self.orphaned = layer == "omp"
        if held:
            _restore(limits)


def _restore(limits: list[tuple[LibController, int]]) -> None:
    for library, limit in limits:
        library.set_num_threads(limit)


def _layer() -> str | None:
    """Return numba's threading layer, or None where nothing has run in parallel yet."""
    if _launches.layer is None and "numba" in sys.modules:
        from numba.np.ufunc.parallel import threading_layer

        with suppress(ValueError):
            _launches.layer = str(threading_layer())  # type: ignore[no-untyped-call]
    return _launches.layer


_launches = _Launches()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_launches.forked)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C wait until compiled code has returned: an exception that it raises within can end the process."""
    handler = _signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    pending: list[FrameType | None] = []
    _signal.signal(signal.SIGINT, lambda number, frame: pending.append(frame))
    try:
        yield
    finally:
        _signal.signal(signal.SIGINT, handler)
        if pending:
            handler(signal.SIGINT, pending[0])


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of the process to one thread."""
    held = False
    try:
        with interrupts_deferred():
            _launches.hold_blas()
            held = True
        yield
    finally:
        if held:
            with interrupts_deferred():
                _launches.release_blas()


@contextmanager
def compiled_code() -> Iterator[None]:
    """Run compiled code: every BLAS on one thread, Ctrl-C when it has returned."""
    with interrupts_deferred():
        _launches.hold_blas()
        try:
            yield
        finally:
            _launches.release_blas()


@contextmanager
def parallel_code() -> Iterator[None]:
    """Run compiled code that starts threads of numba's.

    Raises
    ------
    RuntimeError
        In a process forked from one in which OpenMP threads ran, where it would hang or abort.
    """
    if _launches.orphaned:
        raise RuntimeError(
            "mmvsolvers_nn cannot compute in a process that was forked after its parent computed: GNU OpenMP does not "
            "survive a fork. Start processes by multiprocessing's 'spawn' or 'forkserver' method or by loky, or set "
            "the environment variable NUMBA_THREADING_LAYER=workqueue before Python starts"
        )
    # OpenMP and TBB take launches from several threads at once; numba's own workqueue aborts.
    turn = nullcontext() if _layer() in ("omp", "tbb") else _launches.turn
    with compiled_code(), turn:
        yield


@contextmanager
def in_turn() -> Iterator[None]:
    """Let no other Python thread in: compiled code holds no lock, and may write what others read."""
    with _launches.turn:
        yield


def solve_in_parts(solve: Callable[[slice], tuple[NDArray[Any], ...]], Y: NDArray[Any], N: int) -> Any:
    """Solve the problems Y (T, L, M) of N devices part by part, each of a moment, so that Ctrl-C is soon answered.

    Problems of a batch get the bits that they would get alone, so that where a batch is cut does not matter. ``solve``
    takes the slice of a part and returns arrays with an axis of its problems in front; those of all problems are
    returned. The first part is one that is short in any case, the others are as long as the one before suggests.
    """
    T, L, M = Y.shape
    if T == 1:
        with compiled_code():
            return solve(slice(0, 1))
    found: list[tuple[NDArray[Any], ...]] = []
    start, size = 0, 0
    while start < T:
        threads = _threads()
        size = size or max(threads, FIRST_PART // (N * L * (L + M)))
        part = slice(start, min(start + size, T))
        begin = time.perf_counter()
        found += on_threads(solve, part)
        spent = time.perf_counter() - begin
        done = part.stop - start
        start = part.stop
        size = max(int(min(PART_SECONDS / max(spent, 1e-9), LARGEST_GROWTH) * done) // threads, 1) * threads
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def on_threads(work: Callable[[slice], Any], whole: slice) -> list[Any]:
    """Cut a slice into one for every thread and let compiled code, which holds no lock, work on them side by side.

    Returns what ``work`` returns, in the order of the slices.
    """
    count = whole.stop - whole.start
    n_parts = min(_threads(), count)
    cuts = [whole.start + count * k // n_parts for k in range(n_parts + 1)]
    with compiled_code():
        if n_parts == 1:
            return [work(whole)]
        return list(_launches.pool(n_parts).map(work, map(slice, cuts[:-1], cuts[1:])))


def _threads() -> int:
    # numba cannot be loaded a second time where Ctrl-C has broken into the first
    with interrupts_deferred():
        import numba

    return int(numba.get_num_threads())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, in every library: tasks side by side must not share cores."""
    import numba

    before = numba.get_num_threads()
    _load_blas()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(before)
