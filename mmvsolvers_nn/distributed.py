"""Training in several processes, as `torchrun` starts them; a single process takes the same path."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor, distributed


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
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def as_device(name: str | None) -> torch.device:
    """Return the device of a name; by default this process's own GPU if there is one, else the CPU.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    n_gpus = torch.cuda.device_count()
    available = ["cpu", *["cuda"] * bool(n_gpus), *(f"cuda:{k}" for k in range(n_gpus))]
    if name is None:
        return torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if n_gpus else "cpu")
    if name not in available:
        raise ValueError(f"device must be one of {', '.join(available)}; got {name!r}")
    return torch.device(name)


def gpu_for(key: str) -> str | None:
    """Return one of the GPUs, if there are any: trainings of different keys are spread over them."""
    n_gpus = torch.cuda.device_count()
    return f"cuda:{crc32(key.encode()) % n_gpus}" if n_gpus else None
