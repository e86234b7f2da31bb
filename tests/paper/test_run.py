import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from mmvsolvers.paper import results
from mmvsolvers.paper.figures import FIGURES, Figure, Panel
from mmvsolvers_nn.paper.run import Store, run, tasks_of
from mmvsolvers_nn.paper.scales import SCALES
from mmvsolvers_nn.paper.table import tabulate
from mmvsolvers_nn.paper.tasks import Point

SMOKE = SCALES["smoke"]
TINY = Figure(4, "tiny", "single_group", (100,), (Panel("a", "L/N", "mse"),), ("amp", "ml_mmse"), ("oracle_mmse",))
# Starts a Dask cluster of one worker, says where it is, and ends with its standard input.
CLUSTER = """
import sys
from dask.distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def figures_of(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the time it took."""
    return table.drop(columns="seconds")


def test_every_point_is_measured_and_kept(tmp_path):
    store, counts = Store(tmp_path, SMOKE), []
    found = run([TINY], store, workers=1, report=lambda done, total: counts.append((done, total)))
    assert list(found) == tasks_of(TINY, SMOKE)
    assert counts == [(k, len(found)) for k in range(len(found) + 1)]
    assert all(store.load(task) == found[task] for task in found)
    again = run([TINY], store, workers=1, report=lambda done, total: counts.append((done, total)))
    assert again == found
    assert counts[-1] == (len(found), len(found))
    table = tabulate([TINY], found, SMOKE)
    bound = table[(table["scheme"] == "oracle_mmse") & (table["quantity"] == "mse")]
    for scheme in TINY.schemes:
        errors = table[(table["scheme"] == scheme) & (table["quantity"] == "mse")]
        assert (bound["mean"].to_numpy() < errors["mean"].to_numpy()).all()


def test_a_finding_of_another_definition_is_measured_again(tmp_path):
    store = Store(tmp_path, SMOKE)
    run([TINY], store, workers=1)
    larger = replace(SMOKE, samples={100: replace(SMOKE.samples[100], n_test=21)})
    assert all(Store(tmp_path, larger).load(task) is None for task in tasks_of(TINY, larger))


def test_a_cluster_finds_the_same(tmp_path):
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        there = run([TINY], Store(tmp_path / "there", SMOKE), workers=1, cluster=address)
    finally:
        process.communicate()
    here = run([TINY], Store(tmp_path / "here", SMOKE), workers=1)
    tables = [figures_of(tabulate([TINY], found, SMOKE)) for found in (here, there)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_killed_run_goes_on_to_the_same_results_with_any_number_of_workers(tmp_path):
    def start(name, workers):
        command = ["mmv", "reproduce", "4", "--scale", "smoke", "--out", str(tmp_path / name), "--workers", workers]
        return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)

    process, points = start("killed", "2"), tmp_path / "killed" / "points"
    n_trainings = sum(task.is_training for task in tasks_of(FIGURES[4], SMOKE))
    # Trainings come first: kill in the middle of the rest.
    while not points.exists() or len(list(points.glob("[!.]*.json"))) < n_trainings + 3:
        assert process.poll() is None, "it must be killed while it runs"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "results.csv").exists()
    assert [start(name, workers).wait() for name, workers in (("killed", "2"), ("clean", "1"))] == [0, 0]
    tables = [figures_of(results.read(tmp_path / name / "results.csv")) for name in ("killed", "clean")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert not tables[0]["mean"].isna().any()
    for name in ("fig4.png", "fig4_extras.png"):
        assert (tmp_path / "clean" / name).read_bytes().startswith(b"\x89PNG")


def test_a_training_writes_what_it_was_told(tmp_path):
    scene = TINY.scene(100, TINY.panels[0], 0.08)
    point = Point(scene, "amp_nn", 0)
    found = point.measure(SMOKE, tmp_path)["amp_nn"]
    assert {"mse", "error_rate", "coherence", "block_coherence", "sub_coherence"} <= set(found.quantities)
    told = json.loads((tmp_path / point.key / "configuration.json").read_text())
    assert told["architecture"]["U"] == SMOKE.recipes["amp_nn"].architecture["U"]


def test_the_learned_prior_is_told_in_the_independent_case(tmp_path):
    panel = FIGURES[3].panels[3]
    found = Point(FIGURES[3].scene(100, panel, 3), "amp_nn", 0).measure(SMOKE, tmp_path)["amp_nn"]
    assert found.quantities["epsilon_ratio"].mean == pytest.approx(3, rel=0.2)


def test_all_schemes_are_timed_in_one_run(tmp_path):
    figure = replace(FIGURES[7], N=(100,))
    task = tasks_of(figure, SMOKE)[0]
    found = task.measure(SMOKE, tmp_path)
    assert tuple(found) == figure.schemes
    assert all(finding.quantities["seconds_per_sample"].low > 0 for finding in found.values())
