"""The committed tables of the named scenarios are whole, and of those scenarios."""

import csv
import json
from pathlib import Path

import pytest

import mmvsolvers as mmv
from mmvsolvers.registry import find_solver

FOLDER = Path(__file__).parent.parent / "examples" / "scenarios"
MEASURED = [*mmv.named_scenarios(), "umi"]


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", MEASURED)
def test_every_scenario_has_its_table_and_figure(name):
    rows = rows_of(name)
    assert (FOLDER / f"{name}.png").stat().st_size > 1000
    solvers = {row["solver"] for row in rows}
    assert len(solvers) >= 12
    points = {tuple(row[size] for size in ("N", "L", "M")) for row in rows}
    assert len(rows) == len(points) * len(solvers)
    for row in rows:
        assert row["scenario"] == name
        assert row["seed"] == "0"
        assert json.loads(row["options"]) == {"tol": 1e-3, "max_iter": 100}
        assert all(package in row["versions"] for package in ("Python", "mmvsolvers", "numpy", "numba"))
        for figure in ("mse", "error_rate", "missed_detection", "false_alarm"):
            if row[figure]:
                low, mean, high = (float(row[figure + end]) for end in ("_low", "", "_high"))
                assert 0 <= low <= mean <= high
                assert figure == "mse" or high <= 1
        assert (row["mse"] != "") == find_solver(row["solver"]).recovers_signal


@pytest.mark.parametrize("name", mmv.named_scenarios())
def test_tables_are_of_the_sizes_that_they_say(name):
    scenario = mmv.named_scenario(name).scenario
    rows = rows_of(name)
    cut = {} if rows[0]["cut"] == "none" else dict(word.split("=") for word in rows[0]["cut"].split())
    varied = [size for size in ("L", "M") if len({row[size] for row in rows}) > 1]
    assert len(varied) == 1
    for row in rows:
        for size in ("N", "L", "M"):
            if size not in varied:
                assert row[size] == cut.get(size, str(getattr(scenario, size)))
        assert row["activity"] == type(scenario.activity).__name__
        assert row["channel"] == type(scenario.channel).__name__


def test_the_page_says_what_the_table_of_urban_micro_cells_says():
    found = {(row["solver"], row["L"]): row for row in rows_of("umi")}
    text = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    for figure, said in (("mse", "mean squared error is {} % above"), ("error_rate", "error rate {} %")):
        above = [float(found["em_ep", L][figure]) / float(found["gibbs", L][figure]) - 1 for L in ("8", "12", "16")]
        assert said.format("{:.0%}, {:.0%} and {:.0%}".format(*above).replace("%", "")) in text
    for L in ("8", "12", "16"):
        assert min((float(row["error_rate"]), name) for (name, at), row in found.items() if at == L)[1] == "gibbs"
