"""Which pilots suffice: the search, the two theories, and the command."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers import planning
from mmvsolvers.cli import main

SCENARIO = mmv.Scenario(N=40, L=8, M=8, activity=mmv.IndependentActivity(0.1), noise_var=0.1)
DEMAND = planning.Demand(scenario=SCENARIO, target_error=0.02)


@pytest.mark.parametrize("start", [1, 7, 23, 40, 90])
@pytest.mark.parametrize("least", [1, 2, 22, 40])
def test_the_search_finds_the_least_length(start, least):
    assert planning.shortest(lambda L: 1.0 - (least <= L), DEMAND, start) == least


def test_the_search_says_when_nothing_suffices():
    assert planning.shortest(lambda L: 1.0, DEMAND, 3) is None
    assert planning.shortest(lambda L: float(L < 30), DEMAND, 3, longest=20) is None


def test_the_error_of_amp_is_that_of_drawn_rows():
    rng = np.random.default_rng(0)
    course = mmv.state_evolution(N=40, L=12, M=8, noise_var=0.1, activity_prob=0.1, n_iter=200)
    active = rng.random(100_000) < 0.1
    variance = course.tau2[-1] + active
    power = variance * rng.gamma(8, size=active.size)
    threshold = mmv.best_threshold(power, active)
    found = np.mean((power > threshold) != active)
    assert planning.amp_error_rate(DEMAND, 12) == pytest.approx(found, abs=4 * np.sqrt(found / active.size) + 1e-5)


def test_the_theory_of_ml_gains_from_antennas():
    rates = [planning.ml_error_rate(replace(DEMAND, scenario=replace(SCENARIO, M=M)), 6) for M in (4, 16, 64)]
    assert rates[0] > 2 * rates[1] > 4 * rates[2]


def test_longer_pilots_suffice_for_fewer_errors():
    found = planning.plan(DEMAND, mmv.SOLVERS["ml_cd"])
    assert found.length is not None
    assert found.simulated[found.length].mean <= DEMAND.target_error
    assert found.simulated[found.length - 1].mean > DEMAND.target_error
    assert found.ml[found.ml_length] <= DEMAND.target_error < found.ml[found.ml_length - 1]
    assert found.amp[found.amp_length] <= DEMAND.target_error < found.amp[found.amp_length - 1]


def test_the_command_answers(tmp_path):
    figure = tmp_path / "plan.svg"
    scene = ["-N", "30", "-M", "8", "--target-error", "0.03", "--solver", "ml_cd", "--output", str(figure)]
    done = CliRunner().invoke(main, ["plan", *scene])
    assert done.exit_code == 0, done.output
    assert "ML, simulated: L = " in done.output
    assert figure.read_text().startswith("<?xml")
    assert CliRunner().invoke(main, ["plan", *scene]).exit_code == 1


def test_a_target_is_a_probability():
    with pytest.raises(ValueError, match="target_error must be strictly between 0 and 1; got 1"):
        replace(DEMAND, target_error=1.0)


@pytest.mark.parametrize(("N", "p"), [(40, 0.1), (1, 0.3), (10, 0.01), (100, 0.9)])
def test_activities_of_a_diagram_are_around_that_of_the_scenario(N, p):
    demand = replace(DEMAND, scenario=replace(SCENARIO, N=N, activity=mmv.IndependentActivity(p)))
    activities = demand.activities
    assert (np.diff(activities) >= 0).all()
    assert 0 < activities[0] <= p * (1 + 1e-12)
    assert p * (1 - 1e-12) <= activities[-1] < 1


def test_the_theory_knows_the_power_that_arrives():
    loud = replace(SCENARIO, channel=mmv.Rayleigh(4.0), noise_var=0.4)
    assert planning.Demand(scenario=loud, target_error=0.1).noise_var == pytest.approx(0.1)
    in_decibels = replace(SCENARIO, noise_var=None, snr_db=10)
    assert planning.Demand(scenario=in_decibels, target_error=0.1).noise_var == pytest.approx(0.1)


def test_pilots_of_one_length_cannot_be_planned():
    own = replace(SCENARIO, pilots=np.ones((8, 40)))
    with pytest.raises(ValueError, match="pilots must be of a kind"):
        planning.Demand(scenario=own, target_error=0.1)
