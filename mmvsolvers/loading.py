"""A user's own objects, named on the command line or in a configuration."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from mmvsolvers.validation import did_you_mean


def load_object(where: str) -> Any:
    """Return the object at ``file.py:object`` or ``module:object``.

    A module is looked for where Python looks for it and in the current folder. A file may import what lies beside it.

    Raises
    ------
    ValueError
        If ``where`` has another form, or the module has no such object.
    FileNotFoundError
        If there is no such file.
    ImportError
        If there is no such module.
    """
    place, _, name = where.rpartition(":")
    if not place or not name:
        raise ValueError(f"an own object is named file.py:object or module:object; got {where!r}")
    module = _from_file(Path(place)) if place.endswith(".py") else import_here(place)
    if not hasattr(module, name):
        hint = did_you_mean(name, vars(module))
        raise ValueError("; ".join(filter(None, (f"{place} has no object {name!r}", hint))))
    return getattr(module, name)


def import_here(name: str) -> ModuleType:
    """Import a module from where Python looks for it, or from the current folder."""
    with _looking_in(Path.cwd()):
        return import_module(name)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "").resolve() == path.resolve():
        return known
    if known is not None:
        raise ValueError(f"{path} would hide the loaded module {path.stem!r}; give the file another name")
    loader = SourceFileLoader(path.stem, str(path))
    module = module_from_spec(ModuleSpec(path.stem, loader, origin=str(path)))
    module.__file__ = str(path)
    # Under its name, so that its objects can be pickled and sent to other processes.
    sys.modules[path.stem] = module
    try:
        with _looking_in(path.resolve().parent):
            loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


@contextmanager
def _looking_in(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
