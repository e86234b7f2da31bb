import sys
from itertools import islice
from pathlib import Path

import numpy as np
import oracles
import pytest
from conftest import make_problem, relative_error

sys.path.insert(0, str(Path(__file__).parent.parent))

import mmvsolvers as mmv
from bench import contests, race, scaling, speed
from bench.rivals import active_set_cd, projected_gradient
from bench.textbook import amp_mmse, covariance_lasso, group_lasso_admm, group_lasso_bcd, map_cd, ml_mmse

A, Y, _ = make_problem(20, 10, 3, T=1)
ROWS = np.ascontiguousarray(A.T)
SAMPLE = Y[0] @ Y[0].conj().T / 3
ALPHA = oracles.map_cd(A, Y[0], 0.1, 5)[0]
R = oracles.covariance_lasso(A, Y[0], 2.0, 5, 0.1)
VERSIONS = {
    "ml_cd": lambda: (map_cd.solve(ROWS, Y[0], 0.1, 0.0, 5), ALPHA),
    "map_cd": lambda: (
        map_cd.solve(ROWS, Y[0], 0.1, np.log(0.2 / 0.8) / 3, 5),
        oracles.map_cd(A, Y[0], 0.1, 5, activity_prob=0.2)[0],
    ),
    "ml_mmse": lambda: (
        ml_mmse.solve(ROWS, Y[0], 0.1, 0.3, 5),
        oracles.mmse_given_support(A, Y[0], 0.1, ALPHA > 0.3),
    ),
    "group_lasso_bcd": lambda: (group_lasso_bcd.solve(ROWS, Y[0], 2.0, 5), oracles.group_lasso_bcd(A, Y[0], 2.0, 5)),
    "group_lasso_admm": lambda: (
        group_lasso_admm.solve(A, Y[0], 2.0, 1.5, 5),
        oracles.group_lasso_admm(A, Y[0], 2.0, 1.5, 5),
    ),
    "amp_mmse": lambda: (amp_mmse.solve(A, Y[0], 0.2, 5), oracles.amp_mmse(A, Y[0], 0.2, 5)[0]),
    "covariance_lasso": lambda: (covariance_lasso.solve(A, Y[0], 0.1, 2.0, 5), R),
    "covariance_lasso with gradients": lambda: (covariance_lasso.solve_with_gradients(A, Y[0], 0.1, 2.0, 5), R),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_textbook_versions_are_the_textbook(name):
    found, wanted = VERSIONS[name]()
    assert relative_error(found, wanted) < 1e-9


def test_all_textbook_versions_compete():
    found = list(contests.contests(contests.scene(8, 5, 2)))
    assert {contest.name for contest in found} == {name.split()[0] for name in VERSIONS} <= set(mmv.SOLVERS)


def test_no_time_is_given_for_a_worse_answer():
    def case(answer):
        return "mine / other", lambda: answer, lambda: 1.0, float, 1e-6, 2.0

    assert speed.measured(case(1.1)) == ["mine / other", "", 2.0, "", "objective 1.1, not 1"]
    assert "objective nan" in speed.measured(case(np.nan))[-1]
    name, ratio, goal, mine, theirs = speed.measured(case(1.0))
    assert (name, goal, ratio) == ("mine / other", 2.0, theirs / mine)


def test_growth_is_the_slope_between_the_upper_points():
    sizes = scaling.AXES["N"][1]
    points = [
        {"solver": name, "axis": axis, axis: n, "seconds": n**2.0 if n >= values[-4] else 1.0, "mb": 3.0 * n}
        for axis, (_, values) in scaling.AXES.items()
        for n in values
        for name in mmv.SOLVERS
    ]
    for row in scaling.exponents(points):
        assert (row["seconds_exponent"], row["mb_exponent"], row["mb_ci95"]) == (2.0, 1.0, 0.0)
    assert scaling.exponents(points)[0]["from"] == sizes[-4]


@pytest.mark.parametrize(
    "iterates", [active_set_cd.iterates, projected_gradient.iterates, projected_gradient.scaled_iterates]
)
def test_published_rules_end_at_the_maximum_of_the_likelihood(iterates):
    gamma = next(islice(iterates(A, Y[0], 0.1), 1500, None))
    assert (gamma >= 0.0).all()
    assert oracles.largest_step(A, SAMPLE, 0.1, gamma, np.zeros(20), np.full(20, np.inf)) < 1e-4
    wanted = oracles.negative_log_likelihood(A, Y[0], 0.1, mmv.ml_cd(A, Y[0], 0.1, tol=1e-6).score)
    assert oracles.negative_log_likelihood(A, Y[0], 0.1, gamma) < wanted + 1e-6


def test_the_race_s_certificate_is_the_largest_coordinate_step():
    gamma = np.abs(ALPHA - 0.1)
    wanted = oracles.largest_step(A, SAMPLE, race.NOISE_VAR, gamma, np.zeros(20), np.full(20, np.inf))
    assert race.optimality(A, Y[0], gamma) == pytest.approx(wanted, rel=1e-9)


def test_the_race_names_what_ended_elsewhere_and_what_never_did():
    def row(seed, seconds, objective):
        return {"seed": seed, "s_0.0001": seconds, "objective": objective}

    reference = [row("0", "1.0", "-5.0"), row("1", "1.0", "-5.0"), row("2", "1.0", "-5.0")]
    rows = [row("0", "1.0", "-5.1"), row("1", "1.0", "-4.9"), row("2", "", "-4.0")]
    assert race.minima(rows, reference) == "lower: seed 0; higher: seed 1"
    assert race.minima(reference, reference) == ""
    assert race.milliseconds(race.seconds(rows, 1e-4)) == "1e+03 (1e+03…–)"
    assert race.milliseconds(race.seconds(rows[2:], 1e-4)) == "–"
