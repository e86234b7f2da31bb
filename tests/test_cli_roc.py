import csv

import numpy as np
import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main
from mmvsolvers.roc_curves import measure_curves
from mmvsolvers.scenario import Scenario

SCENARIO = Scenario(N=20, L=8, M=3, activity=mmv.IndependentActivity(0.2), noise_var=0.1)


def run(*arguments):
    quick = ["-N", "20", "-L", "8", "--samples", "20", "--pilot-draws", "2", "-s", "ml_cd", "-s", "ml_mmse"]
    return CliRunner().invoke(main, ["roc", *quick, *map(str, arguments)])


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_draws_and_writes_the_curves(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    done = run("--output", path)
    assert done.exit_code == 0, done.output
    assert path.stat().st_size > 1000
    with path.with_suffix(".csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["solver"] for row in rows} == {"ml_cd", "ml_mmse"}
    for row in rows:
        for kind in ("false_alarm", "missed_detection"):
            assert float(row[f"{kind}_low"]) <= float(row[kind]) <= float(row[f"{kind}_high"])
    assert run("--output", path).exit_code == 1


def test_the_points_lie_on_the_exact_curve():
    (curve,) = measure_curves(SCENARIO, [mmv.SOLVERS["ml_cd"]], n_samples=30)
    data = SCENARIO.draw(np.random.default_rng((0, 0)), 30)
    exact = mmv.roc(mmv.ml_cd(data.A, data.Y, 0.1).score, data.activity)
    for threshold, alarm, missed in zip(curve.threshold, curve.false_alarm, curve.missed_detection, strict=True):
        (at,) = np.flatnonzero(exact.threshold == threshold)
        assert (alarm.mean, missed.mean) == pytest.approx((exact.false_alarm[at], exact.missed_detection[at]))
    assert curve.threshold == sorted(curve.threshold, reverse=True)


def test_says_what_is_wrong_on_one_line(tmp_path):
    done = run("--output", tmp_path / "a.txt")
    assert done.exit_code == 1
    assert "--output must end in .png" in done.stderr
