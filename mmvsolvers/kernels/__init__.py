"""Compiled loops: arrays in, arrays out, nothing validated. Loaded on first use, since numba is slow to import."""

from importlib import import_module
from types import ModuleType

from mmvsolvers._blas import interrupts_deferred


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    # numba cannot be loaded a second time where Ctrl-C has broken into the first
    with interrupts_deferred():
        return import_module(f"{__name__}.{name}")
