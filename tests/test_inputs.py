"""What users hand over: their arrays stay as they are, and every layout works."""

import numpy as np
import pytest
from conftest import make_problem
from solver_cases import every_solver, run

import mmvsolvers as mmv

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning", "ignore::mmvsolvers.DivergenceWarning")


def layouts(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    locked = array.copy()
    locked.flags.writeable = False
    return {
        "Fortran order": np.asfortranarray(array),
        "every second entry": wide[..., ::2],
        "backwards": array[..., ::-1].copy()[..., ::-1],
        "read-only": locked,
        "big-endian": array.astype(array.dtype.newbyteorder(">")),
    }


@every_solver
def test_every_layout_gives_the_same_answer_and_stays_as_it_is(name):
    A, Y, _ = make_problem(20, 10, 3)
    wanted = run(name, A, Y)
    for layout, as_laid_out in layouts(A).items():
        received = layouts(Y)[layout]
        found = run(name, as_laid_out, received)
        np.testing.assert_array_equal(found.score, wanted.score, err_msg=layout)
        np.testing.assert_array_equal(as_laid_out, A)
        np.testing.assert_array_equal(received, Y)


def test_a_start_point_stays_as_it_is():
    A, Y, X = make_problem(20, 10, 3)
    start = X.copy()
    mmv.group_lasso_bcd(A, Y, 1.0, X0=start)
    np.testing.assert_array_equal(start, X)


@every_solver
@pytest.mark.parametrize(
    ("of_A", "of_Y", "wanted"),
    [
        (np.complex64, np.complex64, np.complex64),
        (np.float32, np.float32, np.float32),
        (np.complex64, np.complex128, np.complex128),
        (np.float32, np.complex64, np.complex64),
        (np.float64, np.complex64, np.complex128),
    ],
    ids=lambda dtype: dtype.__name__,
)
def test_precision_is_kept_and_mixed_types_are_promoted(name, of_A, of_Y, wanted):
    A, _, _ = make_problem(20, 10, 3, dtype=of_A)
    _, Y, _ = make_problem(20, 10, 3, dtype=of_Y)
    found = run(name, A, Y)
    real = np.dtype(wanted).type(0).real.dtype
    assert found.score.dtype == found.objective.dtype == found.optimality.dtype == real
    assert found.X is None or found.X.dtype == wanted


def test_lists_of_floats_are_arrays():
    found = mmv.group_lasso_bcd([[1.0, 0.0], [0.0, 1.0]], [[3.0], [0.5]], 1.0)
    np.testing.assert_allclose(found.X, [[2.0], [0.0]])
