import pickle
import sys

import pytest

from mmvsolvers.loading import load_object


@pytest.fixture(autouse=True)
def _forgets():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_loads_from_a_file_what_may_import_its_neighbours(tmp_path):
    (tmp_path / "beside_mine.py").write_text("FACTOR = 3\n")
    path = tmp_path / "mine_of_a_user.py"
    path.write_text("from beside_mine import FACTOR\ndef triple(x): return FACTOR * x\n")
    found = load_object(f"{path}:triple")
    assert found(2) == 6
    assert load_object(f"{path}:triple") is found
    assert str(tmp_path) not in sys.path


def test_loads_from_a_module_here_or_installed(tmp_path, monkeypatch):
    (tmp_path / "here_of_a_user.py").write_text("answer = 42\n")
    monkeypatch.chdir(tmp_path)
    assert load_object("here_of_a_user:answer") == 42
    assert load_object("math:pi") == pytest.approx(3.14159, abs=1e-5)


def test_what_was_loaded_can_be_pickled(tmp_path):
    path = tmp_path / "pickled_of_a_user.py"
    path.write_text("class Mine:\n    pass\n")
    assert isinstance(pickle.loads(pickle.dumps(load_object(f"{path}:Mine")())), load_object(f"{path}:Mine"))


@pytest.mark.parametrize(
    ("where", "error", "words"),
    [
        ("mine.py", ValueError, "file.py:object or module:object; got 'mine.py'"),
        ("mine.py:", ValueError, "file.py:object or module:object"),
        ("nowhere/mine.py:f", FileNotFoundError, "no such file: nowhere/mine.py"),
        ("no_such_module:f", ImportError, "no_such_module"),
        ("math:sine", ValueError, "math has no object 'sine'; did you mean 'sin'?"),
    ],
)
def test_says_what_is_wrong(where, error, words):
    with pytest.raises(error, match=words.replace("?", r"\?").replace("(", r"\(")):
        load_object(where)


def test_a_file_that_fails_leaves_nothing_behind(tmp_path):
    path = tmp_path / "fails_of_a_user.py"
    path.write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            load_object(f"{path}:f")
    assert "fails_of_a_user" not in sys.modules


def test_no_file_hides_a_loaded_module(tmp_path):
    path = tmp_path / "pickle.py"
    path.write_text("f = 1\n")
    with pytest.raises(ValueError, match="would hide the loaded module 'pickle'"):
        load_object(f"{path}:f")
