import ast
import json
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
NOTEBOOKS = sorted((FOLDER / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs_and_says_something(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert "error rate" in capsys.readouterr().out


def test_everything_own_fits_into_sixty_lines():
    assert len((FOLDER / "own_everything.py").read_text().splitlines()) < 60


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_its_script_with_pictures(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])
    code = "\n\n".join("".join(cell["source"]) for cell in cells[1:])  # the first has the figures drawn inline
    script = ast.parse((FOLDER / "gallery" / f"plot_{path.stem}.py").read_text())
    script.body.pop(0)  # its docstring
    assert ast.dump(ast.parse(code)) == ast.dump(script)
