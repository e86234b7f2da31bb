from dataclasses import replace

import pytest

import mmvsolvers as mmv
from mmvsolvers.cli.parsing import own_object, sweep_of
from mmvsolvers.cli.scenario_options import ScenarioOptions
from mmvsolvers.comparison import title_of
from mmvsolvers.sweep import columns_of, grid, value_at, vary

SCENARIO = mmv.Scenario(N=20, L=6, M=2, activity=mmv.IndependentActivity(0.1, 3.0), noise_var=0.1)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("L", 8, replace(SCENARIO, L=8)),
        ("antennas", 8, replace(SCENARIO, M=8)),
        ("activity-prob", 0.2, replace(SCENARIO, activity=mmv.IndependentActivity(0.2, 3.0))),
        ("activity.ratio", 1.0, replace(SCENARIO, activity=mmv.IndependentActivity(0.1, 1.0))),
        ("antenna-correlation", 0.5, replace(SCENARIO, channel=mmv.Rayleigh(1.0, 0.5))),
        ("snr-db", 3.0, replace(SCENARIO, noise_var=None, snr_db=3.0)),
    ],
)
def test_anything_in_a_scenario_varies(name, value, wanted):
    assert vary(SCENARIO, name, value) == wanted
    assert value_at(wanted, name) == value


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'G' is nothing in the scenario; there are .*activity.p"):
        vary(SCENARIO, "G", 3)


def test_a_grid_is_the_product_with_the_last_fastest():
    found = grid(SCENARIO, {"snr-db": [0, 5], "L": [8, 12]})
    assert [(one.snr_db, one.L) for one in found] == [(0, 8), (0, 12), (5, 8), (5, 12)]
    assert title_of(found[0], ["snr-db", "L"]) == "N=20, M=2, independent activity p=0.1, p1/p2=3"


def test_tables_have_all_that_a_scenario_says():
    columns = columns_of(SCENARIO)
    assert columns["activity"] == "IndependentActivity"
    assert (columns["activity.p"], columns["activity.ratio"], columns["channel.antenna_correlation"]) == (0.1, 3.0, 0.0)


def test_own_classes_are_read_with_literals_only(tmp_path):
    (tmp_path / "chain_of_mine.py").write_text(
        "import mmvsolvers as mmv\nclass Mine(mmv.IndependentActivity):\n    pass\n"
    )
    found = ScenarioOptions(activity=f"{tmp_path}/chain_of_mine.py:Mine(p=0.2, ratio=2.0)").build().activity
    assert (type(found).__name__, found.p, found.ratio) == ("Mine", 0.2, 2.0)
    assert own_object("--channel", "Rayleigh(2.0)", mmv.ChannelModel) == mmv.Rayleigh(2.0)
    with pytest.raises(ValueError, match="--activity must be a name or Class"):
        ScenarioOptions(activity="IndependentActivity(p=open('x'))").build()
    with pytest.raises(ValueError, match="--activity must be one of independent, single-group, groups, or an own"):
        ScenarioOptions(activity="grups").build()


def test_sweeps_are_read():
    assert sweep_of("snr-db=0,5,5") == ("snr-db", [0, 5])
    with pytest.raises(ValueError, match="--sweep must be NAME=VALUE"):
        sweep_of("snr-db")
