"""Doing all tasks of some figures, side by side and resumably: every finding is a file as soon as there is one."""

import json
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Thread

from mmvsolvers._blas import one_thread
from mmvsolvers.paper.figures import SCHEMES, Figure
from mmvsolvers.scenario import Scenario
from mmvsolvers.writing import sole_user, write_text
from mmvsolvers_nn.paper.scales import Scale
from mmvsolvers_nn.paper.tasks import Finding, Point, Task, Timing, file_name, own_modules, uses_torch

Findings = dict[Task, dict[str, Finding]]


def tasks_of(figure: Figure, scale: Scale) -> list[Task]:
    """Return the tasks of one figure, those that the scale finds too expensive left out."""
    tasks: dict[Task, None] = {}
    for N in figure.N:
        for panel in figure.panels:
            for x in figure.abscissas(N, panel, scale.name):
                scenario = figure.scenario(N, panel, x)
                if panel.quantity == "seconds_per_sample":
                    tasks[Timing(scenario, figure.schemes)] = None
                else:
                    points = (points_of(scenario, scheme, scale) for scheme in (*figure.schemes, *figure.extras))
                    tasks |= {point: None for group in points for point in group}
    return list(tasks)


def points_of(scenario: Scenario, scheme: str, scale: Scale) -> list[Point]:
    """Return the points of one scheme in one scenario: a draw of the pilots each, or one training."""
    if not SCHEMES[scheme].is_learned:
        return [Point(scenario, scheme, draw) for draw in range(scale.samples[scenario.N].n_draws)]
    return [Point(scenario, scheme, 0)] if scale.largest_trained >= scenario.N else []


class Store:
    """The findings of one scale, a file each.

    Parameters
    ----------
    directory : Path
        Where they are, or go.
    scale : Scale
        Findings of another definition than the scale's are not looked at.
    """

    def __init__(self, directory: Path, scale: Scale) -> None:
        self.directory, self.scale = directory / "points", scale
        self.trainings = directory / "trainings"

    def load(self, task: Task) -> dict[str, Finding] | None:
        """Return what a task found, or None where it has not been done.

        Raises
        ------
        ValueError
            If its file is none of a point.
        """
        path = self._path(task)
        if not path.exists():
            return None
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["definition"] != task.definition(self.scale):
                return None
            return {scheme: Finding.from_json(fields["findings"][scheme]) for scheme in task.schemes}
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"{path} is no point of `mmv reproduce`; remove it to measure it again: {type(error).__name__}: {error}"
            ) from error

    def save(self, task: Task, findings: dict[str, Finding]) -> None:
        """Write what a task found, whole or not at all."""
        fields = {
            "definition": task.definition(self.scale),
            "findings": {scheme: asdict(found) for scheme, found in findings.items()},
        }
        write_text(self._path(task), json.dumps(fields, indent=1))

    def _path(self, task: Task) -> Path:
        return self.directory / f"{file_name(task, self.scale)}.json"


def run(
    figures: Sequence[Figure],
    store: Store,
    *,
    workers: int,
    cluster: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Do what has not been done yet, and return all findings.

    Parameters
    ----------
    figures : sequence of Figure
        What is wanted.
    store : Store
        Where findings are kept; what is there is not computed again.
    workers : int
        Processes on this machine.
    cluster : str, optional
        Address of a Dask scheduler to compute on instead, such as "tcp://10.0.0.1:8786".
    report : callable
        Called with the number of tasks done and of all tasks, at the start and whenever one is done.

    Raises
    ------
    OSError
        If another process measures into the same directory, or it cannot be written.
    ValueError
        If a file there is none of a point.
    """
    tasks = list(dict.fromkeys(task for figure in figures for task in tasks_of(figure, store.scale)))
    with sole_user(store.directory):
        findings: Findings = {task: found for task in tasks if (found := store.load(task)) is not None}
        open_tasks = [task for task in tasks if task not in findings]
        report(len(findings), len(tasks))
        for task, found in _done(open_tasks, store, workers, cluster):
            store.save(task, found)
            findings[task] = found
            report(len(findings), len(tasks))
    return {task: findings[task] for task in tasks}


def _done(
    tasks: Sequence[Task], store: Store, workers: int, cluster: str | None
) -> Iterator[tuple[Task, dict[str, Finding]]]:
    """Yield tasks as they are done: first trainings, the longest, then points, then times with nothing beside them."""
    from joblib import Parallel, delayed

    # A stable sort: large scenarios before small ones, and otherwise in the order of the figures.
    points = sorted((task for task in tasks if isinstance(task, Point)), key=_is_cheap)
    with _backend(workers, cluster):
        work = Parallel(n_jobs=workers, return_as="generator_unordered")
        parent = os.getpid() if cluster is None else None
        yield from work(
            delayed(_measure_there)(pickle.dumps(point), _folders(point.scenario), store.scale, store.trainings, parent)
            for point in points
        )
    for task in tasks:
        if isinstance(task, Timing):
            yield _measure(task, store.scale, store.trainings)


def _is_cheap(point: Point) -> tuple[bool, int]:
    return not point.is_training, -point.scenario.N


def _measure_there(
    point: bytes, folders: list[str], scale: Scale, directory: Path, parent: int | None
) -> tuple[Task, dict[str, Finding]]:
    """Measure a pickled point in another process, which looks for the point's own models in some folders, too."""
    if parent not in (None, os.getpid()):
        _end_with(parent)
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    return _measure(pickle.loads(point), scale, directory)


def _folders(scenario: Scenario) -> list[str]:
    """Return where Python has to look for a scenario's own models."""
    depths = (
        (file.resolve(), name.count(".") + (file.name == "__init__.py")) for name, file in own_modules(scenario).items()
    )
    return [str(file.parents[depth]) for file, depth in depths]


def _measure(task: Task, scale: Scale, directory: Path) -> tuple[Task, dict[str, Finding]]:
    if uses_torch(task):
        import torch  # noqa: F401  # before its threads are held: a library loaded later has all of them
    with one_thread():
        return task, task.measure(scale, directory)


@cache
def _end_with(parent: int) -> None:
    """Let this process end when its parent does, even a killed one: it would go on, and keep its training to itself."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _backend(workers: int, cluster: str | None) -> Iterator[None]:
    """Have joblib compute in processes of this machine, or on a Dask cluster."""
    from joblib import parallel_config

    if cluster is None:
        with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
            yield
        return
    from dask.distributed import Client

    with Client(cluster), parallel_config(backend="dask"):
        yield
