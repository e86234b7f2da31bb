"""Compiled loops: arrays in, arrays out, nothing validated. Loaded on first use, since numba is slow to import."""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    return import_module(f"{__name__}.{name}")
