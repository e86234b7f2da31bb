import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_problem
from numba.core import event
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main
from mmvsolvers.cli.solver_options import flag
from mmvsolvers.files import contents, is_matlab73, load_arrays, save_arrays

A, Y, _ = make_problem(20, 10, 3, T=2)


def run(*arguments):
    return CliRunner().invoke(main, ["solve", *map(str, arguments)])


@pytest.mark.filterwarnings("ignore::mmvsolvers.DivergenceWarning", "ignore::mmvsolvers.ConvergenceWarning")
@pytest.mark.parametrize("name", mmv.SOLVERS)
def test_writes_what_the_solver_says(tmp_path, name):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    solver = mmv.SOLVERS[name]
    told = [word for need, value in solver.example.items() for word in (flag(need), value)]
    done = run(tmp_path / "mine.npz", "--solver", name, *told)
    assert done.exit_code == 0, done.output
    written = tmp_path / f"mine.{name}.npz"
    found = load_arrays(written, contents(written))
    wanted = solver.run(A, Y, **solver.example)
    np.testing.assert_array_equal(found["score"], wanted.score)
    np.testing.assert_array_equal(found["converged"], wanted.converged)
    assert ("X" in found) == solver.recovers_signal
    if solver.recovers_signal:
        np.testing.assert_array_equal(found["X"], wanted.X)


@pytest.mark.parametrize("suffix", [".mat", ".h5"])
@pytest.mark.parametrize("matlab73", [False, True])
def test_keeps_format_names_and_axes(tmp_path, suffix, matlab73):
    path = tmp_path / f"mine{suffix}"
    save_arrays(path, {"S": A.T, "rx": Y.transpose(1, 2, 0), "eps": np.full(20, 0.2)}, matlab73=matlab73)
    layout = ["--pilots-name", "S", "--pilots-axes", "NL", "--received-name", "rx", "--received-axes", "LMT"]
    done = run(path, "-s", "group_lasso_bcd", *layout, "--lam", "2", "--threshold", "0.1")
    assert done.exit_code == 0, done.output
    written = tmp_path / f"mine.group_lasso_bcd{suffix}"
    found = load_arrays(written, contents(written))
    wanted = mmv.group_lasso_bcd(A, Y, 2.0)
    np.testing.assert_allclose(found["X"], wanted.X.transpose(1, 2, 0))
    np.testing.assert_array_equal(found["active"].astype(bool), (wanted.score > 0.1).T)
    np.testing.assert_array_equal(found["score"], wanted.score.T)
    first = 1 if suffix == ".mat" else 0
    np.testing.assert_array_equal(found[f"active_list_from_{first}"] - first, np.argwhere(wanted.score > 0.1))
    assert "A (N, L) = (20, 10), Y (L, M, T) = (10, 3, 2)" in done.stdout
    assert "X (20, 3, 2), score (20, 2)" in done.stdout
    assert is_matlab73(written) == is_matlab73(path)
    done = run(path, "-s", "map_cd", *layout, "--noise-var", "0.1", "--activity-prob", "eps")
    assert done.exit_code == 0, done.output


ERRORS = {
    "unknown solver": (["-s", "ml_ced"], "did you mean 'ml_cd'?"),
    "what it must know": (["-s", "ml_cd"], "ml_cd needs --noise-var"),
    "option of another solver": (["-s", "ml_cd", "--noise-var", "1", "--rho", "2"], "ml_cd has no option --rho"),
    "missing variable": (["-s", "group_lasso_bcd", "--received-name", "rx"], "no variable 'rx'; it holds A complex128"),
    "axes": (
        ["-s", "group_lasso_bcd", "--received-axes", "TML"],
        "A of shape (10, 20) and Y of shape (2, 10, 3) do not fit together with --pilots-axes LN --received-axes TML; "
        "they would with --pilots-axes LN --received-axes TLM",
    ),
    "too few axes": (["-s", "group_lasso_bcd", "--received-axes", "LM"], "they would with"),
    "no axes": (["-s", "group_lasso_bcd", "--pilots-axes", "LT"], "--pilots-axes must be an order of L, N, each once"),
    "pilots' axes": (["-s", "group_lasso_bcd", "--pilots-axes", "NL"], "they would with --pilots-axes LN"),
    "missing side": (["-s", "ml_cd", "--noise-var", "s2"], "no variable 's2'; it holds A complex128 (10, 20)"),
    "not a number": (["-s", "ml_cd", "--noise-var", "1", "--threshold", "nan"], "--threshold must be a number"),
    "same file": (["-s", "group_lasso_bcd", "-o", "mine.npz", "--overwrite"], "would replace what is to be solved"),
    "suffix": (["-s", "group_lasso_bcd", "-o", "mine.txt"], "must end in one of .mat"),
    "folder": (["-s", "group_lasso_bcd", "-o", "none/mine.npz"], "no such folder: none"),
    "bad value": (["-s", "ml_cd", "--noise-var", "-1"], "noise_var must be finite and positive; got -1"),
    "bad word": (["-s", "group_lasso_admm", "--rho", "fast"], "rho must be 'adaptive' or numbers"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_says_what_is_wrong_on_one_line(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    arguments, words = ERRORS[case]
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    done = run(tmp_path / "mine.npz", *arguments)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_never_overwrites_unasked(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    assert run(tmp_path / "mine.npz", "-s", "group_lasso_bcd").exit_code == 0
    again = run(tmp_path / "mine.npz", "-s", "group_lasso_bcd")
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert run(tmp_path / "mine.npz", "-s", "group_lasso_bcd", "--overwrite").exit_code == 0


def test_integer_pilots_are_explained(tmp_path):
    save_arrays(tmp_path / "mine.mat", {"A": np.sign(A.real).astype(np.int8), "Y": Y})
    done = run(tmp_path / "mine.mat", "-s", "group_lasso_bcd")
    assert "A is of integer type int8; save it as double" in done.stderr


def test_shows_no_traceback_in_a_real_shell(tmp_path):
    command = [sys.executable, "-c", "from mmvsolvers.cli import main; main()", "solve", str(tmp_path / "no.mat")]
    done = subprocess.run([*command, "-s", "group_lasso_bcd"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"Error: no such file: {tmp_path / 'no.mat'}\n"


def test_what_the_file_calls_by_its_name_need_not_be_said(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y, "noise_var": np.array(0.5), "activity_prob": np.full(20, 0.2)})
    assert run(tmp_path / "mine.npz", "-s", "map_cd").exit_code == 0
    found = load_arrays(tmp_path / "mine.map_cd.npz", ["score"])
    np.testing.assert_array_equal(found["score"], mmv.map_cd(A, Y, 0.5, 0.2).score)


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_groups_are_told_when_asked_for(tmp_path, kind):
    labels = np.arange(20) // 4
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y, "groups": labels.astype(kind)})
    told = ["-s", "map_cd", "--noise-var", "0.1", "-p", "0.2"]
    for more, options in ([], {}), (["--groups", "groups", "--overwrite"], {"groups": labels}):
        assert run(tmp_path / "mine.npz", *told, *more).exit_code == 0
        found = load_arrays(tmp_path / "mine.map_cd.npz", ["score"])
        np.testing.assert_array_equal(found["score"], mmv.map_cd(A, Y, 0.1, 0.2, **options).score)


def test_couplings_are_told_when_asked_for(tmp_path):
    couplings = np.kron(np.eye(10), np.ones((2, 2)) - np.eye(2)) * 3.0
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y, "c": couplings})
    done = run(tmp_path / "mine.npz", "-s", "gibbs", "--noise-var", "0.1", "-p", "0.1", "--couplings", "c")
    assert done.exit_code == 0, done.output
    found = load_arrays(tmp_path / "mine.gibbs.npz", ["score"])
    np.testing.assert_array_equal(found["score"], mmv.gibbs(A, Y, 0.1, 0.1, couplings=couplings).score)


def test_a_single_device_may_have_a_group(tmp_path):
    save_arrays(tmp_path / "one.npz", {"A": A[:, :1], "Y": Y, "groups": np.array([3])})
    done = run(tmp_path / "one.npz", "-s", "map_cd", "--noise-var", "0.1", "-p", "0.2", "--groups", "groups")
    assert done.exit_code == 0, done.output


def test_labels_are_whole_numbers(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y, "groups": np.arange(20) / 4})
    done = run(tmp_path / "mine.npz", "-s", "map_cd", "--noise-var", "0.1", "-p", "0.2", "--groups", "groups")
    assert "groups must be integer labels; got dtype float64" in done.output


def test_takes_a_users_own_solver(tmp_path):
    path = tmp_path / "own_of_solve.py"
    path.write_text("import numpy as np\ndef inverse(A, Y, *, rcond=1e-15): return np.linalg.pinv(A, rcond) @ Y\n")
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    done = run(tmp_path / "mine.npz", "-s", f"{path}:inverse", "--option", "rcond=0.5")
    sys.modules.pop("own_of_solve", None)
    assert done.exit_code == 0, done.output
    np.testing.assert_allclose(load_arrays(tmp_path / "mine.inverse.npz", ["X"])["X"], np.linalg.pinv(A, 0.5) @ Y)


def test_a_false_alarm_gives_the_threshold(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    told = ["-s", "ml_cd", "--noise-var", "0.1", "--activity-prob", "0.1"]
    done = run(tmp_path / "mine.npz", *told, "--false-alarm", "0.05")
    assert done.exit_code == 0, done.output
    threshold = float(done.stdout.split()[1])
    data = mmv.generate(
        np.random.default_rng(5),
        N=20,
        L=10,
        M=3,
        T=2000,
        noise_var=0.1,
        activity=mmv.IndependentActivity(0.1),
        pilots=A,
    )
    alarm = mmv.false_alarm(mmv.ml_cd(A, data.Y, 0.1).score > threshold, data.activity)
    assert alarm.mean == pytest.approx(0.05, abs=0.01)
    found = load_arrays(tmp_path / "mine.ml_cd.npz", ["active"])
    np.testing.assert_array_equal(found["active"].astype(bool), mmv.ml_cd(A, Y, 0.1).score > threshold)
    again = run(tmp_path / "mine.npz", "-s", "ml_cd", "--noise-var", "0.1", "--false-alarm", "0.05", "--overwrite")
    assert "needs --activity-prob and --noise-var as numbers" in again.stderr


def test_a_false_alarm_may_be_that_of_a_named_scenario(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    told = ["-s", "ml_cd", "--noise-var", "0.1", "--false-alarm", "0.05"]
    done = run(tmp_path / "mine.npz", *told, "--scenario", "cui2021-groups")
    assert done.exit_code == 0, done.output
    activity = mmv.GroupActivity(0.1, n_groups=20)
    scenario = mmv.Scenario(N=20, L=10, M=3, activity=activity, noise_var=0.1, pilots=A)
    data = scenario.draw(np.random.default_rng(0), 1000)
    wanted = mmv.threshold_at(mmv.ml_cd(A, data.Y, 0.1).score, data.activity, false_alarm=0.05)
    assert float(done.stdout.split()[1]) == pytest.approx(wanted, rel=1e-5)
    again = run(tmp_path / "mine.npz", *told, "--scenario", "cui2012", "--overwrite")
    assert "did you mean 'cui2021'" in again.stderr


def test_the_noise_variance_may_be_a_variable_for_each_problem(tmp_path):
    save_arrays(tmp_path / "mine.mat", {"A": A, "Y": Y, "s2": [0.1, 0.4]})
    assert run(tmp_path / "mine.mat", "-s", "ml_cd", "--noise-var", "s2").exit_code == 0
    found = load_arrays(tmp_path / "mine.ml_cd.mat", ["score"])["score"]
    np.testing.assert_array_equal(found, mmv.ml_cd(A, Y, [0.1, 0.4]).score)


def test_numbers_of_a_single_problem_are_a_column(tmp_path):
    save_arrays(tmp_path / "mine.mat", {"A": A, "Y": Y[0]})
    assert run(tmp_path / "mine.mat", "-s", "group_lasso_bcd", "--threshold", "0.1").exit_code == 0
    found = load_arrays(tmp_path / "mine.group_lasso_bcd.mat", ["active_list_from_1", "active"])
    np.testing.assert_array_equal(found["active_list_from_1"][:, 0], 1 + np.flatnonzero(found["active"]))


def test_axes_of_one_that_matlab_drops_come_back(tmp_path):
    save_arrays(tmp_path / "mine.mat", {"A": A, "Y": Y[0]})
    assert run(tmp_path / "mine.mat", "-s", "group_lasso_bcd", "--received-axes", "LMT").exit_code == 0
    found = load_arrays(tmp_path / "mine.group_lasso_bcd.mat", ["X"])["X"]
    np.testing.assert_array_equal(found[:, :, 0], mmv.group_lasso_bcd(A, Y[0]).X)


def test_a_compilation_is_told_of_once_and_not_timed(tmp_path, monkeypatch):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    compiled = []

    def solver(A, Y, *, max_iter=5):
        if not compiled:
            compiled.append(len(Y))
            with event.trigger_event("numba:compile"), event.trigger_event("numba:compile"):
                time.sleep(1)
        return mmv.group_lasso_bcd(A, Y)

    entry = replace(mmv.SOLVERS["group_lasso_bcd"], run=solver)
    monkeypatch.setattr("mmvsolvers.cli.solve.find_solver", lambda name: entry)
    done = run(tmp_path / "mine.npz", "-s", "group_lasso_bcd")
    assert done.exit_code == 0
    assert done.stderr == "compiling, once ...\n"
    assert compiled == [1]
    assert " s, " not in done.stdout


def test_what_cannot_be_written_any_more_is_rescued(tmp_path, monkeypatch):
    import mmvsolvers.files as files

    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    save, places = files.save_arrays, []

    def full(path, *arguments, **options):
        places.append(path)
        if len(places) == 1:
            raise OSError(f"{path} cannot be written: No space left on device")
        save(path, *arguments, **options)

    monkeypatch.setattr(files, "save_arrays", full)
    done = run(tmp_path / "mine.npz", "-s", "group_lasso_bcd")
    assert done.exit_code == 1
    assert f"No space left on device; the estimate is in {places[1]}" in done.stderr
    np.testing.assert_array_equal(load_arrays(places[1], ["X"])["X"], mmv.group_lasso_bcd(A, Y).X)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_result_is_lost_to_an_encoding(tmp_path, encoding):
    save_arrays(tmp_path / "mine.npz", {"A": np.eye(2), "Y": np.eye(2)})
    command = [sys.executable, "-m", "mmvsolvers", "compare", "-N", "6", "-L", "4", "--samples", "2", "-s", "ml_cd"]
    command += ["--train-samples", "4", "-o", str(tmp_path / "a.png")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"error rate" in done.stdout
    assert (tmp_path / "a.csv").exists()


def test_the_noise_variance_may_be_estimated(tmp_path):
    save_arrays(tmp_path / "mine.npz", {"A": A, "Y": Y})
    done = run(tmp_path / "mine.npz", "-s", "ml_cd", "--noise-var", "estimate")
    assert done.exit_code == 0, done.output
    found = load_arrays(tmp_path / "mine.ml_cd.npz", ["noise_var", "score"])
    wanted = mmv.ml_cd(A, Y, "estimate")
    np.testing.assert_array_equal(found["noise_var"], wanted.noise_var)
    np.testing.assert_array_equal(found["score"], wanted.score)
    told = ["--noise-var", "estimate", "--activity-prob", "0.1", "--false-alarm", "0.05", "--overwrite"]
    assert "needs --activity-prob and --noise-var as numbers" in run(tmp_path / "mine.npz", "-s", "ml_cd", *told).stderr
    assert "no variable 'guess'" in run(tmp_path / "mine.npz", "-s", "ml_mmse", "--noise-var", "guess").stderr
