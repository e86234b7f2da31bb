import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs_and_says_something(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert "error rate" in capsys.readouterr().out


def test_everything_own_fits_into_sixty_lines():
    assert len((EXAMPLES[0].parent / "own_everything.py").read_text().splitlines()) < 60
