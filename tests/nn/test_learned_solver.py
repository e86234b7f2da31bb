import numpy as np
import pytest

from mmvsolvers import Scenario, SingleActiveGroup
from mmvsolvers.amp_mmse import amp_mmse
from mmvsolvers.group_lasso_admm import group_lasso_admm
from mmvsolvers.map_cd import map_cd
from mmvsolvers_nn.configuration import Architecture, Configuration, build
from mmvsolvers_nn.evaluation import LearnedSolver, compare_with_classical
from mmvsolvers_nn.schemes import SCHEMES

SCENARIO = Scenario(N=16, L=14, M=3, activity=SingleActiveGroup(0.125), noise_var=0.2)


def learned(scheme: str, **options) -> LearnedSolver:
    wanted = Configuration(scenario=SCENARIO, architecture=Architecture(scheme=scheme, **options))
    return LearnedSolver(build(wanted), wanted)


def data(solver: LearnedSolver, T: int = 30):
    return SCENARIO.draw(np.random.default_rng(1), T, pilots=solver.pilots, dtype=np.complex64)


def test_classical_solvers_repeat_the_decoder_with_what_it_exports():
    for scheme in ("group_lasso_nn", "amp_nn", "map_nn"):
        # no solver averages its iterates as AMP-NN does
        solver = learned(scheme, U=4, **({"averaged": False} if scheme == "amp_nn" else {}))
        test, exported = data(solver), solver.model.exported()
        if scheme == "map_nn":
            wanted = map_cd(exported["A"], test.Y, 0.2, exported["activity_prob"], max_iter=4, tol=0)
        elif scheme == "amp_nn":
            probability = exported["activity_prob"]
            wanted = amp_mmse(exported["A"], test.Y, probability, max_iter=4, tol=0)
        else:
            wanted = group_lasso_admm(exported["A"], test.Y, exported["lam"], rho=exported["rho"], max_iter=4, tol=0)
        found = solver.solve(test)
        assert np.sqrt(np.mean((found.score - wanted.score) ** 2)) <= 1e-3 * np.sqrt(np.mean(wanted.score**2)), scheme
        if wanted.X is not None:
            assert np.linalg.norm(found.X - wanted.X) <= 1e-3 * np.linalg.norm(wanted.X), scheme


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_learned_scheme_answers_like_a_solver(scheme):
    solver = learned(scheme, **({"U": 2} if "U" in SCHEMES[scheme].options else {}))
    result = solver.solve(data(solver, T=7))
    assert result.score.shape == (7, 16)
    assert (result.X is not None) == solver.recovers_signal
    assert result.converged.all()
    assert not result.diverged.any()


def test_data_received_over_other_pilots_is_refused():
    solver = learned("amp_nn", U=2)
    other = SCENARIO.draw(np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match="over the pilots that AMP-NN was trained with"):
        solver.solve(other)


def test_the_comparison_has_the_scheme_and_its_classical_solvers_over_both_kinds_of_pilots():
    solver = learned("map_nn", U=2)
    rows = list(compare_with_classical(solver, SCENARIO, n_train=50, n_test=40, n_draws=2, seed=0))
    assert [(row.label, row.pilots) for row in rows] == [
        ("MAP-NN", "learned"),
        ("ML", "learned"),
        ("ML", "Gaussian"),
        ("MAP", "learned"),
        ("MAP", "Gaussian"),
    ]
    assert [row.evaluation.error_rate.n for row in rows] == [40, 40, 2, 40, 2]
    assert all(0 <= float(row.evaluation.error_rate) < 0.3 for row in rows)


def test_no_row_is_better_than_the_optimum_over_the_same_pilots():
    solver = learned("coupled_mmse_nn", start="gaussian")
    rows = list(compare_with_classical(solver, SCENARIO, n_train=100, n_test=400, n_draws=1, seed=0, optimum=True))
    assert [(row.label, row.pilots) for row in rows[-2:]] == [("optimum", "learned"), ("optimum", "Gaussian")]
    assert rows[-1].told == ("the model",)
    best = {row.pilots: row.evaluation.mse for row in rows[-2:]}
    assert all(best[row.pilots].low < row.evaluation.mse.high for row in rows)
