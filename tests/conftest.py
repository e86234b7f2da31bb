from importlib.util import find_spec

import numpy as np
import pytest

# How closely an answer in each precision follows the same recursion in plain double-precision NumPy.
TOLERANCE = {np.complex128: 1e-9, np.float64: 1e-9, np.complex64: 1e-3, np.float32: 1e-3}

# Whole folders and files of which each takes long even with compiled kernels: they start processes, train, interpret
# GPU kernels, or go through every solver. ``pytest -m "not slow"`` leaves them out.
SLOW = ("paper", "nn", "faults", "test_adapters", "test_bad_input", "test_bench", "test_cli_compare", "test_cli_roc")
SLOW += ("test_cli_scenario", "test_cli_solve", "test_cli_waiting", "test_compiling", "test_docstrings")
SLOW += ("test_documentation", "test_examples", "test_imports", "test_launches", "test_planning", "test_properties")
SLOW += ("test_starts", "test_stopping", "test_sweep", "test_units", "test_unknown_noise")


def pytest_collection_modifyitems(items):
    for item in items:
        if {*item.path.parts, item.path.stem} & {*SLOW}:
            item.add_marker(pytest.mark.slow)


def make_problem(N, L, M, T=2, *, p=0.2, noise_var=0.1, dtype=np.complex128, seed=0):
    """Return A (L, N), Y (T, L, M) and X (T, N, M) of an i.i.d. scenario; at least one device is active."""
    rng = np.random.default_rng((seed, N, L, M, T))

    def normal(*shape):
        parts = rng.standard_normal((2, *shape))
        return parts[0] if np.dtype(dtype).kind == "f" else (parts[0] + 1j * parts[1]) / np.sqrt(2)

    A = normal(L, N)
    active = rng.random((T, N)) < p
    active[:, 0] = True
    X = np.where(active[..., None], normal(T, N, M), 0)
    Y = A @ X + np.sqrt(noise_var) * normal(T, L, M)
    return A.astype(dtype), Y.astype(dtype), X.astype(dtype)


def relative_error(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    return np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), 1e-12)


def pytest_runtest_setup(item):
    """Skip what is marked ``needs("package")`` where there is no such package, and say which."""
    for marker in item.iter_markers("needs"):
        for package in marker.args:
            if find_spec(package) is None:
                pytest.skip(f"needs {package}, which is not installed")


@pytest.fixture
def problem():
    """A well-conditioned problem: N=40, L=20, M=6, three samples."""
    return make_problem(40, 20, 6, T=3, p=0.1)
