"""Ctrl-C ends one long problem of every family, and leaves a process that solves as a fresh one does."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import make_problem

import mmvsolvers as mmv
from mmvsolvers.kernels.interrupts import call_while_wanted

PRIOR = {"noise_var": 0.1, "activity_prob": 0.1}
LASSO = {"lam": 2.0}
PAIRS = {"groups": np.arange(60) // 2}
# to a tolerance of zero, every solver goes on until it has made max_iter iterations
ENDLESS = [
    ("ml_cd", {"noise_var": 0.1}),
    ("map_cd", {**PRIOR, "noise_var": "estimate"}),
    ("ml_psca", {"noise_var": 0.1}),
    ("gibbs", PRIOR),
    ("gibbs", PRIOR | PAIRS),
    ("m_sbl", {"noise_var": 0.1}),
    ("em_ep", {}),
    ("amp_mmse", {"activity_prob": 0.1}),
    ("covariance_lasso", LASSO),
    ("group_lasso_bcd", LASSO),
    ("group_lasso_bcd", LASSO | PAIRS),
    ("group_lasso_admm", LASSO),
    ("group_lasso_admm", LASSO | PAIRS),
]
# these may end by themselves
ENDING = [
    ("somp", {"noise_var": 0.0}),
    ("map_cd", PRIOR | PAIRS),
    ("map_cd", PRIOR | {"tol": 1e-9}),
    ("map_psca", PRIOR | {"tol": 1e-9}),
    ("em_ep", {"tol": 1e-9}),
    ("group_lasso_bcd", LASSO | {"tol": 1e-9}),
    ("group_lasso_bcd", LASSO | PAIRS | {"tol": 1e-9}),
    ("covariance_lasso", LASSO | {"tol": 1e-9}),
]


def problem():
    A, Y, _ = make_problem(60, 50, 3, T=1)
    return A, Y[0]


def solve(solver, options, max_iter):
    return getattr(mmv, solver)(*problem(), **{"max_iter": max_iter, "tol": 0.0, **options})


def digest(solver, options):
    result = solve(solver, options, 5)
    return hashlib.sha256(result.score.tobytes() + np.asarray(result.objective).tobytes()).hexdigest()


def interrupt_all():
    """Break in on every solver, and with another signal on the first; say what each finds afterwards."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for solver, options in ENDLESS:
        digest(solver, options)  # it may compile
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            solve(solver, options, 10**9)
        except KeyboardInterrupt:
            print(digest(solver, options), flush=True)

    def raise_timeout(number, frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, raise_timeout)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        solve(*ENDLESS[0], 10**9)
    except TimeoutError:
        print(digest(*ENDLESS[0]), flush=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals between processes")
def test_ctrl_c_and_other_signals_end_one_long_problem():
    done = subprocess.run(
        [sys.executable, "-c", "import test_interrupts; test_interrupts.interrupt_all()"],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=os.path.dirname(__file__),
    )
    assert done.stdout.split() == [digest(*case) for case in (*ENDLESS, ENDLESS[0])], done.stderr


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("solver", "options"), ENDING)
def test_a_kernel_that_nobody_waits_for_leaves_at_once(solver, options):
    wanted = solve(solver, options, 100)
    with ThreadPoolExecutor(1) as elsewhere:
        left = elsewhere.submit(call_while_wanted, ctypes.c_int(1), solve, solver, options, 100).result()
        again = elsewhere.submit(solve, solver, options, 100).result()
    assert not np.array_equal(left.score, wanted.score)
    np.testing.assert_array_equal(again.score, wanted.score)
    assert again.n_iter == wanted.n_iter
