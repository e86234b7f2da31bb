import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import installed, main


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_shows_its_commands(arguments):
    done = run(*arguments)
    assert done.exit_code == 0
    assert all(command in done.stdout for command in ("compare", "solve", "train", "evaluate", "export"))
    assert not done.stderr


def test_shows_its_version():
    assert run("--version").stdout == f"mmvsolvers {mmv.__version__}\n"


def test_help_shows_defaults_in_brackets():
    assert "[by rule]" in run("compare", "-h").stdout


def test_an_unknown_command_is_an_error_of_usage():
    done = run("compre")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: No such command 'compre'")
    assert done.stderr.count("\n") == 1


def test_the_commands_of_the_learned_schemes_are_entry_points():
    root = Path(mmv.__file__).parent.parent
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"][installed.ENTRY_POINTS]
    found = {entry.name: entry.value for entry in entry_points(group=installed.ENTRY_POINTS)}
    assert declared.items() <= found.items(), "install anew: pip install --no-deps -e ."


def test_a_broken_command_takes_no_other_away(monkeypatch):
    group = installed.ENTRY_POINTS
    entries = [
        EntryPoint("absent", "module_that_is_absent:command", group),
        EntryPoint("hello", "textwrap:dedent", group),
        EntryPoint("wrong", "textwrap:nothing", group),
    ]
    monkeypatch.setattr(installed, "entry_points", lambda group: entries)
    app = typer.Typer(cls=type(typer.main.get_command(main)))
    app.command("hello")(lambda: typer.echo("own"))
    installed.add_installed(app)
    runner = CliRunner()
    assert runner.invoke(app, ["hello"]).stdout == "own\n"
    found = runner.invoke(app, ["absent", "--any", "thing"])
    assert (found.exit_code, "this command needs module_that_is_absent" in found.stderr) == (1, True)
    found = runner.invoke(app, ["wrong", "--help"])
    assert (found.exit_code, "the command wrong of textwrap:nothing cannot be loaded" in found.stderr) == (1, True)


WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from mmvsolvers.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "reproduce"])
def test_learned_schemes_without_torch_are_there_and_name_what_to_install(command):
    arguments = {"train": ["amp_nn", "-o", "x"], "export": ["x", "y.mat"], "reproduce": ["3"]}.get(command, ["x"])
    done = [
        subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True, check=False)
        for words in (["--help"], [command, *arguments])
    ]
    assert done[0].returncode == 0
    assert re.search(rf"\b{command}\b", done[0].stdout)
    assert done[1].returncode == 1
    assert re.fullmatch(r"Error: this command needs torch.*; install with: pip install torch.*\n", done[1].stderr)
