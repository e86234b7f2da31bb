"""What help() and the site show of every public name: a readable signature and an example that is true."""

import doctest
import inspect
from pathlib import Path

import pytest

import mmvsolvers
import mmvsolvers_nn
from mmvsolvers.registry import _REGISTRY
from mmvsolvers_nn import functional

PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (mmvsolvers, mmvsolvers_nn, functional)
    for name in package.__all__
    if callable(getattr(package, name))
}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Examples may register solvers; other tests must not see them."""
    monkeypatch.setattr(_REGISTRY, "_solvers", dict(_REGISTRY._solvers))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_true_example(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(PUBLIC[name])
    assert "\nExamples\n--------\n" in text
    example = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, name, None, None)
    assert example.examples
    doctest.DocTestRunner().run(example)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_name_their_types(name):
    if not issubclass(type(PUBLIC[name]), type) or "__init__" in vars(PUBLIC[name]):
        annotations = inspect.signature(PUBLIC[name]).parameters.values()
        assert not any("Union[" in str(parameter) or "_typing" in str(parameter) for parameter in annotations)


def test_the_reference_lists_every_public_name():
    pages = {"mmvsolvers": mmvsolvers, "mmvsolvers_nn": mmvsolvers_nn, "functional": functional}
    for page, package in pages.items():
        text = (Path(__file__).parent.parent / "docs" / "api" / f"{page}.rst").read_text().splitlines()
        listed = [line.strip() for line in text if line.startswith("   ") and not line.strip().startswith(":")]
        missing = {*package.__all__} - {"__version__", *listed}
        assert not missing, f"add them to docs/api/{page}.rst"
        assert {*listed} <= {*package.__all__}
