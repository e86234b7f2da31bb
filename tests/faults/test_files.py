"""A quick share of the malformed files and full disks; README.md tells what the whole of them found."""

import sys

import pytest

from faults import disks, files

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")


def test_malformed_files_are_refused_in_a_line(tmp_path):
    found = files.outcomes(files.QUICK, tmp_path)
    assert len(found) >= 60
    assert {name: outcome for name, outcome in found.items() if outcome != "refused"} == {}


def test_flipped_bits_are_solved_or_refused(tmp_path):
    assert set(files.flipped(tmp_path, 5)) <= {"solved", "refused"}


@posix
@pytest.mark.parametrize("name", ["solve .npz", "solve .h5", "compare svg"])
def test_a_full_disk_is_named_and_leaves_nothing(name, tmp_path):
    command = disks.commands(tmp_path, with_torch=False)[name]
    assert set(disks.full_disks(name, command, tmp_path / "out", (0.0, 0.5))) == {"refused"}
    assert disks.read_only(command, tmp_path / "out") == "refused"


@posix
def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "out").mkdir()
    command = disks.commands(tmp_path, with_torch=False)["solve .npz"]
    assert disks.old_file_stays(command, tmp_path / "out" / "x.npz")


def test_no_result_is_lost_to_an_encoding(tmp_path):
    found = disks.encodings(tmp_path, ("cp1252",))
    assert set(found.values()) == {"done"}, found
