"""What an installed package must bring: types, commands and nothing that is not its own."""

from importlib.metadata import entry_points, metadata
from importlib.resources import files

import pytest

import mmvsolvers


@pytest.mark.parametrize("package", ["mmvsolvers", "mmvsolvers_nn"])
def test_brings_its_types(package):
    assert (files(package) / "py.typed").is_file()


def test_brings_its_commands():
    assert [entry.name for entry in entry_points(group="console_scripts", name="mmv")] == ["mmv"]
    commands = entry_points(group="mmvsolvers.commands")
    assert commands.names == {"train", "evaluate", "export", "coupling", "reproduce"}
    for entry in commands:
        assert callable(entry.load())


def test_says_its_version_and_how_to_go_on():
    said = metadata("mmvsolvers")
    assert said["Version"] == mmvsolvers.__version__
    assert said["License-Expression"] == "BSD-3-Clause"
    assert {"nn", "paper", "docs", "test"} <= set(said.get_all("Provides-Extra"))
