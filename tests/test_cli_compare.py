import csv
import sys

import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main
from mmvsolvers.cli.parsing import value_of
from mmvsolvers.cli.solver_options import chosen_options
from mmvsolvers.registry import all_solvers, find_solver

QUICK = ["--devices", "20", "--pilot-lengths", "6,10", "--samples", "5", "--train-samples", "10", "--pilot-draws", "2"]


def run(*arguments):
    return CliRunner().invoke(main, ["compare", *QUICK, *map(str, arguments)])


ALL = {solver.name: solver for solver in all_solvers(groups=False)}


def read(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare") / "all.png"
    done = run("--output", path)
    assert done.exit_code == 0, done.output
    return path, done.output


def test_compares_all_solvers_at_all_lengths(output):
    path, printed = output
    rows = read(path.with_suffix(".csv"))
    assert [(row["L"], row["solver"]) for row in rows] == [(L, name) for L in ("6", "10") for name in ALL]
    assert all(
        float(row["error_rate_low"]) <= float(row["error_rate"]) <= float(row["error_rate_high"]) for row in rows
    )
    assert [row["solver"] for row in rows if row["mse"]] == 2 * [s.name for s in ALL.values() if s.recovers_signal]
    assert all(solver.label in printed for solver in ALL.values())
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_seed_gives_the_same_figures_again(output, tmp_path):
    assert run("--output", tmp_path / "again.png").exit_code == 0
    for old, new in zip(read(output[0].with_suffix(".csv")), read(tmp_path / "again.csv"), strict=True):
        del old["seconds_per_sample"], new["seconds_per_sample"]
        assert old == new


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_every_option_counts(tmp_path, suffix):
    scene = [
        "--activity",
        "groups",
        "--groups",
        5,
        "--snr-db",
        10,
        "--pilots",
        "unit-norm",
        "--antenna-correlation",
        0.5,
    ]
    tuning = ["--lam", 3, "--rho", 2, "--damping", 0.7, "--onsager", "printed", "--column-scaling", "sqrt_length"]
    names = ["amp_mmse", "group_lasso_admm", "map_cd"]
    chosen = [word for name in names for word in ("-s", name)]
    done = run("--output", tmp_path / f"a.{suffix}", *scene, *tuning, "--upper", 2, "--paper-iterations", *chosen)
    assert done.exit_code == 0, done.output
    assert [row["solver"] for row in read(tmp_path / "a.csv")] == 2 * names
    assert (tmp_path / f"a.{suffix}").stat().st_size > 1000


def test_never_overwrites_unasked(output):
    again = run("--output", output[0])
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-s", "amp_mse"], "no solver is called 'amp_mse'; did you mean 'amp_mmse'?"),
        (["--pilot-lengths", "8;9"], "--pilot-lengths must be integers separated by commas; got '8;9'"),
        (["-s", "ml_cd", "--rho", "2"], "--rho is no option of what is compared: ML"),
        (["-s", "covariance_lasso", "--lam", "2"], "--lam is no option"),
        (["-s", "ml_cd", "--option", "rho=2"], "--option rho=2: ML takes no rho"),
        (["--option", "ml_cd.rho=2"], "--option ml_cd.rho=2: ml_cd takes no rho"),
        (["--option", "rho"], "--option must be NAME=VALUE or SOLVER.NAME=VALUE; got 'rho'"),
        (["-s", "nowhere.py:mine"], "no such file: nowhere.py"),
        (["-s", "math:pi"], "a solver must be a Solver or a function f(A, Y, ...); got float"),
        (["--output", "a.txt"], "--output must end in .png, .pdf or .svg; got a.txt"),
        (["--noise-var", "0.1", "--snr-db", "3"], "--noise-var and --snr-db exclude each other"),
        (["--activity", "groups", "--groups", "7"], "7"),
    ],
)
def test_says_what_is_wrong_on_one_line(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.stderr.strip().count("\n") == 0
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_checks_the_folder_before_it_works(tmp_path, monkeypatch):
    monkeypatch.delattr("mmvsolvers.comparison.evaluate")
    done = run("--output", tmp_path / "none" / "a.png")
    assert done.exit_code == 1
    assert done.stderr == f"Error: no such folder: {tmp_path / 'none'}\n"


def test_runs_the_papers_counts(monkeypatch, tmp_path):
    import mmvsolvers.comparison as comparison

    given = {}

    def record(setting, lengths, solvers, options, until):
        given.update(options)
        return iter(())

    monkeypatch.setattr(comparison, "compare", record)
    monkeypatch.setattr(comparison, "draw_figure", lambda *arguments: None)
    assert run("--paper-iterations", "--output", tmp_path / "a.png").exit_code == 0
    fixed = {name: s.paper_iterations for name, s in ALL.items()}
    assert given == {name: {"max_iter": n, "tol": 0.0} if n else {"tol": 1e-3} for name, n in fixed.items()}


def test_goes_on_until_there_are_errors_enough(tmp_path):
    path = tmp_path / "a.png"
    rule = ["--until-errors", 4, "--max-samples", "1e2"]
    done = run("-s", "ml_cd", *rule, "--output", path)
    assert done.exit_code == 0, done.output
    for row in read(path.with_suffix(".csv")):
        assert (row["until_errors"], row["max_samples"]) == ("4", "100")
        assert 8 <= int(row["n_samples"]) <= 200
        rates = [float(row[f"sample_error_rate{end}"]) for end in ("_low", "", "_high")]
        assert rates == sorted(rates)


def test_says_what_the_solvers_were_told_and_what_to_do_about_failures(tmp_path):
    chosen = ["-s", "ml_cd", "-s", "somp", "-s", "map_cd", "--max-iter", 1]
    done = run(*chosen, "--output", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    assert "told noise_var: ML; SOMP\n" in done.stdout
    assert "told noise_var, activity_prob, channel_var: MAP\n" in done.stdout
    assert " PM " in done.stdout
    assert " 100 %" in done.stdout
    assert "give more iterations (--max-iter)" in done.stdout
    row = read(tmp_path / "a.csv")[0]
    assert row["told"] == "noise_var"
    assert row["options"] == '{"tol": 0.001, "max_iter": 1}'
    assert f"mmvsolvers {mmv.__version__}" in row["versions"]


def test_nobody_is_told_the_groups_silently(tmp_path):
    path = tmp_path / "a.png"
    done = run("--activity", "groups", "--groups", 5, "--samples", 3, "--pilot-draws", 1, "-L", 6, "--output", path)
    assert done.exit_code == 0, done.output
    told = {row["solver"]: row["told"] for row in read(path.with_suffix(".csv"))}
    assert list(told) == [solver.name for solver in all_solvers(groups=True)]
    assert all(("groups" in what) == name.endswith("-groups") for name, what in told.items())
    assert "told noise_var, activity_prob, channel_var, groups: MAP, groups; Gibbs, groups\n" in done.stdout
    assert "ε(n)" not in done.stdout
    uneven = run("-s", "map_cd", "-L", 6, "--output", tmp_path / "b.png")
    assert "activity_prob: ε(n) of every device, not their average p\n" in uneven.stdout


def test_repetitions_are_done_once(tmp_path):
    path = tmp_path / "a.png"
    assert run("-s", "ml_cd", "-s", "ml_cd", "--pilot-lengths", "6,6", "--output", path).exit_code == 0
    assert len(read(path.with_suffix(".csv"))) == 1


OWN = """
import numpy as np

def matched(A, Y, noise_var, *, power=2):
    return np.linalg.norm(A.conj().T @ Y, axis=-1) ** power / noise_var
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own_of_compare.py"
    path.write_text(OWN)
    yield f"{path}:matched"
    sys.modules.pop("own_of_compare", None)


def test_takes_a_users_own_solver_to_the_figure(tmp_path, own):
    path = tmp_path / "a.svg"
    done = run("-s", own, "-s", "ml_cd", "--option", "matched.power=4", "--option", "tol=0.5", "--output", path)
    assert done.exit_code == 0, done.output
    assert [row["solver"] for row in read(path.with_suffix(".csv"))] == 2 * ["matched", "ml_cd"]
    assert "matched" in done.stdout
    assert "matched" in path.read_text() or path.stat().st_size > 1000


def test_options_reach_the_solvers_that_take_them(own):
    own = find_solver(own)
    solvers = [own, mmv.SOLVERS["ml_cd"], mmv.SOLVERS["group_lasso_bcd"], mmv.SOLVERS["covariance_lasso"]]
    found = chosen_options(
        solvers, {"lam": "3", "rho": None}, ["matched.power=4", "tol=1e-2", "covariance_lasso.lam=5"]
    )
    assert found == {
        "matched": {"power": 4},
        "ml_cd": {"tol": 0.01},
        "group_lasso_bcd": {"lam": 3, "tol": 0.01},
        "covariance_lasso": {"lam": 5, "tol": 0.01},
    }


def test_every_tuning_option_of_the_records_is_a_flag():
    shown = CliRunner().invoke(main, ["compare", "--help"], env={"COLUMNS": "200"}).stdout
    for solver in mmv.SOLVERS.values():
        for name, words in solver.tuning.items():
            assert f"--{name.replace('_', '-')} " in shown
            assert words in shown


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("2.5", 2.5), ("1e-3", 1e-3), ("true", True), ("False", False), ("adaptive", "adaptive")],
)
def test_values_are_read_as_what_they_are(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
