import pytest
from typer.testing import CliRunner

from mmvsolvers.cli import main
from mmvsolvers.paper.results import read


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce",), "name figures, 3 to 12, or give --all"),
        (("reproduce", 3, "--all"), "name figures, 3 to 12, or give --all"),
        (("reproduce", 2, 3), "figures are 3 to 12; got 2"),
        (("reproduce", 9, "--panels", "a,e"), "--panels: figure 9 knows a, b, c, d; got e"),
        (("reproduce", 9, "--panels", "a", "--at", "0.11"), "--at: figure 9 has 0.08, 0.12, 0.2; got 0.11"),
        (("reproduce", 9, "--at", "0.08;0.12"), "--at must be numbers, separated by commas; got '0.08;0.12'"),
        (("reproduce", 9, "--schemes", "map,mapp"), "mmv reproduce knows group_lasso, "),
        (("reproduce", 9, "-L", "8,9"), "-L must be one pilot length here; got '8,9'"),
        (("reproduce", 9, "--ratio", 3), "--ratio is nothing of the activity model GroupActivity"),
        (("draw", "nowhere.csv"), "no such file: nowhere.csv"),
        (("claims", "nowhere.csv"), "no such file: nowhere.csv"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, message):
    found = invoke(*arguments)
    assert found.exit_code == 1
    assert message in found.stderr


def test_another_kind_of_table_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    found = invoke("claims", tmp_path / "other.csv")
    assert found.exit_code == 1
    assert "is no table of `mmv reproduce`: it lacks figure, panel" in found.stderr


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr("mmvsolvers.cli.packages.find_spec", lambda name: None if name == "pandas" else name)
    found = invoke("reproduce", 3)
    assert found.exit_code == 1
    assert "this command needs pandas; install with: pip install pandas" in found.stderr


def test_abscissas_are_chosen(tmp_path):
    drawn = ["--samples", 5, "--train-samples", 5, "--pilot-draws", 2, "--schemes", "map"]
    done = invoke("reproduce", 9, "--scale", "smoke", "--at", "0.05,20,50", *drawn, "-o", tmp_path, "--workers", 1)
    assert done.exit_code == 0, done.output
    table = read(tmp_path / "results.csv")
    # Fifty groups are not of this scale, and the other panels have none of the three.
    assert table.groupby("panel")["x"].agg(set).to_dict() == {"b": {0.05}, "d": {20}}
    assert table["mean"].notna().all()


def test_a_figure_of_another_scenario_is_measured_and_drawn(tmp_path):
    chosen = ["--panels", "a,d", "--schemes", "map,covariance_lasso", "--samples", 25, "--train-samples", 20]
    out = tmp_path / "own"
    done = invoke("reproduce", 9, "--scale", "smoke", "--G", 25, "--snr-db", 15, *chosen, "-o", out, "--workers", 1)
    assert done.exit_code == 0, done.output
    table = read(out / "results.csv")
    assert set(table["scheme"]) == {"map", "covariance_lasso"}
    assert set(table["snr_db"]) == {15}
    assert table["noise_var"].isna().all()
    assert table["mean"].notna().all()
    groups = table.groupby("panel")["activity.n_groups"].agg(set)
    assert groups.to_dict() == {"a": {25}, "d": {10, 20}}
    assert set(table.loc[table["quantity"] == "error_rate", "samples"]) >= {50}
    assert (out / "fig9.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "fig9_extras.png").exists()
