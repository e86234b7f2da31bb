"""One step of the optimiser, run by Python or replayed as a CUDA graph."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmvsolvers_nn.autoencoders import AutoEncoder
from mmvsolvers_nn.distributed import Processes
from mmvsolvers_nn.sampling import Samples

# Steps on a side stream before a capture, by which libraries have allocated their workspaces.
_WARM_UP = 3


class TrainingStep:
    """Forward, backward, clipping, Adam; nothing in it waits for the device.

    A step whose gradient is not finite is skipped and counted: the parameters and Adam's moments stay as they are.

    Parameters
    ----------
    model : AutoEncoder
        What is trained.
    optimizer : torch.optim.Adam
        Over the trainable parameters of the model, with ``fused=True``.
    clip_norm : float
        Largest norm of the gradient.
    processes : Processes
        Between which gradients are averaged.

    Attributes
    ----------
    loss_sum, n_skipped : Tensor of shape (), float64
        Sum of the losses and number of the skipped steps since the last `reset`.
    """

    def __init__(self, model: AutoEncoder, optimizer: torch.optim.Adam, clip_norm: float, processes: Processes) -> None:
        self.model, self.optimizer, self.clip_norm, self.processes = model, optimizer, clip_norm, processes
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        zero = torch.zeros((), dtype=torch.float64, device=self.parameters[0].device)
        self.loss_sum, self.n_skipped = zero, zero.clone()

    def __call__(self, samples: Samples) -> None:
        """Take one step on a batch."""
        self.optimizer.zero_grad()
        loss = self.model.loss(samples.X, samples.Z, samples.activity)
        torch.autograd.backward(loss)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.processes.average(gradients)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        skipped = ~norm.isfinite()
        # The fused Adam's own switch for steps that a gradient scaler found to be infinite.
        self.optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self.loss_sum += torch.where(skipped, 0.0, loss.detach())
        self.n_skipped += skipped

    def reset(self, loss_sum: float = 0.0, n_skipped: float = 0.0) -> None:
        """Set the sums."""
        self.loss_sum.fill_(loss_sum)
        self.n_skipped.fill_(n_skipped)


def held_moments(step: TrainingStep, parameter: Tensor) -> dict[str, Tensor]:
    """Return a copy of what Adam remembers of a parameter; nothing before its first step."""
    return {name: moment.clone() for name, moment in step.optimizer.state.get(parameter, {}).items()}


def captured(step: TrainingStep, samples: Samples) -> Callable[[Samples], None]:
    """Capture a step as a CUDA graph, for batches of the shapes of ``samples``; parameters and moments stay as are.

    The device of the parameters must be the current one.
    """
    inputs = Samples(*(part.clone() for part in samples))
    parameters = [parameter.detach().clone() for parameter in step.parameters]
    moments = [held_moments(step, parameter) for parameter in step.parameters]
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            step(inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(inputs)
    restore(step, parameters, moments)

    def replay(batch: Samples) -> None:
        for held, part in zip(inputs, batch, strict=True):
            held.copy_(part, non_blocking=True)
        graph.replay()

    return replay


@torch.no_grad()
def restore(step: TrainingStep, parameters: list[Tensor], moments: list[dict[str, Tensor]]) -> None:
    """Undo the warm-up in place: the graph has the addresses of the tensors. A first step starts from zero moments."""
    for parameter, value, held in zip(step.parameters, parameters, moments, strict=True):
        parameter.copy_(value)
        for name, moment in step.optimizer.state.get(parameter, {}).items():
            moment.copy_(held[name] if name in held else torch.zeros_like(moment))
    step.reset()
