"""How many threads the libraries underneath may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController, threadpool_limits


def _load_blas() -> None:
    """Load what numba computes products with, SciPy's BLAS: not NumPy's, and else loaded only at the first product."""
    import scipy.linalg.blas  # noqa: F401


@cache
def _controller() -> ThreadpoolController:
    # Looking up the loaded libraries takes milliseconds: once.
    _load_blas()
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of the process to one thread while numba runs over the problems of a batch."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


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
