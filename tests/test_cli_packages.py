import re
import tomllib
from pathlib import Path

import pytest
import typer

from mmvsolvers.cli.packages import needs, require


def test_missing_packages_end_the_command_with_what_to_install(capsys):
    require("numpy")
    with pytest.raises(typer.Exit) as caught:
        require("numpy", "absent_one", "absent_two")
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == (
        "Error: this command needs absent_one and absent_two; install with: pip install absent_one absent_two\n"
    )
    assert needs(["dask"]) == "this command needs dask; install with: pip install 'dask[distributed]'"


def test_a_module_that_is_missing_later_is_named_too(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from mmvsolvers.cli import main

    def absent(*_, **__):
        raise ModuleNotFoundError("No module named 'dask'", name="dask.distributed")

    monkeypatch.setattr("mmvsolvers_nn.paper.run.run", absent)
    found = CliRunner().invoke(main, ["reproduce", "4", "--scale", "smoke", "--out", str(tmp_path)])
    assert found.exit_code == 1
    assert found.stderr.strip() == "Error: this command needs dask; install with: pip install 'dask[distributed]'"


def test_no_text_advises_to_install_what_no_index_holds():
    """This package itself is on none; extras are asked for in its source folder."""
    root = Path(__file__).parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for file in [*root.glob("mmvsolvers/**/*.py"), *root.glob("mmvsolvers_nn/**/*.py"), root / "README.md"]:
        text = file.read_text()
        assert not re.search(r"pip install ['\"]?mmvsolvers", text), file
        for wanted in re.findall(r"pip install .*?\.\[([\w,]+)\]", text):
            assert set(wanted.split(",")) <= extras.keys(), file
    listed = [requirement for extra in extras.values() for requirement in extra] + project["dependencies"]
    names = {re.match(r"[\w-]+", requirement).group() for requirement in listed}
    for file in [*root.glob("mmvsolvers/cli/*.py"), *root.glob("mmvsolvers_nn/cli/*.py")]:
        for call in re.findall(r"require\((.*?)\)", file.read_text()):
            assert set(re.findall(r"\"([\w-]+)\"", call)) <= names, file
