"""What a running training tells: JSON lines, TensorBoard, a progress bar."""

import json
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmvsolvers._compilation import on_compilation
from mmvsolvers.writing import names_the_file, write_text
from mmvsolvers_nn.configuration import Configuration
from mmvsolvers_nn.files import LOG, TENSORBOARD
from mmvsolvers_nn.schemes import find_scheme


class Reporter:
    """Reports on one process's training run; used as a context manager.

    Parameters
    ----------
    directory : Path
        Of the run. ``log.jsonl`` in it gets one line an epoch.
    configuration : Configuration
        Of the run.
    epoch : int
        Epochs done before; later lines, of an interrupted epoch, are dropped from the log.
    enabled : bool
        Whether this process reports at all.
    progress : bool
        Whether a progress bar is drawn.
    """

    def __init__(
        self, directory: Path, configuration: Configuration, epoch: int, *, enabled: bool, progress: bool
    ) -> None:
        self.enabled, self.show_progress = enabled, enabled and progress
        self.directory, self.configuration, self.first_epoch = directory, configuration, epoch
        self.started = time.perf_counter()

    def __enter__(self) -> Self:
        """Open the log files and the progress bar."""
        self.resources = ExitStack()
        if self.enabled:
            _drop_lines_after(self.directory / LOG, self.first_epoch)
            self.tensorboard = self._tensorboard()
        if self.show_progress:
            self._start_bar()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        self.resources.close()

    def advance(self) -> None:
        """Count one optimiser step."""
        if self.show_progress:
            self.bar.advance(self.task)

    def compiling(self, begins: bool) -> None:
        """Say, or say no more, why there is no step yet."""
        if self.show_progress:
            self.bar.update(self.task, description="compiling, once" if begins else self.description)

    def epoch(self, **record: float) -> None:
        """Report on a finished epoch."""
        if not self.enabled:
            return
        record["seconds"] = round(time.perf_counter() - self.started, 3)
        log, events = self.directory / LOG, self.directory / TENSORBOARD
        with names_the_file(log), log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        if self.tensorboard is not None:
            with names_the_file(events):
                for name, value in record.items():
                    self.tensorboard.add_scalar(name, value, record["epoch"])
                self.tensorboard.flush()
        if self.show_progress:
            losses = f"train {record['train_loss']:.5f}  validation {record['validation_loss']:.5f}"
            since = int(record["epoch"] - record["best_epoch"])
            self.description = f"after epoch {record['epoch']}: {losses}  best {since} ago"
            self.bar.reset(self.task, description=self.description)

    def _tensorboard(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        with names_the_file(self.directory / TENSORBOARD):
            writer = SummaryWriter(self.directory / TENSORBOARD, purge_step=self.first_epoch + 1)
        self.resources.callback(_close, writer)
        return writer

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = self.resources.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
        )
        label = find_scheme(self.configuration.architecture.scheme).label
        steps = self.configuration.optimisation.steps_per_epoch
        self.description = f"{label}  epoch {self.first_epoch + 1}"
        self.task = self.bar.add_task(self.description, total=steps)
        self.resources.enter_context(on_compilation(self.compiling))


def _close(writer: Any) -> None:
    """Close TensorBoard's files; what they cannot hold has been said when they were written."""
    with suppress(OSError):
        writer.close()


def _drop_lines_after(log: Path, epoch: int) -> None:
    """Keep the lines of the epochs that the checkpoint knows of."""
    if not log.exists():
        return
    try:
        # A process killed while it wrote leaves half a line, which belongs to an epoch that is run again.
        lines = [line for line in log.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line in lines if json.loads(line)["epoch"] <= epoch]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{log} is no log of a training; remove it: {type(error).__name__}: {error}") from error
    write_text(log, "".join(kept))
