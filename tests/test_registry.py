import inspect
import sys
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from conftest import make_problem

import mmvsolvers as mmv
from mmvsolvers import registry
from mmvsolvers.registry import all_solvers, find_solver

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
    assert {"threshold", "groups"} >= set(registry.NEEDS) - known


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


@pytest.fixture
def own(monkeypatch):
    monkeypatch.setattr(registry._REGISTRY, "_solvers", dict(registry._REGISTRY._solvers))


def matched_filter(A, Y, noise_var, *, power=2):
    return np.linalg.norm(A.conj().T @ Y, axis=-1) ** power / noise_var


def test_a_users_function_becomes_a_solver(own):
    solver = mmv.register(matched_filter)
    assert mmv.SOLVERS["matched_filter"] is find_solver("matched_filter") is solver
    assert (solver.name, solver.label, solver.needs) == ("matched_filter", "matched_filter", ("noise_var",))
    assert (solver.options, solver.required) == (("noise_var", "power"), ("noise_var",))
    A, Y, _ = make_problem(8, 5, 2, dtype=np.complex64)
    found = solver.run(A, Y, 0.5)
    np.testing.assert_array_equal(found.score, matched_filter(A, Y, 0.5))
    assert found.X is None
    assert found.converged.all()
    with pytest.raises(ValueError, match="a solver is called 'matched_filter' already"):
        mmv.register(matched_filter)


def test_signals_are_scored_by_their_power(own):
    def pseudo_inverse(A, Y):
        return np.linalg.pinv(A) @ Y

    A, Y, _ = make_problem(8, 5, 2)
    found = mmv.register(pseudo_inverse).run(A, Y)
    np.testing.assert_allclose(found.score, (np.abs(found.X) ** 2).mean(axis=-1))


def test_a_solver_is_told_what_the_data_know(own):
    seen = {}

    def curious(A, Y, channel_var, *, activity_prob, groups=None, **rest):
        seen.update(channel_var=channel_var, activity_prob=activity_prob, groups=groups, rest=rest)
        return np.zeros((*Y.shape[:-2], A.shape[1]))

    data = mmv.generate(np.random.default_rng(0), N=8, L=5, M=2, T=3, noise_var=0.1, activity=mmv.GroupActivity(0.2, 4))
    mmv.register(curious).solve(data, activity_prob=0.5)
    assert seen["activity_prob"] == 0.5
    np.testing.assert_array_equal(seen["channel_var"], data.channel_var)
    assert seen["rest"] == {}


@pytest.mark.parametrize(
    ("solver", "error", "words"),
    [
        ("ml_cd", TypeError, r"a solver must be a Solver or a function f\(A, Y, ...\); got str"),
        (lambda A: A, TypeError, "must take A and Y; got a function of A"),
        (lambda A, Y: Y, ValueError, "name must be a word.*got '<lambda>'"),
        (registry.Solver(run=matched_filter, name="ml_cd"), ValueError, "called 'ml_cd' already"),
    ],
)
def test_what_is_no_solver_is_refused(own, solver, error, words):
    with pytest.raises(error, match=words):
        mmv.register(solver)


def test_a_record_says_what_cannot_be_known():
    with pytest.raises(ValueError, match=r"needs must be among noise_var.*needs much"):
        registry.Solver(run=matched_filter, needs=("much",))

    def demanding(A, Y, *, must):
        return None

    with pytest.raises(ValueError, match="demanding has arguments without a default that no data give: must"):
        registry.Solver(run=demanding)
    assert registry.Solver(run=demanding, example_options={"must": 1}).example == {"must": 1}


def test_an_answer_that_is_none_is_refused(own):
    def wrong(A, Y):
        return Y

    A, Y, _ = make_problem(8, 5, 2)
    with pytest.raises(TypeError, match=r"signals \(2, 8, 2\); wrong returned complex128\(2, 5, 2\)"):
        mmv.register(wrong).run(A, Y)


def test_installed_packages_bring_their_solvers(own, monkeypatch):
    class Entry(NamedTuple):
        name: str
        value: str

        def load(self):
            if self.name == "broken":
                raise ImportError("no module")
            return matched_filter

    monkeypatch.setattr(registry._REGISTRY, "_found_installed", False)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Entry("broken", "a:b"), Entry("mf", "c:d")])
    with pytest.warns(UserWarning, match="the solver broken of a:b cannot be loaded: no module"):
        assert "mf" in list(mmv.SOLVERS)
    assert mmv.SOLVERS["mf"].run is not None


def test_finds_a_solver_in_a_file(tmp_path):
    path = tmp_path / "found_in_a_file.py"
    path.write_text("def mine(A, Y):\n    return abs(Y).sum((-2, -1))[..., None] * abs(A[0])\n")
    assert find_solver(f"{path}:mine").name == "mine"
    del sys.modules["found_in_a_file"]


def test_the_readme_lists_what_the_records_say():
    table = README.split("| solver | estimates |")[1].split("\n\n")[0].splitlines()[2:]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    told = {"noise_var": "σ²", "activity_prob": "ε", "threshold": "threshold"}
    assert {name.strip("`") for name, *_ in lines} == set(mmv.SOLVERS)
    for name, estimates, known, reference in lines:
        solver = mmv.SOLVERS[name.strip("`")]
        assert (estimates, reference) == (solver.estimates, solver.reference)
        assert all(told[need] in known for need in solver.required)
        assert not any(word in known for need, word in told.items() if need not in solver.needs)


@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_every_solver_has_its_page_of_theory(name):
    assert any(f":func:`mmvsolvers.{name}`" in page.read_text() for page in (ROOT / "docs" / "theory").glob("*.rst"))


@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_a_record_names_what_its_function_takes(name):
    solver = mmv.SOLVERS[name]
    known = {*solver.options, "score"}
    assert {*solver.tuning, *solver.example, *solver.precise_options, *solver.powers} <= known
    assert set(solver.powers) <= {*solver.example, *solver.precise_options, "score"}
    assert set(solver.lacks) <= set(registry.PROPERTIES)
    assert "scaling" in solver.lacks or "score" in solver.powers


def test_variants_are_records_of_their_own():
    data = mmv.generate(
        np.random.default_rng(0), N=20, L=8, M=2, T=3, noise_var=0.1, activity=mmv.GroupActivity(0.2, 10)
    )
    told = find_solver("map_cd-groups")
    assert (told.name, told.label) == ("map_cd-groups", "MAP, groups")
    assert told.needs == (*mmv.SOLVERS["map_cd"].needs, "groups")
    wanted = mmv.map_cd(data.A, data.Y, data.noise_var, data.activity_prob, groups=data.groups)
    np.testing.assert_array_equal(told.solve(data).score, wanted.score)
    own = mmv.SOLVERS["group_lasso_bcd"].variant("own-weights")
    wanted = mmv.group_lasso_bcd(data.A, data.Y, weights="own", tol=1e-3)
    np.testing.assert_array_equal(own.solve(data, tol=1e-3).X, wanted.X)
    with pytest.raises(ValueError, match="map_cd has no variant 'trios'; it has groups"):
        find_solver("map_cd-trios")


def test_groups_are_told_only_where_there_are_groups():
    alone, together = ([solver.name for solver in all_solvers(groups)] for groups in (False, True))
    assert set(mmv.SOLVERS) < set(alone) < set(together)
    assert {"gibbs", "group_lasso_bcd-own-weights", "ml_cd-dense-start"} <= set(alone)
    assert set(together) - set(alone) == {
        f"{name}-groups" for name in ("amp_mmse", "gibbs", "group_lasso_admm", "group_lasso_bcd", "map_cd")
    }
