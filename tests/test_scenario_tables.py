"""The committed tables of the named scenarios are whole, and of those scenarios."""

import csv
from pathlib import Path

import pytest

import mmvsolvers as mmv
from mmvsolvers.registry import find_solver

FOLDER = Path(__file__).parent.parent / "examples" / "scenarios"
MEASURED = [*mmv.named_scenarios(), "umi"]


@pytest.mark.parametrize("name", MEASURED)
def test_every_scenario_has_its_table_and_figure(name):
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (FOLDER / f"{name}.png").stat().st_size > 1000
    solvers = {row["solver"] for row in rows}
    assert len(solvers) >= 12
    points = {tuple(row[size] for size in ("N", "L", "M")) for row in rows}
    assert len(rows) == len(points) * len(solvers)
    for row in rows:
        assert row["scenario"] == name
        assert row["seed"] == "0"
        assert all(package in row["versions"] for package in ("Python", "mmvsolvers", "numpy", "numba"))
        for figure in ("mse", "error_rate", "missed_detection", "false_alarm"):
            if row[figure]:
                low, mean, high = (float(row[figure + end]) for end in ("_low", "", "_high"))
                assert 0 <= low <= mean <= high
        assert (row["mse"] != "") == find_solver(row["solver"]).recovers_signal


@pytest.mark.parametrize("name", mmv.named_scenarios())
def test_tables_are_of_the_sizes_that_they_say(name):
    scenario = mmv.named_scenario(name).scenario
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cut = {} if rows[0]["cut"] == "none" else dict(word.split("=") for word in rows[0]["cut"].split())
    varied = [size for size in ("L", "M") if len({row[size] for row in rows}) > 1]
    assert len(varied) == 1
    for row in rows:
        for size in ("N", "L", "M"):
            if size not in varied:
                assert row[size] == cut.get(size, str(getattr(scenario, size)))
        assert row["activity"] == type(scenario.activity).__name__
        assert row["channel"] == type(scenario.channel).__name__
