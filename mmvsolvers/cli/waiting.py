"""What a command shows on the terminal while it works: what it does, how much of it is done, and how long it will take.

A compilation, which the next run does not need, is called one and is in no forecast.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from mmvsolvers._compilation import on_compilation
from mmvsolvers.cli.compiling_ahead import compiled_ahead

if TYPE_CHECKING:
    from rich.progress import Progress

Result = TypeVar("Result")


class Forecast:
    """How long a series of tasks will still take, by what tasks of the same kind took.

    Parameters
    ----------
    kinds : sequence of str
        Of every task, in their order.
    guesses : mapping of str to float
        What the first task of a kind may take, in seconds. That these are all wrong by one factor is found out.
    """

    def __init__(self, kinds: Sequence[str], guesses: Mapping[str, float]) -> None:
        self.ahead, self.guesses = list(kinds), guesses
        self.known: dict[str, float] = {}
        self.firsts: list[float] = []

    def finish(self, seconds: float) -> None:
        """Take note of what the next task took."""
        kind = self.ahead.pop(0)
        if kind not in self.known:
            self.firsts.append(seconds)
        self.known[kind] = seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        guessed = sum(self.guesses[kind] for kind in self.known)
        factor = sum(self.firsts) / guessed if guessed else 1.0
        return sum(self.known.get(kind, factor * self.guesses[kind]) for kind in self.ahead)


@contextmanager
def bar(description: str, total: int | None = None) -> Iterator["Progress"]:
    """Show how many tasks are done, the time that went by and, where ``until`` is set, that to come.

    ``total`` is their number, where it is known.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Left(ProgressColumn):
        """Counts down to the end that is foreseen."""

        def render(self, task: Task) -> Text:
            until = task.fields["until"]
            if until is None or task.finished:
                return Text("")
            return Text(f"{clock(max(until - time.perf_counter(), 0.0))} left")

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Left()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, until=None)

        def tell(begins: bool) -> None:
            progress.update(task, description="compiling, once" if begins else description)

        with on_compilation(tell):
            yield progress


def counted(results: Iterable[Result], description: str, total: int | None = None) -> Iterator[Result]:
    """Yield what is computed one by one, with a bar of how many there are, of ``total`` if that is known."""
    with bar(description, total) as progress:
        for result in results:
            yield result
            progress.advance(progress.task_ids[0])


def foreseen(
    results: Iterable[Result],
    description: str,
    kinds: Sequence[str],
    probe: Callable[[str], float],
) -> Iterator[Result]:
    """Yield what is computed one by one, with a bar and the time that is left.

    Parameters
    ----------
    results : iterable
        Computed when they are asked for.
    description : str
        What is being done.
    kinds : sequence of str
        Of every result: those of a kind take about as long.
    probe : callable
        Computes something small of a kind, which compiles what it needs, and returns a guess of the seconds of the
        first result of that kind. Another process may compile for the last ones, if it can be pickled.
    """
    with bar(description, len(kinds)) as progress:
        different = list(dict.fromkeys(kinds))
        with compiled_ahead(probe, different):
            forecast = Forecast(kinds, {kind: probe(kind) for kind in different})
        started = time.perf_counter()
        for result in results:
            now = time.perf_counter()
            forecast.finish(now - started)
            started = now
            progress.update(progress.task_ids[0], advance=1, until=now + forecast.left)
            yield result


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
