import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmvsolvers
from mmvsolvers import _versions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder that holds the package, in no repository."""
    folder = tmp_path / "mmvsolvers"
    folder.mkdir()
    shutil.copy(Path(mmvsolvers.__file__), folder)
    monkeypatch.setattr(_versions, "_FOLDER", folder)
    _versions.commit.cache_clear()
    yield folder
    _versions.commit.cache_clear()


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=folder, check=True)


def test_outside_a_checkout_there_is_no_commit(package):
    assert _versions.commit() is None


def test_another_repository_around_the_package_is_not_its_own(package):
    git(package.parent, "init", "-q")
    git(package.parent, "commit", "-q", "--allow-empty", "-m", "other")
    assert _versions.commit() is None


def test_a_checkout_tells_its_commit_and_whether_code_was_changed(package):
    git(package.parent, "init", "-q")
    (package.parent / "README.md").write_text("read\n")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    found = _versions.commit()
    assert found
    assert "dirty" not in found
    (package.parent / "README.md").write_text("more\n")
    _versions.commit.cache_clear()
    assert _versions.commit() == found
    (package / "__init__.py").write_text("changed = True\n")
    _versions.commit.cache_clear()
    assert _versions.commit() == f"{found}-dirty"


def test_without_git_there_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent / "nowhere"))
    assert _versions.commit() is None


def test_versions_name_the_commit_where_there_is_one(monkeypatch):
    monkeypatch.setattr(_versions, "commit", lambda: "v1-3-gabc")
    assert f", mmvsolvers {mmvsolvers.__version__} (v1-3-gabc), numpy " in _versions.versions()
    monkeypatch.setattr(_versions, "commit", lambda: None)
    assert _versions.versions("absent").endswith(", absent not installed")
    assert "(" not in _versions.versions()
