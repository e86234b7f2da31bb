"""Every wrong argument gets an error that names it."""

import inspect

import numpy as np
import pytest
from conftest import make_problem
from scipy import sparse
from solver_cases import every_solver
from solver_cases import run as run_solver

import mmvsolvers as mmv

A, Y, X = make_problem(6, 4, 2)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


DATA = {
    "A of one axis": (ValueError, r"A must have shape \(L, N\).*got \(4,\)", A[:, 0], Y),
    "A of three axes": (ValueError, r"A must have shape", A[None], Y),
    "no devices": (ValueError, r"A must have shape.*got \(4, 0\)", A[:, :0], Y),
    "no pilots": (ValueError, r"A must have shape.*got \(0, 6\)", A[:0], Y[:, :0]),
    "Y of one axis": (ValueError, r"Y must have shape \(\.\.\., 4, M\).*got \(4,\)", A, Y[0, :, 0]),
    "another L": (ValueError, r"Y must have shape.*got \(2, 3, 2\)", A, Y[:, :3]),
    "no antennas": (ValueError, r"Y must have shape.*got \(2, 4, 0\)", A, Y[:, :, :0]),
    "no problems": (ValueError, r"Y must have shape.*got \(0, 4, 2\)", A, Y[:0]),
    "NaN in A": (ValueError, "A must be finite; got 1 NaN", changed(A, (0, 0), np.nan), Y),
    "inf in A": (ValueError, "A must be finite", changed(A, (1, 2), np.inf), Y),
    "NaN in Y": (ValueError, "Y must be finite", A, changed(Y, (0, 0, 0), 1j * np.nan)),
    "inf in Y": (ValueError, "Y must be finite", A, changed(Y, (1, 3, 1), -np.inf)),
    "zero column": (
        ValueError,
        r"A must have no zero column; got zero column\(s\) \[2\]",
        changed(A, np.s_[:, 2], 0),
        Y,
    ),
    "integers": (TypeError, "A must have one of the dtypes float32.*got int64", np.ones((4, 6), np.int64), Y),
    "booleans": (TypeError, "Y must have one of the dtypes.*got bool", A, np.ones((4, 2), bool)),
    "objects": (TypeError, "A must have one of the dtypes.*got object", A.astype(object), Y),
    "half precision": (TypeError, "Y must have one of the dtypes.*got float16", A, Y.real.astype(np.float16)),
    "extended precision": (TypeError, "A must have one of the dtypes", A.astype(np.clongdouble), Y),
    "sparse": (TypeError, "A must be a dense array; got a sparse csr_array", sparse.csr_array(A), Y),
    "ragged": (ValueError, "A must be an array; got rows of different lengths", [[1.0, 2.0], [3.0]], Y),
    "masked": (TypeError, "Y must be a plain array; got a masked array", A, np.ma.masked_array(Y)),
}

REAL = {  # what no real hyper-parameter may be
    "complex": (TypeError, 1j),
    "text": (TypeError, "much"),
    "NaN": (ValueError, np.nan),
    "a wrong shape": (ValueError, np.full(5, 0.1)),
    "empty": (ValueError, np.zeros(0)),
}
OUT_OF_RANGE = {
    "noise_var": [0.0, -1.0, np.inf],
    "activity_prob": [0.0, 1.0, -0.1, 1.5],
    "channel_var": [0.0, -1.0, np.inf],
    "lam": [-1e-9, np.inf],
    "rho": [0.0, -1.0, np.inf],
    "damping": [0.0, 1.1, -0.5],
    "upper": [0.0, -1.0],
    "threshold": [-1.0, np.inf],
    "tol": [-1e-9, np.inf],
}
WORDS = {"onsager": ["scalar", 3], "column_scaling": ["none"], "damping": ["auto"], "rho": ["auto"]}
COUNTS = {"zero": (ValueError, 0), "a float": (TypeError, 2.5), "a flag": (TypeError, True), "text": (TypeError, "9")}


def cases():
    for name, solver in mmv.SOLVERS.items():
        for option in solver.options:
            if option in OUT_OF_RANGE:
                for value in OUT_OF_RANGE[option]:
                    if value != inspect.signature(solver.run).parameters[option].default:
                        yield name, option, value, ValueError
                for error, value in REAL.values():
                    yield name, option, value, ValueError if option in WORDS and isinstance(value, str) else error
            for value in WORDS.get(option, ()):
                yield name, option, value, ValueError
            if option == "max_iter":
                for error, value in COUNTS.values():
                    yield name, option, value, error


def run(name, A=A, Y=Y, **options):
    return run_solver(name, A, Y, **options)


@pytest.mark.parametrize("case", DATA)
@every_solver
def test_data(name, case):
    error, words, pilots, received = DATA[case]
    with pytest.raises(error, match=words):
        run(name, pilots, received)


@pytest.mark.parametrize(("name", "option", "value", "error"), list(cases()), ids=str)
def test_hyper_parameters(name, option, value, error):
    with pytest.raises(error, match=option):
        run(name, **{option: value})


def test_an_unbounded_objective_is_refused():
    with pytest.raises(ValueError, match=r"upper must be finite where activity_prob > 0\.5"):
        run("map_cd", activity_prob=0.7, upper=np.inf)


@pytest.mark.parametrize(
    ("start", "error", "words"),
    [
        (X[0], ValueError, r"X0 must have shape \(2, 6, 2\); got \(6, 2\)"),
        (changed(X, (0, 0, 0), np.nan), ValueError, "X0 must be finite"),
        (X.real.astype(int), TypeError, "X0 must have one of the dtypes"),
    ],
)
def test_start_points(start, error, words):
    with pytest.raises(error, match=words):
        mmv.group_lasso_bcd(A, Y, 1.0, X0=start)
    with pytest.raises(TypeError, match="X0 must be real where A and Y are"):
        mmv.group_lasso_bcd(A.real, Y.real, 1.0, X0=X)


@pytest.mark.parametrize(("name", "value"), [("n_lams", 1), ("ratio", 0.0), ("ratio", 1.0)])
def test_paths(name, value):
    with pytest.raises(ValueError, match=name):
        mmv.group_lasso_path(A, Y, **{name: value})


def test_objectives():
    with pytest.raises(ValueError, match=r"X must have shape \(2, 6, 2\)"):
        mmv.duality_gap(A, Y, X[0], 1.0)
    with pytest.raises(ValueError, match=r"gamma must have shape \(2, 6\)"):
        mmv.negative_log_likelihood(A, Y, 0.1, np.ones(6))
    with pytest.raises(ValueError, match="gamma must be real and non-negative"):
        mmv.negative_log_likelihood(A, Y, 0.1, -np.ones((2, 6)))
