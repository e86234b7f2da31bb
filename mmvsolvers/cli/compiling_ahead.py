"""Compiling on a second core what is needed last, while here is compiled what is needed first."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mmvsolvers._compilation import on_compilation

_HELPER = "import pickle, sys\nprobe, kinds = pickle.load(sys.stdin.buffer)\nfor kind in kinds: probe(kind)"


@contextmanager
def compiled_ahead(probe: Callable[[str], Any], kinds: Sequence[str]) -> Iterator[None]:
    """Let another process probe ``kinds`` from the last to the first, from the first compilation here on.

    What it compiles is found on the disk. It is help and nothing else: it ends with the block, says nothing, and is
    done without where there is one core, where nothing is compiled, or where ``probe`` cannot be pickled.
    """
    helpers: list[subprocess.Popen[bytes]] = []

    def tell(begins: bool) -> None:
        if begins and not helpers:
            with suppress(Exception):
                task = pickle.dumps((probe, list(kinds)[::-1]))
                helpers.append(_start())
                _hand(helpers[0], task)

    if _n_cores() == 1:
        yield
        return
    with on_compilation(tell):
        try:
            yield
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()


def _n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> subprocess.Popen[bytes]:
    # Ctrl-C on the terminal is for this process alone
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _HELPER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _hand(helper: subprocess.Popen[bytes], task: bytes) -> None:
    assert helper.stdin is not None, "it is a pipe"
    with helper.stdin as stream:
        stream.write(task)
