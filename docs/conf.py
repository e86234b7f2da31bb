"""How the documentation is built: ``sphinx-build -W docs build/site``, offline."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import mmvsolvers
import mmvsolvers_nn

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "mmvsolvers"
author = "The mmvsolvers developers"
copyright = author
version = release = mmvsolvers.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "leaderboard",
]
templates_path = ["_templates"]
exclude_patterns = ["_extensions"]
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = "mmvsolvers"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
# Pages without pages below them have nothing to show beside them.
html_sidebars = {
    page: [] for page in ("index", "paper", "benchmarks", "leaderboard", "changelog", "contributing", "citing")
}
html_static_path = ["_static"]
html_css_files = ["site.css"]

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc says the types in the field's words
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "image_scrapers": ("matplotlib",),
    "show_memory": False,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
}
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # links for the names below alone: docstrings say types in words
numpydoc_xref_aliases = {
    **{
        name: f"{package.__name__}.{name}"
        for package in (mmvsolvers, mmvsolvers_nn)
        for name in package.__all__
        if inspect.isclass(getattr(package, name))
    },
    "array_like": "numpy.typing.ArrayLike",
    "ndarray": "numpy.ndarray",
    "Path": "pathlib.Path",
    "Tensor": "torch.Tensor",
    "numpy.random.Generator": ":class:`numpy.random.Generator`",
    # numbers and words are not worth a link
    **{name: name for name in ("bool", "dict", "float", "int", "list", "str", "tuple")},
    **{name: f"collections.abc.{name.capitalize()}" for name in ("iterable", "mapping", "sequence")},
}
# What of other projects is linked to, by inventories that need no network; a test imports their names.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "inventories/python.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "torch": ("https://docs.pytorch.org/docs/stable/", "inventories/torch.txt"),
}
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "myst.header"]


# Absolute values in docstrings, |x|, are no substitutions; ``literals`` and code stay as they are.
_BARS = re.compile(r"(``.*?``|>>>.*)|\|")


def _escape_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [_BARS.sub(lambda found: found[1] or r"\|", line) for line in lines]


def setup(app: Any) -> None:
    """Register what Sphinx calls."""
    app.connect("autodoc-process-docstring", _escape_bars, priority=400)
