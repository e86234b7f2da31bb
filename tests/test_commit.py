import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmvsolvers
from mmvsolvers import _commit


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder that holds the package, in no repository."""
    folder = tmp_path / "mmvsolvers"
    folder.mkdir()
    shutil.copy(Path(mmvsolvers.__file__), folder)
    monkeypatch.setattr(_commit, "_FOLDER", folder)
    _commit.commit.cache_clear()
    yield folder
    _commit.commit.cache_clear()


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=folder, check=True)


def test_outside_a_checkout_there_is_no_commit(package):
    assert _commit.commit() is None


def test_another_repository_around_the_package_is_not_its_own(package):
    git(package.parent, "init", "-q")
    git(package.parent, "commit", "-q", "--allow-empty", "-m", "other")
    assert _commit.commit() is None


def test_a_checkout_tells_its_commit_and_whether_code_was_changed(package):
    git(package.parent, "init", "-q")
    (package.parent / "README.md").write_text("read\n")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    found = _commit.commit()
    assert found
    assert "dirty" not in found
    (package.parent / "README.md").write_text("more\n")
    _commit.commit.cache_clear()
    assert _commit.commit() == found
    (package / "__init__.py").write_text("changed = True\n")
    _commit.commit.cache_clear()
    assert _commit.commit() == f"{found}-dirty"


def test_without_git_there_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent / "nowhere"))
    assert _commit.commit() is None
