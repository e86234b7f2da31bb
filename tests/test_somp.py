import numpy as np
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

SHAPES = [(33, 12, 3), (70, 24, 4), (5, 8, 2), (1, 4, 3), (12, 6, 1)]


def textbook(A, Y, n_atoms):
    """Least squares anew for every device that joins."""
    chosen, R = [], Y
    X = np.zeros((A.shape[1], Y.shape[1]), complex)
    for _ in range(n_atoms):
        power = np.linalg.norm(A.conj().T @ R, axis=1) / np.linalg.norm(A, axis=0)
        power[chosen] = -1
        chosen.append(int(power.argmax()))
        X[:] = 0
        X[chosen] = np.linalg.lstsq(A[:, chosen], Y, rcond=None)[0]
        R = Y - A @ X
    return X, R


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), SHAPES)
def test_chooses_as_the_textbook_does(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = mmv.somp(A, Y, max_iter=4, tol=0)
    for t in range(len(Y)):
        X, R = textbook(A.astype(complex), Y[t].astype(complex), min(4, N, L))
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
        assert found.objective[t] == pytest.approx(np.linalg.norm(R) ** 2, rel=TOLERANCE[dtype], abs=1e-5)
        power = np.linalg.norm(A.conj().T @ R, axis=1) / np.linalg.norm(A, axis=0) / np.linalg.norm(Y[t])
        assert found.optimality[t] == pytest.approx((power**2).max(), rel=TOLERANCE[dtype], abs=1e-9)
    assert found.X.dtype == dtype
    assert (found.n_iter == min(4, N, L)).all()
    np.testing.assert_allclose(found.score, (np.abs(found.X) ** 2).mean(axis=-1), rtol=1e-5)


def test_without_noise_it_finds_who_is_active():
    A, Y, X = make_problem(40, 20, 6, T=5, p=0.1, noise_var=0.0)
    found = mmv.somp(A, Y)
    assert found.converged.all()
    np.testing.assert_array_equal(found.score > 0, X.any(axis=-1))
    np.testing.assert_allclose(found.X, X, atol=1e-9)


def test_the_noise_ends_the_choice():
    A, Y, _ = make_problem(100, 40, 8, T=4, p=0.05)
    found = mmv.somp(A, Y, noise_var=0.1)
    floor = 0.1 * Y[0].size
    assert (found.objective <= floor).all()
    assert (found.optimality == 0).all()
    for t, n_iter in enumerate(found.n_iter):
        fewer = mmv.somp(A, Y[t], max_iter=int(n_iter) - 1, tol=0)
        assert fewer.objective > floor
    levels = np.array([0.1, 1.0, 10.0, 0.0])
    together = mmv.somp(A, Y, noise_var=levels)
    for t, level in enumerate(levels):
        np.testing.assert_array_equal(together.X[t], mmv.somp(A, Y[t], noise_var=level).X)


def test_the_residual_falls_with_every_device():
    A, Y, _ = make_problem(30, 10, 3)
    course = np.array([mmv.somp(A, Y, max_iter=k, tol=0).objective for k in range(1, 11)])
    assert (np.diff(course, axis=0) < 0).all()
    assert (course[-1] < 1e-20).all()


@pytest.mark.parametrize("dtype", [np.complex128, np.float32])
def test_a_pilot_that_two_devices_share_is_chosen_once(dtype):
    A = make_problem(6, 4, 2, dtype=dtype)[0]
    twice = np.concatenate([A[:, :2], 2 * A[:, :2]], axis=1)
    found = mmv.somp(twice, (A[:, :2] @ np.ones((2, 2))).astype(dtype), tol=0)
    assert found.n_iter == 2
    assert np.isfinite(found.X).all()


def test_says_when_more_devices_are_there(problem):
    A, Y, _ = problem
    with pytest.warns(mmv.ConvergenceWarning, match="somp: 3 of 3 problems"):
        found = mmv.somp(A, Y, noise_var=0.1, max_iter=1)
    assert not found.converged.any()
    assert (found.n_iter == 1).all()
