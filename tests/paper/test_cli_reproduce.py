import pandas as pd
import pytest
from typer.testing import CliRunner

from mmvsolvers.cli import main
from mmvsolvers.paper.results import merge, read


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
        (("reproduce", 9, "--at", "0.12,0.13", "--schemes", "ml"), "; got 0.13"),
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


def test_a_directory_keeps_what_else_was_measured_there(tmp_path):
    small = ["--scale", "smoke", "--samples", 3, "--train-samples", 3, "-o", tmp_path, "--workers", 1]
    assert invoke("reproduce", 9, "--panels", "a,c", "--schemes", "map", *small).exit_code == 0
    first = read(tmp_path / "results.csv")
    assert invoke("reproduce", 4, 9, "--panels", "a", "--schemes", "ml,map", *small).exit_code == 0
    both = read(tmp_path / "results.csv")
    assert both["figure"].is_monotonic_increasing
    points = set(zip(both["figure"], both["panel"], both["scheme"], strict=True))
    assert points == {(4, "a", "ml"), (4, "a", "map"), (9, "a", "ml"), (9, "a", "map"), (9, "c", "map")}
    kept = both[(both["figure"] == 9) & (both["scheme"] == "map")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[first.columns], first, check_dtype=False)
    refused = invoke("reproduce", 9, "--panels", "a", "--schemes", "ml", "--noise-var", 0.2, *small)
    assert refused.exit_code == 1
    assert "figure 9 has other scenarios there: noise_var was 0.1 and is now 0.2" in refused.stderr
    assert read(tmp_path / "results.csv").equals(both)


def test_only_what_was_measured_replaces_what_there_is():
    table = pd.DataFrame({"figure": 3, "panel": "a", "N": 100, "x": [0.1, 0.1, 0.2], "L": [10, 10, 20]})
    table = table.assign(scheme=["ml", "map", "ml"], quantity="mse", mean=[0.5, 0.6, 0.7])
    newer = table.assign(mean=[float("nan"), 0.1, 0.2])
    assert merge(table, newer)["mean"].tolist() == [0.5, 0.1, 0.2]
    assert merge(table.iloc[[2]], newer)["mean"].tolist()[0] == 0.2
    with pytest.raises(ValueError, match="L was 10 and is now 12; choose another directory"):
        merge(table, newer.assign(L=[12, 12, 20]))
