"""Training in several processes, as `torchrun` starts them; a single process takes the same path."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar
from zlib import crc32

import torch
from torch import Tensor, distributed

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that train together.

    Attributes
    ----------
    rank : int
        Number of this one, from 0. The first one writes the files.
    total : int
        How many there are.
    """

    rank: int = 0
    total: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def agree(self, work: Callable[[], Result]) -> Result:
        """Let the first process do something, and return what it returned, or raise what it raised, in all of them.

        Only the first one needs the files that ``work`` reads and writes.
        """
        if self.total == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.is_first:
            try:
                outcome[0] = work()
            except Exception as error:
                outcome[1] = error
        distributed.broadcast_object_list(outcome)
        if outcome[1] is not None:
            raise outcome[1]
        result: Result = outcome[0]
        return result

    def average(self, values: Iterable[Tensor]) -> None:
        """Replace tensors by their average over the processes, in one message."""
        tensors = list(values)
        if self.total == 1 or not tensors:
            return
        message = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(message)
        parts = torch.split(message / self.total, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that `torchrun` started, if it did: over NCCL on GPUs, over gloo on CPUs."""
    with selected(device):
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            yield Processes()
            return
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield Processes(distributed.get_rank(), distributed.get_world_size())
        finally:
            distributed.destroy_process_group()
            if device.type == "cpu":
                # gloo's threads let go of the last messages after this, for which they need the interpreter: where
                # Python ends meanwhile, the process aborts (https://github.com/pytorch/pytorch/pull/179291)
                time.sleep(0.1)


def selected(device: torch.device) -> AbstractContextManager[Any]:
    """Make a GPU the current one, on which streams, graphs and messages are: without it that is the first one."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def as_device(name: str | None) -> torch.device:
    """Return the device of a name, "cuda" being this process's own GPU; by default that if there is one, else the CPU.

    Raises
    ------
    ValueError
        If there is no such device, or it would be that of several processes.
    """
    n_gpus = torch.cuda.device_count()
    available = ["cpu", *["cuda"] * bool(n_gpus), *(f"cuda:{k}" for k in range(n_gpus))]
    name = name or ("cuda" if n_gpus else "cpu")
    if name not in available:
        raise ValueError(f"device must be one of {', '.join(available)}; got {name!r}")
    if name == "cuda":
        rank = int(os.environ.get("LOCAL_RANK", "0"))
        if rank >= n_gpus:
            raise ValueError(f"process {rank} of this machine finds no GPU of its own: there are {n_gpus}")
        return torch.device("cuda", rank)
    if name != "cpu" and int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > 1:
        raise ValueError(f"device must be 'cuda' with several processes, one GPU for each; got {name!r}")
    return torch.device(name)


def gpu_for(key: str) -> str | None:
    """Return one of the GPUs, if there are any: trainings of different keys are spread over them."""
    n_gpus = torch.cuda.device_count()
    return f"cuda:{crc32(key.encode()) % n_gpus}" if n_gpus else None
