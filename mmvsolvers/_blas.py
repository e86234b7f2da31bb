"""How compiled kernels are launched: what threads the libraries underneath may use, and what may break in on them."""

import _signal  # type: ignore[import-not-found]  # signal's own functions spend 15 µs a launch on enums
import atexit
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from queue import SimpleQueue
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import LibController, ThreadpoolController, threadpool_limits

# What takes at most so many multiplications, half a second, is not worth another thread, which a busy machine may keep
# waiting for milliseconds.
BRIEF = 5 * 10**8
# The seconds between two looks at whether Ctrl-C has been pressed, while other threads compute.
PATIENCE = 0.05
# The seconds that Python's end waits for kernels to leave.
LAST_WAIT = 5.0


def _load_blas() -> None:
    """Load what numba computes products with, SciPy's BLAS: not NumPy's, and else loaded only at the first product."""
    import scipy.linalg.blas  # noqa: F401


@cache
def _libraries() -> list[LibController]:
    """Return what sets the threads of every BLAS: looking up the loaded libraries takes milliseconds."""
    _load_blas()
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


@dataclass(frozen=True, slots=True, eq=False)
class _Launch:
    """What is computed on other threads for one caller, and the number that tells kernels that nobody waits for it."""

    unwanted: ctypes.c_int = field(default_factory=ctypes.c_int)
    parts: list[Future[Any]] = field(default_factory=list)


class _Launches:
    """What launches of kernels from several Python threads, and from forked processes, must know of each other."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.turn = threading.RLock()
        self.depth = 0
        self.limits: list[tuple[LibController, int]] = []
        self.layer: str | None = None
        self.orphaned = False
        self.idle: list[SimpleQueue[Callable[[], None]]] = []
        self.running: set[_Launch] = set()

    def start(self, task: Callable[[], None]) -> None:
        """Run a task on an idle thread, or on a new one, so that no launch waits for another.

        The threads are daemons: those of `concurrent.futures` refuse work once the main thread has ended, while
        others still run, and let Python end only when they are done.
        """
        try:
            tasks = self.idle.pop()
        except IndexError:
            tasks = SimpleQueue()
            threading.Thread(target=self._serve, args=(tasks,), name="mmvsolvers", daemon=True).start()
        tasks.put(task)

    def _serve(self, tasks: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            tasks.get()()
            self.idle.append(tasks)

    def end(self) -> None:
        """Let what daemon threads still compute end before Python does."""
        running = list(self.running)
        for launch in running:
            launch.unwanted.value = 1
        wait([part for launch in running for part in launch.parts], LAST_WAIT)

    def hold_blas(self) -> None:
        """Hold every BLAS to one thread; the first of all that do finds the limits that the last one restores."""
        with self.lock:
            if self.depth == 0:
                threads = [(library, library.get_num_threads()) for library in _libraries()]
                self.limits = [(library, limit) for library, limit in threads if limit != 1]
                for library, _ in self.limits:
                    _limit(library, 1)
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
        _limit(library, limit)


def _limit(library: LibController, limit: int) -> None:
    # threadpoolctl obeys the thread that was first to set a limit, and silently no other; here they are counted
    getattr(library, "_real_set_num_threads", library.set_num_threads)(limit)


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
atexit.register(_launches.end)


@contextmanager
def interrupts_deferred() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until compiled code has returned: an exception that it raises within can end the process.

    Yields what answers it before, where an exception does no harm.
    """
    handler = _signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield lambda: None
        return
    pending: list[FrameType | None] = []

    def answer() -> None:
        if pending:
            frame = pending[0]
            pending.clear()
            handler(signal.SIGINT, frame)

    _signal.signal(signal.SIGINT, lambda number, frame: pending.append(frame))
    try:
        yield answer
    finally:
        _signal.signal(signal.SIGINT, handler)
        answer()


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
def compiled_code() -> Iterator[Callable[[], None]]:
    """Run compiled code: every BLAS on one thread, Ctrl-C when it has returned, or where what is yielded is called."""
    with interrupts_deferred() as answer:
        _launches.hold_blas()
        try:
            yield answer
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


def solve_in_parts(
    solve: Callable[[slice], tuple[NDArray[Any], ...]], Y: NDArray[Any], N: int, max_iter: int
) -> tuple[NDArray[Any], ...]:
    """Solve the problems Y (T, L, M) of N devices, a part of them on every thread.

    Problems of a batch get the bits that they would get alone, so that where a batch is cut does not matter. ``solve``
    takes the slice of a part and returns arrays with an axis of its problems in front; those of all problems are
    returned.
    """
    T, L, M = Y.shape
    found = on_threads(solve, slice(0, T), T * N * L * (L + M) * max_iter)
    return found[0] if len(found) == 1 else tuple(map(np.concatenate, zip(*found, strict=True)))


def on_threads(work: Callable[[slice], Any], whole: slice, cost: float) -> list[Any]:
    """Cut a slice into one for every thread and let compiled code, which holds no lock, work on them side by side.

    Returns what ``work`` returns, in the order of the slices. Kernels leave early where a signal's handler, such as
    that of Ctrl-C, raises meanwhile. Where there is one slice, and ``cost`` multiplications are soon made, no other
    thread is asked.
    """
    count = whole.stop - whole.start
    n_parts = min(_threads(), count) if count > 1 else 1
    cuts = [whole.start + count * k // n_parts for k in range(n_parts + 1)]
    with compiled_code() as answer:
        if n_parts == 1 and cost <= BRIEF:
            return [work(whole)]
        return _on_other_threads(work, list(map(slice, cuts[:-1], cuts[1:])), answer)


def _on_other_threads(work: Callable[[slice], Any], parts: list[slice], answer: Callable[[], None]) -> list[Any]:
    from mmvsolvers.kernels.interrupts import call_while_wanted

    def run(part: slice, answered: Future[Any]) -> None:
        try:
            answered.set_result(call_while_wanted(launch.unwanted, work, part))
        except BaseException as error:
            answered.set_exception(error)

    launch = _Launch()
    _launches.running.add(launch)
    try:
        for part in parts:
            answered: Future[Any] = Future()
            try:
                _launches.start(partial(run, part, answered))
            except RuntimeError:
                # no more threads can be started, as while Python ends
                run(part, answered)
            launch.parts.append(answered)
        while wait(launch.parts, PATIENCE).not_done:
            answer()
        if launch.unwanted.value:
            # Python ends, and this daemon thread with it
            raise SystemExit
    except BaseException:
        launch.unwanted.value = 1
        wait(launch.parts)
        raise
    finally:
        _launches.running.remove(launch)
    return [part.result() for part in launch.parts]


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
