"""What must hold for every solver, whatever the data."""

import numba
import numpy as np
import pytest
from conftest import make_problem, relative_error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solver_cases import every_solver, every_solver_with
from solver_cases import run_precisely as run

import mmvsolvers as mmv

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning", "ignore::mmvsolvers.DivergenceWarning")

seeds = given(seed=st.integers(0, 10_000))
few = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def close(found, wanted, tolerance=1e-4):
    assert relative_error(found.score, wanted.score) < tolerance
    if wanted.X is not None:
        assert relative_error(found.X, wanted.X) < tolerance


@every_solver_with("permutation")
@few
@seeds
def test_permuting_devices_permutes_the_answer(name, seed):
    A, Y, _ = make_problem(30, 20, 4, seed=seed, p=0.1)
    order = np.random.default_rng(seed).permutation(30)
    plain, permuted = run(name, A, Y), run(name, np.ascontiguousarray(A[:, order]), Y)
    assert relative_error(permuted.score, plain.score[:, order]) < 1e-4
    if plain.X is not None:
        assert relative_error(permuted.X, plain.X[:, order]) < 1e-4


@every_solver_with("rotation")
@few
@seeds
def test_a_unitary_on_the_antennas_rotates_the_signals_alone(name, seed):
    A, Y, _ = make_problem(30, 20, 4, seed=seed, p=0.1)
    rng = np.random.default_rng(seed)
    unitary, _ = np.linalg.qr(rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)))
    plain, rotated = run(name, A, Y), run(name, A, Y @ unitary)
    assert relative_error(rotated.score, plain.score) < 1e-5
    if plain.X is not None:
        assert relative_error(rotated.X, plain.X @ unitary) < 1e-5


@every_solver_with("scaling")
@few
@given(seed=st.integers(0, 10_000), exponent=st.sampled_from([-20, -3, 5, 20]))
def test_scaling_the_signals_scales_the_answer(name, seed, exponent):
    A, Y, _ = make_problem(30, 20, 4, seed=seed, p=0.1)
    s = 2.0**exponent
    solver = mmv.SOLVERS[name]
    powers = dict(solver.powers)
    score_power = powers.pop("score")
    plain = run(name, A, Y)
    given = solver.example | dict(solver.precise_options)
    scaled = run(name, A, s * Y, **{key: given[key] * s**power for key, power in powers.items()})
    assert relative_error(scaled.score / s**score_power, plain.score) < 1e-6
    if plain.X is not None:
        assert relative_error(scaled.X / s, plain.X) < 1e-6


@pytest.mark.parametrize("name", [name for name, solver in mmv.SOLVERS.items() if not solver.required])
@pytest.mark.parametrize(("of_A", "of_Y"), [(8.0, 1.0), (1.0, 2.0**-9), (2.0**-6, 32.0)])
def test_default_rules_know_no_scale(name, of_A, of_Y):
    A, Y, _ = make_problem(30, 20, 4, p=0.1)
    solver = mmv.SOLVERS[name]
    plain, scaled = solver.run(A, Y), solver.run(of_A * A, of_Y * Y)
    power = solver.powers["score"] * np.log2(of_Y / of_A)
    assert relative_error(scaled.score / 2.0**power, plain.score) < 1e-9
    np.testing.assert_array_equal(scaled.n_iter, plain.n_iter)


@every_solver
@few
@seeds
def test_alone_in_a_batch_or_split_the_answer_is_the_same_to_the_bit(name, seed):
    A, Y, _ = make_problem(33, 12, 3, T=6, seed=seed)
    together = run(name, A, Y)
    stacked = run(name, A, Y.reshape(2, 3, 12, 3))
    np.testing.assert_array_equal(stacked.score.reshape(6, 33), together.score)
    assert stacked.objective.shape == stacked.n_iter.shape == (2, 3)
    for t in range(6):
        alone = run(name, A, Y[t])
        np.testing.assert_array_equal(alone.score, together.score[t])
        assert alone.objective == together.objective[t]
        assert alone.objective.shape == ()
        if alone.X is not None:
            np.testing.assert_array_equal(alone.X, together.X[t])


@every_solver
def test_the_number_of_threads_changes_nothing(name):
    A, Y, _ = make_problem(33, 12, 3, T=7)
    before = numba.get_num_threads()
    together = run(name, A, Y)
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(run(name, A, Y).score, together.score)
    finally:
        numba.set_num_threads(before)


@every_solver
@pytest.mark.parametrize(("N", "L", "M"), [(1, 1, 1), (1, 5, 2), (6, 1, 3), (8, 20, 1), (40, 3, 2)], ids=str)
def test_odd_shapes_are_solved(name, N, L, M):
    A, Y, _ = make_problem(N, L, M)
    found = run(name, A, Y)
    assert found.score.shape == (2, N)
    for figure in (found.score, found.objective, found.optimality):
        assert np.isfinite(figure).all()
    assert (found.score >= 0).all()


@every_solver_with("silence")
@pytest.mark.parametrize("tol", [0.0, 1e-4])
def test_silence_gives_silence(name, tol):
    A, Y, _ = make_problem(12, 6, 2)
    found = run(name, A, 0 * Y, tol=tol, max_iter=20)
    assert not found.score.any()
    assert found.X is None or not found.X.any()
    assert np.isfinite(found.objective).all()
    assert (found.optimality == 0).all()
    assert found.converged.all()


@every_solver_with("field")
def test_real_data_are_solved_by_the_same_formulas(name):
    A, Y, _ = make_problem(30, 20, 4, dtype=np.float64, p=0.1)
    close(run(name, A, Y), run(name, A + 0j, Y + 0j), 1e-7)
    assert run(name, A, Y).score.dtype == np.float64
