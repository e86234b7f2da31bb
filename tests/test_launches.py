"""Threads, forks and interrupts leave the process as it was, or say what to do."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import make_problem
from threadpoolctl import threadpool_info

import mmvsolvers as mmv
from mmvsolvers._blas import interrupts_deferred, one_blas_thread

linux = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def limits():
    return {library["filepath"]: library["num_threads"] for library in threadpool_info()}


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_python_threads_agree_and_leave_the_thread_limits():
    A, Y, _ = make_problem(40, 12, 3, T=20)
    wanted = mmv.group_lasso_bcd(A, Y, 2.0).X
    before = limits()
    found = []

    def work():
        found.extend(np.array_equal(mmv.group_lasso_bcd(A, Y, 2.0).X, wanted) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80
    assert limits() == before


def test_an_exception_leaves_the_thread_limits():
    with one_blas_thread():
        pass
    before = limits()
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert limits() == before


def test_an_interrupt_waits_for_compiled_code():
    reached = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), one_blas_thread():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_users_own_is_called_afterwards():
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            assert not calls
        assert calls == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


FORK = """
import multiprocessing, numpy as np, mmvsolvers as mmv
A, Y = np.eye(3), np.ones((4, 3, 2))
def solve(_):
    return float(mmv.group_lasso_admm(A, Y, 0.1).score.sum())
if __name__ == "__main__":
    here = solve(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(solve, range(2)) == [here, here])
"""


@linux
def test_a_fork_after_a_solve_works_or_names_the_remedy():
    assert "True" in python(FORK, NUMBA_THREADING_LAYER="workqueue").stdout
    refused = python(FORK, NUMBA_THREADING_LAYER="omp")
    assert "NUMBA_THREADING_LAYER=workqueue" in refused.stderr
    assert "'spawn'" in refused.stderr


THREADS = """
import threading, numpy as np, mmvsolvers as mmv
A, Y = np.eye(3), np.ones((40, 3, 2))
def work():
    for _ in range(30):
        mmv.group_lasso_admm(A, Y, 0.1)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("done")
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_threads_do_not_abort_the_process(layer):
    ran = python(THREADS, NUMBA_THREADING_LAYER=layer)
    assert ran.stdout == "done\n", ran.stderr


@pytest.mark.filterwarnings("default")
def test_a_warning_points_at_the_users_line():
    A, Y, _ = make_problem(20, 8, 2)
    with pytest.warns(mmv.ConvergenceWarning) as direct:
        mmv.SOLVERS["group_lasso_bcd"].run(A, Y, 0.1, max_iter=1)
    with pytest.warns(mmv.ConvergenceWarning) as nested:
        mmv.ml_mmse(A, Y, 0.1, threshold=0.1, max_iter=1)
    assert {warning.filename for warning in (*direct, *nested)} == {__file__}


def test_counts_have_64_bits():
    with pytest.raises(ValueError, match="max_iter must be at most 9223372036854775807"):
        mmv.group_lasso_bcd(np.eye(2), np.ones((2, 1)), 0.1, max_iter=10**20)
