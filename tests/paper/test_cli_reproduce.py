import pytest
from typer.testing import CliRunner

from mmvsolvers.cli import main


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce",), "name figures, 3 to 12, or give --all"),
        (("reproduce", 3, "--all"), "name figures, 3 to 12, or give --all"),
        (("reproduce", 2, 3), "figures are 3 to 12; got 2"),
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
