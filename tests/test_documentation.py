"""Every page of the site whose code a user would copy is run, block after block, in an empty directory.

A Python block with a caption is the file of that name; other Python blocks share one namespace, and shell blocks run
beside them. A comment ``.. needs: PACKAGE`` skips a page where that is not installed. The build runs the gallery.
"""

import doctest
import os
import re
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent

import matplotlib
import pytest

from mmvsolvers.registry import _REGISTRY

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"^(?P<indent> *)\.\. (?:code-block|doctest|needs):+ *(?P<language>\w*)\n(?P<options>(?: +:.*\n)*)\n*"
    r"(?P<body>(?:(?P=indent) {3,}.*\n|\n)*)",
    re.MULTILINE,
)
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page
    for folder in (".", "guide", "howto", "theory")  # the others are what the build writes
    for page in (ROOT / "docs" / folder).glob("*.rst")
    if BLOCK.search(page.read_text())
)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty directory that Python imports from, with figures that open no window, and a registry to throw away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(_REGISTRY, "_solvers", dict(_REGISTRY._solvers))
    matplotlib.use("agg")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def run_python(body, name, namespace):
    if body.lstrip().startswith(">>>"):
        example = doctest.DocTestParser().get_doctest(body, namespace, name, name, 0)
        assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
        namespace.update(example.globs)
    else:
        exec(compile(body, name, "exec"), namespace)


def run_shell(body):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", body], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs").with_suffix("")))
def test_the_code_of_a_page_works(page, workplace):
    namespace = {"__name__": "__main__"}
    for block in BLOCK.finditer(page.read_text()):
        body, language = dedent(block["body"]), block["language"]
        if ".. needs:" in block.group():
            if find_spec(language) is None:
                pytest.skip(f"needs {language}, which is not installed")
        elif caption := re.search(r":caption: *(\S+)", block["options"]):
            (workplace / caption[1]).write_text(body)
        elif language == "sh":
            run_shell(body)
        elif language in ("python", ""):
            run_python(body, page.name, namespace)
        else:
            assert (page.stem, language) == ("matlab", "matlab"), f"{page.name}: nothing runs {language}"


def test_the_python_of_the_readme_works(capsys):
    blocks = [
        block["body"] for block in FENCE.finditer((ROOT / "README.md").read_text()) if block["language"] == "python"
    ]
    assert blocks
    namespace = {"__name__": "__main__"}
    for body in blocks:
        run_python(body, "README.md", namespace)
    assert "0.00" in capsys.readouterr().out


def test_what_is_linked_to_of_other_projects_exists():
    inventories = sorted((ROOT / "docs" / "inventories").glob("*.txt"))
    assert inventories
    for line in (line for file in inventories for line in file.read_text().splitlines() if not line.startswith("#")):
        name, _, page = line.split()
        assert page.endswith(".html")
        resolve_name(name if "." in name else f"builtins:{name}")  # raises where there is none


@pytest.mark.needs("sphinx")
def test_the_leaderboard_compares_on_the_same_draws():
    leaderboard = runpy.run_path(str(ROOT / "docs" / "_extensions" / "leaderboard.py"))
    row = {"case": "easy", "L": "8", "samples": "10", "mse": "0.5", "agree": ""}
    measured = [("ml", "0", 0.2), ("ml", "1", 0.4), ("gibbs", "1", 0.1)]
    rows = [row | {"decoder": name, "draw": draw, "error_rate": str(rate)} for name, draw, rate in measured]
    rows[2]["agree"] = "0.9"
    assert list(leaderboard["tables"](rows)) == [
        ("easy, L=8", [("gibbs", "0.1", "1.00", "0.5", "1 × 10"), ("ml", "0.3", "4.00", "0.5", "2 × 10")])
    ]


@pytest.mark.skipif(shutil.which("octave") is None, reason="needs octave, which is not installed")
def test_the_matlab_script_works_in_octave(workplace):
    shutil.copy(ROOT / "examples" / "matlab" / "detect.m", workplace)
    done = subprocess.run(
        ["octave", "--no-gui", "--norc", "detect.m"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(\d+) active devices, 0 wrong decisions", done.stdout)
