"""Make the notebooks beside this file from scripts of the gallery, with their output.

``python examples/notebooks/make.py`` needs the extra ``docs``, and nbclient and ipykernel.
"""

import json
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

HERE = Path(__file__).parent
GALLERY = HERE.parent / "gallery"
NAMES = ("compare", "roc")


def unexecuted(name):
    """Return the notebook of a script, without output."""
    _, blocks = split_code_and_text_blocks(GALLERY / f"plot_{name}.py")
    notebook = jupyter_notebook(blocks, {**DEFAULT_GALLERY_CONF, "first_notebook_cell": "%matplotlib inline"}, GALLERY)
    return nbformat.reads(json.dumps(notebook), as_version=4)


if __name__ == "__main__":
    for name in NAMES:
        notebook = unexecuted(name)
        NotebookClient(notebook).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times of this machine
        nbformat.write(notebook, HERE / f"{name}.ipynb")
