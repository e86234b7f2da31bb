import numpy as np
import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main
from mmvsolvers.cli.compare import _sweeps
from mmvsolvers.cli.scenario_options import ScenarioOptions
from mmvsolvers.codec import to_json
from mmvsolvers.files import save_arrays
from mmvsolvers.sweep import grid

PAPERS = mmv.Scenario(N=100, L=12, M=4, activity=mmv.IndependentActivity(0.1, ratio=3), noise_var=0.1)
FENGLER = mmv.named_scenario("fengler2021").scenario
COMMANDS = ("compare", "roc", "plan")


@pytest.mark.parametrize(
    ("said", "scenario"),
    [
        ({}, PAPERS),
        ({"scenario": "fengler2021"}, FENGLER),
        ({"scenario": "cui2021-groups", "groups": 10}, {"activity": mmv.GroupActivity(0.1, 10)}),
        ({"activity": "groups"}, {"activity": mmv.GroupActivity(0.1, 20)}),
        ({"activity": "single-group", "p": 0.2}, {"activity": mmv.SingleActiveGroup(0.2)}),
        ({"p": 0.2, "ratio": 1.0}, {"activity": mmv.IndependentActivity(0.2)}),
        ({"activity": "FixedActivity(7)"}, {"activity": mmv.FixedActivity(7)}),
        ({"channel": "Rician(3.0)", "snr_db": 5.0}, {"channel": mmv.Rician(3.0), "noise_var": None, "snr_db": 5.0}),
        ({"correlation": 0.5, "M": 2, "L": "9"}, {"channel": mmv.Rayleigh(1.0, 0.5), "M": 2, "L": 9}),
        ({"pilots": "unit-norm", "N": 40, "noise_var": 1.0}, {"pilots": "unit_norm", "N": 40, "noise_var": 1.0}),
    ],
    ids=str,
)
def test_options_say_what_differs_from_the_named_scenario(said, scenario):
    from dataclasses import replace

    wanted = replace(PAPERS, **scenario) if isinstance(scenario, dict) else scenario
    assert ScenarioOptions(**said).build() == wanted


def test_the_average_activity_stays_where_only_the_case_changes():
    found = ScenarioOptions(scenario="fengler2021", activity="independent").build()
    assert found.activity == mmv.IndependentActivity(0.15, ratio=3)


def test_a_scenario_comes_from_a_file(tmp_path):
    (tmp_path / "mine.json").write_text(to_json(FENGLER))
    assert ScenarioOptions(scenario=str(tmp_path / "mine.json")).build() == FENGLER
    script = tmp_path / "scenario_of_mine.py"
    script.write_text("import mmvsolvers as mmv\nhere = mmv.named_scenario('fengler2021').scenario\nother = 3\n")
    assert ScenarioOptions(scenario=f"{script}:here", M=3).build().M == 3
    with pytest.raises(TypeError, match="must be a Scenario; got int"):
        ScenarioOptions(scenario=f"{script}:other").build()


def test_own_pilots_bring_their_sizes(tmp_path):
    A = mmv.draw_pilots(np.random.default_rng(0), 7, 20)
    save_arrays(tmp_path / "own.npz", {"A": A})
    found = ScenarioOptions(pilots=f"{tmp_path / 'own.npz'}:A").build()
    assert (found.L, found.N) == (7, 20)
    np.testing.assert_array_equal(found.pilots, A)
    (varied,) = grid(PAPERS, {"pilots": [A]})
    assert (varied.L, varied.N) == (7, 20)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"scenario": "fengler2012"}, "did you mean 'fengler2021'"),
        ({"scenario": "nowhere.json"}, "no such file: nowhere.json"),
        ({"scenario": "fengler2021", "p": 0.1}, "--activity-prob is nothing of the activity model FixedActivity"),
        ({"activity": "single-group", "ratio": 2.0}, "--ratio is nothing of the activity model SingleActiveGroup"),
        ({"channel": "Rician", "correlation": 0.1}, "--antenna-correlation is nothing of the channel model Rician"),
        ({"noise_var": 0.1, "snr_db": 3.0}, "--noise-var and --snr-db exclude each other"),
        ({"L": "8;9"}, "--pilot-lengths must be integers separated by commas; got '8;9'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(said, words):
    with pytest.raises((ValueError, OSError), match=words):
        ScenarioOptions(**said).build()


@pytest.mark.parametrize(
    ("said", "sweep", "wanted"),
    [
        ({}, [], {"L": [8, 12, 16, 20]}),
        ({"L": "8,8,9"}, [], {"L": [8, 9]}),
        ({"scenario": "fengler2021"}, [], {"L": [100]}),
        ({"scenario": "fengler2021"}, ["M"], {"M": [50, 100, 200, 300, 400]}),
        ({"scenario": "marata2024"}, ["K", "snr-db=0,10"], {"K": [10, 20, 30, 40, 50], "snr-db": [0, 10]}),
    ],
    ids=str,
)
def test_what_varies(said, sweep, wanted):
    options = ScenarioOptions(**said)
    scenario = options.build()
    assert _sweeps(options, scenario, sweep) == wanted
    assert len(grid(scenario, wanted)) == np.prod([len(values) for values in wanted.values()])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_all_options(command):
    shown = CliRunner().invoke(main, [command, "--help"], env={"COLUMNS": "200"}).stdout
    for flag in ("--scenario", "-N", "-M", "-p", "--activity", "--channel", "--pilots", "--snr-db", "--noise-var"):
        assert f"{flag} " in shown
    assert ("-L " in shown) == (command != "plan"), "which is what it looks for"


def test_a_command_goes_through_a_named_scenario(tmp_path):
    quick = ["--scenario", "cui2021-groups", "-N", "40", "--samples", "5", "--train-samples", "5", "--pilot-draws", "1"]
    done = CliRunner().invoke(main, ["compare", *quick, "-s", "ml_cd", "-o", str(tmp_path / "a.svg")])
    assert done.exit_code == 0, done.output
    assert "i.i.d. group activity p=0.1, G=20" in done.stdout
