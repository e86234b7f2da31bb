"""Every solver with the arguments of its record, for the tests that hold for all of them."""

import pytest

import mmvsolvers as mmv
from mmvsolvers.registry import PROPERTIES

every_solver = pytest.mark.parametrize("name", mmv.SOLVERS)


def every_solver_with(prop):
    """Parametrise over the solvers that do not say in their record why they lack a property."""
    assert prop in PROPERTIES
    return pytest.mark.parametrize("name", [name for name, solver in mmv.SOLVERS.items() if prop not in solver.lacks])


def run(name, A, Y, **changes):
    """Run a solver with the arguments that its record gives as an example."""
    solver = mmv.SOLVERS[name]
    return solver.run(A, Y, **{**solver.example, **changes})


def run_precisely(name, A, Y, **changes):
    """Run a solver so that two ways to its answer can be compared."""
    return run(name, A, Y, **{**mmv.SOLVERS[name].precise_options, **changes})
