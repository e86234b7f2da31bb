"""Threads, forks and interrupts leave the process as it was, or say what to do."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from conftest import make_problem
from threadpoolctl import threadpool_info

import mmvsolvers as mmv
from mmvsolvers._blas import compiled_code, interrupts_deferred, on_threads, one_blas_thread, solve_in_parts

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


def test_every_python_thread_holds_the_blas_and_lets_go_of_it():
    with one_blas_thread():
        pass
    before = limits()
    found = []

    def work():
        with one_blas_thread():
            found.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert set(found) == {1}
    assert limits() == before


def test_an_exception_leaves_the_thread_limits():
    with one_blas_thread():
        pass
    before = limits()
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert limits() == before


@pytest.fixture
def heeded():
    """Python's own handler of Ctrl-C, which is not there where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_compiled_code(heeded):
    reached = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), compiled_code():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_ends_what_is_not_compiled_at_once_and_leaves_the_thread_limits(heeded):
    with one_blas_thread():
        pass
    before = limits()
    with pytest.raises(KeyboardInterrupt), one_blas_thread():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        pytest.fail("not interrupted")
    assert limits() == before


@linux
@pytest.mark.parametrize("parts", [1, 3])
def test_a_handler_that_does_not_raise_is_called_meanwhile_and_the_answer_is_whole(parts, monkeypatch):
    monkeypatch.setattr("mmvsolvers._blas._threads", lambda: parts)
    called = threading.Event()

    def work(part):
        if part.start == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return part, called.wait(60)

    before = signal.signal(signal.SIGINT, lambda number, frame: called.set())
    try:
        found = on_threads(work, slice(0, parts), np.inf)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [(slice(k, k + 1), True) for k in range(parts)]


@linux
def test_what_a_handler_raises_waits_for_the_threads(heeded, monkeypatch):
    monkeypatch.setattr("mmvsolvers._blas._threads", lambda: 2)
    done = []

    def work(part):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        done.append(part.start)

    with pytest.raises(KeyboardInterrupt):
        on_threads(work, slice(0, 2), np.inf)
    assert sorted(done) == [0, 1]


def test_where_a_batch_is_cut_does_not_matter(monkeypatch):
    A, Y, _ = make_problem(20, 8, 2, T=7)
    found = []
    for threads in (1, 3, 7):
        monkeypatch.setattr("mmvsolvers._blas._threads", lambda threads=threads: threads)
        parts = solve_in_parts(lambda part: (np.arange(7)[part], np.ones((7, 2))[part]), Y, 3, 1)
        np.testing.assert_array_equal(parts[0], np.arange(7))
        assert parts[1].shape == (7, 2)
        found.append((mmv.covariance_lasso(A, Y), mmv.ml_cd(A, Y, 0.1)))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one.score, same.score)
            np.testing.assert_array_equal(one.objective, same.objective)


def test_an_error_on_one_thread_reaches_the_caller():
    def work(part):
        if part.stop == 7:
            raise ArithmeticError("on the last part")

    with pytest.raises(ArithmeticError, match="on the last part"):
        on_threads(work, slice(0, 7), np.inf)


WHILE_LOADING = """
import signal, sys
import numpy as np, mmvsolvers as mmv
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "numba.core.types":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
A, Y = np.eye(3), np.ones((4, 3, 2))
try:
    mmv.ml_cd(A, Y[:{problems}], 0.1)
except KeyboardInterrupt:
    print("interrupted")
print(mmv.ml_cd(A, Y, 0.1).converged.all())
"""


@pytest.mark.parametrize("problems", [1, 4])
def test_an_interrupt_while_numba_is_loaded_leaves_a_library_that_solves(problems):
    done = python(WHILE_LOADING.format(problems=problems))
    assert done.stdout.split() == ["interrupted", "True"], done.stderr


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
@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_a_fork_after_a_solve_works(layer):
    assert "True" in python(FORK, NUMBA_THREADING_LAYER=layer).stdout


LAYERS = """
import multiprocessing, torch, mmvsolvers_nn.functional as F
A, Y = torch.eye(3, dtype=torch.complex128), torch.ones(4, 3, 2, dtype=torch.complex128)
def solve(_):
    return float(F.ml_cd(A, Y, 0.1, n_iter=2).score.sum())
if __name__ == "__main__":
    here = solve(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(solve, range(2)) == [here, here])
"""


@linux
def test_a_fork_after_layers_on_openmp_names_the_remedy():
    pytest.importorskip("torch")
    refused = python(LAYERS, NUMBA_THREADING_LAYER="omp")
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


AT_THE_END = """
import atexit, threading, time, numpy as np, mmvsolvers as mmv
A, Y = np.eye(3), np.ones((40, 3, 2))
def solve(**options):
    return mmv.group_lasso_admm(A, Y, 0.1, **options).score.sum()
wanted = solve()
def work():
    threading.main_thread().join()
    print(solve() == wanted, flush=True)
def work_for_good():
    solve(tol=0.0, max_iter=10**9)
    print("half made", flush=True)
atexit.register(lambda: print(solve() == wanted, flush=True))
threading.Thread(target=work).start()
threading.Thread(target=work_for_good, daemon=True).start()
time.sleep(0.2)
"""


def test_solves_while_python_ends_are_right_and_daemon_threads_do_not_keep_it():
    ran = python(AT_THE_END)
    assert (ran.stdout.split(), ran.returncode, ran.stderr) == (["True", "True"], 0, "")


@pytest.mark.filterwarnings("default")
def test_a_warning_points_at_the_users_line():
    A, Y, _ = make_problem(20, 8, 2)
    with pytest.warns(mmv.ConvergenceWarning) as direct:
        mmv.SOLVERS["group_lasso_bcd"].run(A, Y, 0.1, max_iter=1)
    with pytest.warns(mmv.ConvergenceWarning) as nested:
        mmv.ml_mmse(A, Y, 0.1, threshold=0.1, max_iter=1)
    assert {warning.filename for warning in (*direct, *nested)} == {__file__}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_a_call_warns_once(name):
    data = mmv.generate(
        np.random.default_rng(0), N=20, L=8, M=2, T=20, activity=mmv.IndependentActivity(0.2), noise_var=0.1
    )
    options = {"max_iter": 1, "tol": 1e-9} | ({"threshold": 0.1} if "threshold" in mmv.SOLVERS[name].needs else {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mmv.SOLVERS[name].solve(data, **options)
    assert len(caught) <= 1


def test_counts_have_64_bits():
    with pytest.raises(ValueError, match="max_iter must be at most 9223372036854775807"):
        mmv.group_lasso_bcd(np.eye(2), np.ones((2, 1)), 0.1, max_iter=10**20)
