"""Sweeps of a sequential solver as one torch operator with its own backward, and the choice of what runs them."""

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from mmvsolvers.validation import as_choice, as_count

BACKENDS = ("auto", "reference", "numba", "triton", "blocked")
# A CUDA program that makes a sweep alone holds Σ⁻¹ on chip, and twice that going back, which ends here.
LONGEST_ON_CHIP = 48


def sweep_operator(name: str, *arguments: str, blocked: bool = False) -> Callable[..., Tensor]:
    """Make the function that runs the sweeps of algorithm ``name``, differentiable in all its tensors.

    Every backend has a module of that name. Its ``forward(*tensors, n_iter, record)`` returns the last iterate, like
    the last tensor, (T, ...), and the history (T, n_iter, ...) of the iterates before each sweep, or (T, 0, ...) if it
    is not to be recorded. Its ``backward(gradient, *tensors, value, history)`` takes the derivative by the last
    iterate and returns those by all tensors; of them, ``tensors`` lacks the last one, which ``history`` begins with.
    The reference needs neither: its ``forward(*tensors, n_iter)`` is differentiated by autograd.

    Parameters
    ----------
    name : str
        The algorithm.
    *arguments : str
        Names of the tensors it takes, the start point last. The first is the pilots where the sweeps are also to be
        had by blocks.
    blocked : bool, default False
        Whether they are.

    Returns
    -------
    callable
        ``run(*tensors, n_iter=, backend=)`` returns the last iterate.
    """
    operator = _register(name, arguments)

    def run(*tensors: Tensor, n_iter: int, backend: str) -> Tensor:
        n_iter = as_count("n_iter", n_iter, at_least=0)
        resolved = resolve_backend(backend, tensors[0].device, blocked and tensors[0].shape[0])
        if resolved == "reference":
            value: Tensor = _module(resolved, name).forward(*tensors, n_iter)
            return value
        if not torch.compiler.is_compiling() and any(map(_has_tangent, tensors)):
            raise NotImplementedError(
                f"sweeps have derivatives by reverse mode alone, unless backend='reference'; got {name} in forward mode"
            )
        record = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        value, _ = operator(*tensors, n_iter, record, resolved)
        return value

    return run


def resolve_backend(backend: str, device: torch.device, blocked_length: int = 0) -> str:
    """Return the backend that ``backend`` stands for on ``device``.

    Parameters
    ----------
    backend : str
        One of `BACKENDS`.
    device : torch.device
        Where the tensors are.
    blocked_length : int, default 0
        Pilot length of an algorithm whose sweeps are also to be had by blocks; 0 for others.

    Raises
    ------
    ValueError
        For an unknown backend, and for one that does not run on ``device`` or does not have this algorithm.
    ImportError
        For Triton where it is not installed.
    """
    as_choice("backend", backend, BACKENDS)
    if backend == "auto":
        backend = {"cpu": "numba", "cuda": "triton"}.get(device.type, "reference")
        if device.type != "cpu" and blocked_length > (LONGEST_ON_CHIP if backend == "triton" else 0):
            backend = "blocked"
    if backend == "blocked" and not blocked_length:
        raise ValueError("backend='blocked' is for ml_cd, map_cd and group_lasso_bcd alone; choose 'auto'")
    if backend == "numba" and device.type != "cpu":
        raise ValueError(f"backend='numba' needs tensors on the CPU; got {device}")
    if backend == "triton":
        if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
            raise ValueError(f"backend='triton' needs tensors on a CUDA device; got {device}")
        if find_spec("triton") is None:
            raise ImportError(
                "backend='triton' needs the package triton: install it, or choose backend='reference', which is slow"
            )
    return backend


def _has_tangent(tensor: Tensor) -> bool:
    return unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def _module(backend: str, name: str) -> ModuleType:
    # On first use: numba is slow to import, and triton may be missing.
    return import_module(f"mmvsolvers_nn.functional._{backend}.{name}")


def _register(name: str, arguments: tuple[str, ...]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Register ``mmvsolvers::name`` and ``mmvsolvers::name_backward`` with torch."""
    forward = torch.library.custom_op(
        f"mmvsolvers::{name}",
        lambda *args: _module(args[-1], name).forward(*args[:-1]),
        mutates_args=(),
        schema=f"({_tensors(arguments)}, int n_iter, bool record, str backend) -> (Tensor, Tensor)",
    )
    backward = torch.library.custom_op(
        f"mmvsolvers::{name}_backward",
        lambda *args: _module(args[-1], name).backward(*args[:-1]),
        mutates_args=(),
        schema=f"({_tensors(('gradient', *arguments[:-1], 'value', 'history'))}, str backend) "
        f"-> ({', '.join('Tensor' for _ in arguments)})",
    )

    def fake_forward(*args: Any) -> tuple[Tensor, Tensor]:
        *_, start, n_iter, record, _backend = args
        T, *shape = start.shape
        return start.new_empty(start.shape), start.new_empty(T, n_iter if record else 0, *shape)

    def fake_backward(gradient: Tensor, *args: Any) -> tuple[Tensor, ...]:
        *tensors, _history, _backend = args
        return tuple(tensor.new_empty(tensor.shape) for tensor in tensors)

    def save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        *tensors, _start, _n_iter, _record, ctx.backend = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*tensors, *output)

    def differentiate(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *backward(gradient, *ctx.saved_tensors, ctx.backend), None, None, None

    forward.register_fake(fake_forward)
    backward.register_fake(fake_backward)
    forward.register_autograd(differentiate, setup_context=save)
    return forward


def _tensors(names: tuple[str, ...]) -> str:
    return ", ".join(f"Tensor {name}" for name in names)
