import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from mmvsolvers import IndependentActivity
from mmvsolvers.loading import load_object
from mmvsolvers.paper import results
from mmvsolvers.paper.figures import FIGURES, Figure, Panel
from mmvsolvers.scenario import Scenario
from mmvsolvers.writing import sole_user
from mmvsolvers_nn.paper import tasks
from mmvsolvers_nn.paper.run import Store, run, tasks_of
from mmvsolvers_nn.paper.scales import SCALES
from mmvsolvers_nn.paper.table import tabulate
from mmvsolvers_nn.paper.tasks import Point, file_name

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
    """The table without the time it took, and without the commit, which may change under a long test."""
    return table.drop(columns=["seconds", "versions"])


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
    assert set(table["quantity"]) >= {"mse", "error_rate", "missed_detection", "false_alarm"}
    assert (table[table["quantity"] == "missed_detection"]["high"] <= 1).all()
    first = tasks_of(TINY, SMOKE)[0]
    (kept,) = found[first].values()
    less = {name: value for name, value in kept.quantities.items() if name != "false_alarm"}
    earlier = tabulate([TINY], found | {first: {first.scheme: replace(kept, quantities=less)}}, SMOKE)
    assert len(earlier) == len(table) - 1


def test_amp_is_told_the_average_activity_and_its_extra_curve_that_of_every_device(monkeypatch):
    told = {}
    solve = tasks.SOLVERS["amp_mmse"].run

    def spy(A, Y, activity_prob, **options):
        told.setdefault(scheme, activity_prob)
        return solve(A, Y, activity_prob, **options)

    monkeypatch.setattr(tasks, "SOLVERS", {"amp_mmse": replace(tasks.SOLVERS["amp_mmse"], run=spy)})
    scenario = FIGURES[3].scenario(100, FIGURES[3].panels[0], 0.08)
    for scheme in ("amp", "amp_true_prior"):
        Point(scenario, scheme, 0).measure(SMOKE, None)
    assert np.unique(told["amp"]) == pytest.approx([0.1])
    assert np.unique(told["amp_true_prior"]) == pytest.approx([0.05, 0.15])


def test_the_optimum_is_told_what_every_device_does(monkeypatch):
    told = []

    class Spy(tasks.Optimum):
        def solve(self, data, **options):
            told.append(data.activity_prob)
            return tasks.OracleMMSE().solve(data)

    monkeypatch.setattr(tasks, "Optimum", Spy)
    Point(FIGURES[3].scenario(100, FIGURES[3].panels[0], 0.08), "optimum", 0).measure(SMOKE, None)
    assert np.unique(told) == pytest.approx([0.05, 0.15])


def test_a_point_with_few_errors_goes_on_and_one_with_enough_does_not():
    scenario = replace(FIGURES[3].scenario(100, FIGURES[3].panels[0], 0.2), activity=IndependentActivity(0.05, 3.0))
    scale = replace(SMOKE, n_errors=4, most_samples={100: 100})
    rare = Point(scenario, "ml", 0).measure(scale, None)["ml"]
    assert 20 < rare.samples <= 50
    often = Point(replace(scenario, L=8, activity=IndependentActivity(0.1, 3.0)), "ml", 0).measure(scale, None)["ml"]
    assert often.samples == 20


def test_a_finding_of_another_definition_is_measured_again(tmp_path):
    store = Store(tmp_path, SMOKE)
    run([TINY], store, workers=1)
    larger = replace(SMOKE, samples={100: replace(SMOKE.samples[100], n_test=21)})
    assert all(Store(tmp_path, larger).load(task) is None for task in tasks_of(TINY, larger))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with the one point of a figure, and the point."""
    folder = tmp_path_factory.mktemp("measured")
    figure = replace(TINY, schemes=("ml_mmse",), extras=())
    scale = replace(SMOKE, samples={100: replace(SMOKE.samples[100], n_draws=1)})
    run([figure], Store(folder, scale), workers=1)
    return Store(folder, scale), tasks_of(figure, scale)[0]


def test_a_release_voids_no_point_but_another_protocol_does(measured, monkeypatch):
    store, task = measured
    monkeypatch.setattr("mmvsolvers.__version__", "99.0")
    assert store.load(task) is not None
    monkeypatch.setattr(tasks, "PROTOCOL", tasks.PROTOCOL + 1)
    assert store.load(task) is None


@pytest.mark.parametrize("task", [tasks_of(FIGURES[n], SMOKE)[0] for n in (7, 8)], ids=["timing", "point"])
def test_the_key_of_a_task_holds_its_whole_scenario(task):
    scenario = task.scenario
    assert json.loads(task.definition(SMOKE))["scenario"]["noise_var"] == scenario.noise_var == 0.1
    changed = {
        "N": 200,
        "L": 13,
        "M": 5,
        "noise_var": 0.2,
        "activity": TINY.scenario(100, TINY.panels[0], 0.1).activity,
    }
    scale = replace(SMOKE, samples=dict.fromkeys((100, 200), SMOKE.samples[100]), most_samples={100: 60, 200: 60})
    definition, name = task.definition(scale), file_name(task, scale)
    for field, value in changed.items():
        other = replace(task, scenario=replace(scenario, **{field: value}))
        assert other.definition(scale) != definition
        assert file_name(other, scale) != name
    assert {*changed, "channel", "pilots", "snr_db"} == {field.name for field in fields(Scenario)}


def test_a_timing_knows_its_iterations(monkeypatch):
    task = tasks_of(FIGURES[12], SMOKE)[0]
    assert json.loads(task.definition(SMOKE))["iterations"]["ml"] == 55


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100_000,
        lambda text: "[]",
        lambda text: "3",
        lambda text: text.replace('"findings"', '"found"'),
        lambda text: text.replace('"ml_mmse": {', '"amp": {'),
        lambda text: text.replace('"mean": ', '"mean": "x", "was": '),
        lambda text: text.replace('"samples": ', '"samples": null, "was": '),
        lambda text: text.replace('"samples": ', '"samples": 1e999, "was": '),
        lambda text: text.replace('"quantities": {', '"quantities": 3, "was": {'),
        lambda text: "\udc80",
    ],
)
def test_a_damaged_point_is_named(measured, damage):
    store, task = measured
    path = store.directory / f"{file_name(task, store.scale)}.json"
    whole = path.read_bytes()
    path.write_bytes(damage(whole.decode()).encode(errors="surrogateescape"))
    try:
        with pytest.raises(ValueError, match="is no point of `mmv reproduce`; remove it to measure it again") as caught:
            store.load(task)
    finally:
        path.write_bytes(whole)
    assert str(path) in str(caught.value)
    assert store.load(task) is not None


def test_a_directory_is_measured_into_by_one_run_at_a_time(tmp_path):
    store = Store(tmp_path, SMOKE)
    with sole_user(store.directory), pytest.raises(OSError, match="is in use by process"):
        run([TINY], store, workers=1)


def test_the_first_timing_is_held_to_one_thread_too():
    """Torch, which it is the first to load, would have all cores."""
    code = """
import sys
from mmvsolvers_nn.paper import run, tasks
from mmvsolvers.paper.figures import FIGURES
from mmvsolvers_nn.paper.scales import SCALES
def threads(task, scale, directory):
    import torch
    return torch.get_num_threads()
tasks.Timing.measure = threads
task = run.tasks_of(FIGURES[7], SCALES["smoke"])[0]
assert "torch" not in sys.modules
print(run._measure(task, SCALES["smoke"], None)[1])
import torch
print(torch.get_num_threads())
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    held, free = map(int, found.stdout.split())
    assert held == 1
    assert free == 1 or free == len(os.sched_getaffinity(0))


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


OWN_CHANNEL = """
import numpy as np

class Own:
    def variance(self, rng, N):
        return np.ones(N)

    def draw(self, rng, active, variance, M):
        return active[..., None] * {strength} * np.ones(M, complex)
"""


def test_an_own_class_is_measured_and_tabled_and_measured_anew_after_an_edit(tmp_path):
    file = tmp_path / "own_channel_of_a_run.py"
    found = []
    # of another size: Python compares files by that and by their second
    for strength, workers in ((1, 1), (2.5, 2)):
        file.write_text(OWN_CHANNEL.format(strength=strength))
        sys.modules.pop(file.stem, None)
        kind = load_object(f"{file}:Own")
        figure = replace(TINY, edit=lambda scenario, kind=kind: replace(scenario, channel=kind()))
        store = Store(tmp_path / "kept", SMOKE)
        table = tabulate([figure], run([figure], store, workers=workers), SMOKE)
        assert table["mean"].notna().all()
        assert set(table["channel"]) == {"own_channel_of_a_run:Own"}
        found.append(table["mean"].to_numpy())
    assert not np.array_equal(*found)


def test_a_killed_run_leaves_nobody_who_keeps_a_training(tmp_path):
    command = ["mmv", "reproduce", "4", "--scale", "quick", "--panels", "a", "--at", "0.12", "--schemes", "amp_nn"]
    process = subprocess.Popen([*command, "--workers", "2", "--out", tmp_path], stderr=subprocess.DEVNULL)
    while not (found := list(tmp_path.glob("trainings/*/checkpoint.pt"))):
        assert process.poll() is None, "it must be killed while it trains"
        time.sleep(0.01)
    process.kill()
    process.wait()
    time.sleep(2.0)  # its workers look for it more often; they would train for much longer
    with sole_user(found[0].parent):
        pass


def test_a_killed_run_goes_on_to_the_same_results_with_any_number_of_workers(tmp_path):
    def start(name, workers):
        command = ["mmv", "reproduce", "4", "--scale", "smoke", "--panels", "a", "--at", "0.12", "--workers", workers]
        return subprocess.Popen([*command, "--out", tmp_path / name], start_new_session=True, stdout=subprocess.DEVNULL)

    process, points = start("killed", "2"), tmp_path / "killed" / "points"
    # Trainings come first: kill in the middle of the rest.
    while len(list(points.glob("[!.]*.json"))) < len(list(points.glob("*_nn_seed*"))) + 3:
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
    scenario = TINY.scenario(100, TINY.panels[0], 0.08)
    point = Point(scenario, "amp_nn", 0)
    found = point.measure(SMOKE, tmp_path)["amp_nn"]
    assert {"mse", "error_rate", "coherence", "block_coherence", "sub_coherence"} <= set(found.quantities)
    told = json.loads((tmp_path / file_name(point, SMOKE) / "configuration.json").read_text())
    assert told["architecture"]["U"] == SMOKE.recipe("amp_nn", 100).architecture["U"]


def test_the_learned_prior_is_told_in_the_independent_case(tmp_path):
    panel = FIGURES[3].panels[3]
    found = Point(FIGURES[3].scenario(100, panel, 3), "amp_nn", 0).measure(SMOKE, tmp_path)["amp_nn"]
    assert found.quantities["epsilon_ratio"].mean == pytest.approx(1, rel=0.2), "it starts from the average"


def test_all_schemes_are_timed_in_one_run(tmp_path):
    figure = replace(FIGURES[7], N=(100,))
    task = tasks_of(figure, SMOKE)[0]
    found = task.measure(SMOKE, tmp_path)
    assert tuple(found) == figure.schemes
    assert all(finding.quantities["seconds_per_sample"].low > 0 for finding in found.values())
