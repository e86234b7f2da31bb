"""What a running training tells: JSON lines, TensorBoard, a progress bar."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmvsolvers.writing import write_text
from mmvsolvers_nn.configuration import Configuration
from mmvsolvers_nn.files import LOG
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
            self.log = self.resources.enter_context((self.directory / LOG).open("a"))
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

    def epoch(self, **record: float) -> None:
        """Report on a finished epoch."""
        if not self.enabled:
            return
        record["seconds"] = round(time.perf_counter() - self.started, 3)
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()
        if self.tensorboard is not None:
            for name, value in record.items():
                self.tensorboard.add_scalar(name, value, record["epoch"])
            self.tensorboard.flush()
        if self.show_progress:
            losses = f"train {record['train_loss']:.5f}  validation {record['validation_loss']:.5f}"
            since = int(record["epoch"] - record["best_epoch"])
            self.bar.reset(self.task, description=f"after epoch {record['epoch']}: {losses}  best {since} ago")

    def _tensorboard(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        writer = SummaryWriter(self.directory / "tensorboard", purge_step=self.first_epoch + 1)
        self.resources.callback(writer.close)
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
        self.task = self.bar.add_task(f"{label}  epoch {self.first_epoch + 1}", total=steps)


def _drop_lines_after(log: Path, epoch: int) -> None:
    """Keep the lines of the epochs that the checkpoint knows of."""
    if not log.exists():
        return
    try:
        # A process killed while it wrote leaves half a line, which belongs to an epoch that is run again.
        lines = [line for line in log.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line in lines if json.loads(line)["epoch"] <= epoch]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{log} is no log of a training; remove it: {type(error).__name__}: {error}") from error
    write_text(log, "".join(kept))
