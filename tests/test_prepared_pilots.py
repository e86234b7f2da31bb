import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import TOLERANCE, make_problem
from solver_cases import every_solver, run

import mmvsolvers as mmv
from mmvsolvers._blas import solve_in_parts

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning", "ignore::mmvsolvers.DivergenceWarning")


def same(found, wanted):
    for field in ("X", "score", "objective", "optimality", "n_iter"):
        np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))


@every_solver
def test_every_answer_is_that_of_the_array_to_the_bit(name):
    A, Y, _ = make_problem(20, 10, 3, T=3)
    pilots = mmv.Pilots(A)
    for received in (Y, Y[0], Y, 1e3 * Y[1]):
        same(run(name, pilots, received), run(name, A, received))


@pytest.mark.parametrize("name", ["ml_cd", "covariance_lasso", "amp_mmse", "group_lasso_admm"])
def test_precisions_and_units_may_change_from_call_to_call(name):
    A, Y, _ = make_problem(20, 10, 3, dtype=np.float64)
    for scale in (1.0, 2.0**14):
        pilots = mmv.Pilots((scale * A).astype(np.float32))
        for dtype in TOLERANCE:
            received = Y.astype(dtype)
            same(run(name, pilots, received), run(name, np.asarray(pilots), received))


def test_channel_variances_and_groups_may_change_from_call_to_call():
    A, Y, _ = make_problem(20, 10, 3)
    pilots, variance = mmv.Pilots(A), np.linspace(0.5, 2, 20)
    for g in (variance, 1.0, 2 * variance, variance):
        same(mmv.map_cd(pilots, Y, 0.1, 0.1, channel_var=g), mmv.map_cd(A, Y, 0.1, 0.1, channel_var=g))
    for groups in (np.arange(20) // 2, np.arange(20) // 4, None):
        same(mmv.group_lasso_bcd(pilots, Y, groups=groups), mmv.group_lasso_bcd(A, Y, groups=groups))
    for weights in ("own", variance, None):
        same(mmv.group_lasso_admm(pilots, Y, weights=weights), mmv.group_lasso_admm(A, Y, weights=weights))


def test_functions_of_pilots_take_them_too():
    A, Y, _ = make_problem(20, 10, 3)
    pilots = mmv.Pilots(A)
    np.testing.assert_array_equal(mmv.lambda_max(pilots, Y), mmv.lambda_max(A, Y))
    assert mmv.coherence(pilots) == mmv.coherence(A)
    gamma = np.ones((2, 20))
    np.testing.assert_array_equal(
        mmv.negative_log_likelihood(pilots, Y, 0.1, gamma), mmv.negative_log_likelihood(A, Y, 0.1, gamma)
    )
    active = np.zeros((2, 20), bool)
    active[:, :3] = True
    np.testing.assert_array_equal(mmv.mmse_estimate(pilots, Y, 0.1, active), mmv.mmse_estimate(A, Y, 0.1, active))


def test_a_users_own_solver_gets_the_array():
    A, Y, _ = make_problem(20, 10, 3)
    own = mmv.Solver(run=lambda A, Y: None, name="other")
    assert own.name == "other"
    from mmvsolvers.registry import as_solver

    matched = as_solver(lambda A, Y: np.linalg.norm(A.conj().T @ Y, axis=-1), name="matched")
    np.testing.assert_array_equal(matched.run(mmv.Pilots(A), Y).score, matched.run(A, Y).score)


def test_what_is_no_pilot_matrix_is_refused_once_and_for_all():
    with pytest.raises(ValueError, match=r"A must have shape \(L, N\)"):
        mmv.Pilots(np.ones(3))
    with pytest.raises(ValueError, match="A must have no zero column"):
        mmv.Pilots(np.eye(3) * [1, 0, 1])
    with pytest.raises(ValueError, match=r"Y must have shape \(..., 10, M\)"):
        mmv.ml_cd(mmv.Pilots(make_problem(20, 10, 3)[0]), np.ones((11, 2)), 0.1)


def test_they_are_a_copy_that_nobody_changes():
    A, Y, _ = make_problem(20, 10, 3)
    pilots, wanted = mmv.Pilots(A), mmv.ml_cd(A, Y, 0.1)
    A *= 0
    same(mmv.ml_cd(pilots, Y, 0.1), wanted)
    view = np.asarray(pilots)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 0
    assert np.array(pilots).flags.writeable
    assert np.asarray(pilots, np.complex64).dtype == np.complex64
    swapped = mmv.Pilots(view.astype(">c16"))
    assert swapped.dtype == np.dtype("complex128")
    assert repr(swapped) == "Pilots(L=10, N=20, complex128)"


def test_what_is_known_of_them_is_made_once(monkeypatch):
    A, Y, _ = make_problem(20, 10, 3)
    pilots = mmv.Pilots(A)
    wanted = mmv.covariance_lasso(pilots, Y[0])
    made = len(pilots._kept)

    def fail(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("mmvsolvers.prepared_pilots.largest", fail)
    monkeypatch.setattr("mmvsolvers.validation.as_precise", fail)
    same(mmv.covariance_lasso(pilots, Y[0]), wanted)
    assert len(pilots._kept) == made


def test_threads_that_share_pilots_take_turns_while_these_still_learn(monkeypatch):
    """Compiled code holds no lock: nobody may read a row of the Gram matrix that another thread is writing."""
    A, Y, _ = make_problem(30, 10, 2, T=4)
    pilots, inside, most = mmv.Pilots(A), [], []

    def watched(*arguments):
        inside.append(None)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return solve_in_parts(*arguments)

    monkeypatch.setattr(sys.modules["mmvsolvers.covariance_lasso"], "solve_in_parts", watched)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda y: mmv.covariance_lasso(pilots, y).score, Y))
    np.testing.assert_array_equal(found, mmv.covariance_lasso(A, Y).score)
    assert max(most) == 1
