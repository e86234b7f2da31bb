import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main


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
