"""The version and the authors are said in one way wherever they are said."""

import re
from pathlib import Path

import mmvsolvers

ROOT = Path(__file__).parent.parent


def test_citations_name_this_version():
    assert f"version: {mmvsolvers.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    bibliography = (ROOT / "CITATION.bib").read_text()
    assert re.search(r"version *= \{" + re.escape(mmvsolvers.__version__) + r"\}", bibliography)
    entry = bibliography[: bibliography.index("@article")].strip()
    assert entry in (ROOT / "README.md").read_text()
