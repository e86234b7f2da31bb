"""The ``mmv`` command from its first moment on: Ctrl-C ends it with one line before anything is loaded, too."""

import os
import signal
from types import FrameType
from typing import NoReturn


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Leave at once. An exception could break into the loading of a library and come out as another one."""
    os.write(2, b"Interrupted\n")
    os._exit(130)


def main() -> None:
    """Load the command line and run it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from mmvsolvers.cli import main as command

    signal.signal(signal.SIGINT, before)
    try:
        command()
    finally:
        # nothing is left that Ctrl-C could end
        signal.signal(signal.SIGINT, signal.SIG_IGN)
