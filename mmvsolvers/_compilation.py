"""Telling the user that time goes into a compilation, which the next run does not need."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_compilation(tell: Callable[[bool], None]) -> Iterator[None]:
    """Call ``tell(True)`` whenever Numba begins to compile, and ``tell(False)`` when it is done."""
    from numba.core import event

    class Listener(event.Listener):
        depth = 0  # one function's compilation includes that of the functions it calls

        def on_start(self, _: event.Event) -> None:
            self.depth += 1
            if self.depth == 1:
                tell(True)

        def on_end(self, _: event.Event) -> None:
            self.depth -= 1
            if self.depth == 0:
                tell(False)

    with event.install_listener("numba:compile", Listener()):
        yield
