"""How the documentation is built: ``sphinx-build -W docs build/site``, offline."""

import re
import sys
from pathlib import Path
from typing import Any

import mmvsolvers

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "mmvsolvers"
author = "The mmvsolvers developers"
copyright = author
version = release = mmvsolvers.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
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
numpydoc_xref_param_type = False
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "myst.header"]


# Absolute values in docstrings, |x|, are no substitutions; ``literals`` and code stay as they are.
_BARS = re.compile(r"(``.*?``|>>>.*)|\|")


def _escape_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [_BARS.sub(lambda found: found[1] or r"\|", line) for line in lines]


def setup(app: Any) -> None:
    """Register what Sphinx calls."""
    app.connect("autodoc-process-docstring", _escape_bars, priority=400)
