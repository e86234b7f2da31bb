"""Keep BLAS to one thread while numba runs over the problems of a batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Looking up the loaded libraries takes milliseconds: once. By then numba must have loaded SciPy's BLAS,
    # which is not NumPy's.
    import scipy.linalg.blas  # noqa: F401

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of the process to one thread: the parallel axis is the batch."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
