import inspect
from dataclasses import fields

import pytest

import mmvsolvers as mmv
from mmvsolvers.registry import find_solver


@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_one_name_on_every_floor(name):
    solver = mmv.SOLVERS[name]
    assert solver.name == name == solver.run.__name__
    assert solver.run is getattr(mmv, name)
    assert solver.run.__module__ == f"mmvsolvers.{name}"
    assert set(solver.required) <= set(solver.needs) <= set(solver.options)


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        mmv.SOLVERS["mine"] = mmv.SOLVERS["ml_cd"]


def test_data_know_all_that_solvers_need_but_the_threshold():
    known = {field.name for field in fields(mmv.MMVData)}
    assert {need for solver in mmv.SOLVERS.values() for need in solver.needs} - known == {"threshold"}


def test_a_mistyped_name_gets_a_suggestion():
    assert find_solver("ml_cd") is mmv.SOLVERS["ml_cd"]
    with pytest.raises(ValueError, match="no solver is called 'mlcd'; did you mean 'ml_cd'"):
        find_solver("mlcd")
    with pytest.raises(ValueError, match="there are group_lasso_bcd, "):
        find_solver("zzz")


@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_hyper_parameters_are_keyword_only(name):
    parameters = list(inspect.signature(mmv.SOLVERS[name].run).parameters.values())
    tuned = [p for p in parameters if p.name in ("max_iter", "tol", "damping", "rho", "threshold", "channel_var")]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in tuned)
