"""Sweeps of coordinate descent on covariance LASSO on CUDA, and their derivatives. A kernel makes one sweep."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from mmvsolvers_nn.functional._reference.covariance_lasso import assemble
from mmvsolvers_nn.functional._triton.tiles import launch, padded


def forward(
    gram: Tensor, correlation: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    T, N = start.shape
    value = start.clone(memory_format=torch.contiguous_format)
    history = value.new_empty(T, n_iter if record else 0, N)
    inputs = gram.contiguous(), correlation.contiguous(), lam.contiguous()
    for u in range(n_iter):
        if record:
            history[:, u] = value
        launch(sweep, value, *inputs, value, N, on_chip=N, **padded(N=N))
    return value, history


def backward(
    gradient: Tensor, gram: Tensor, correlation: Tensor, lam: Tensor, value: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    N = value.shape[1]
    by_value = gradient.clone(memory_format=torch.contiguous_format)
    by_minima = torch.empty_like(history)
    values = torch.cat((history, value.unsqueeze(1)), dim=1)
    G = gram.contiguous()
    for u in reversed(range(history.shape[1])):
        by_minimum = torch.zeros_like(value, memory_format=torch.contiguous_format)
        after = values[:, u + 1].contiguous()
        launch(reverse_sweep, value, G, after, by_value, by_minimum, N, on_chip=N, **padded(N=N))
        by_minima[:, u] = by_minimum
    return *assemble(values, by_minima), by_value


@triton.jit
def sweep(gram, correlation, lam, value, N, BLOCK_N: tl.constexpr):
    """Visit every device of one problem once, in place.

    gram is (N, N), correlation (T, N), lam (T,), value (T, N).
    """
    t = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, BLOCK_N)
    r = tl.load(value + t * N + j, mask=j < N, other=0.0)
    weight = tl.load(lam + t)
    for n in range(N):
        row = tl.load(gram + n * N + j, mask=j < N, other=0.0)
        slack = tl.load(correlation + t * N + n) - weight - tl.sum(row * r)
        minimum = tl.sum(tl.where(j == n, r, 0.0)) + slack / tl.load(gram + n * N + n)
        r = tl.where(j == n, tl.maximum(minimum, 0.0), r)
    tl.store(value + t * N + j, r, mask=j < N)


@triton.jit
def reverse_sweep(gram, after, by_value, by_minimum, N, BLOCK_N: tl.constexpr):
    """Go back through one sweep of one problem: by_value (T, N) in place, by_minimum (T, N) where r_n > 0."""
    t = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, BLOCK_N)
    by_r = tl.load(by_value + t * N + j, mask=j < N, other=0.0)
    for back in range(N):
        n = N - 1 - back
        if tl.load(after + t * N + n) > 0.0:
            row = tl.load(gram + n * N + j, mask=j < N, other=0.0)
            weight = tl.sum(tl.where(j == n, by_r, 0.0)) / tl.load(gram + n * N + n)
            by_r -= weight * row
            tl.store(by_minimum + t * N + n, weight)
        by_r = tl.where(j == n, 0.0, by_r)
    tl.store(by_value + t * N + j, by_r, mask=j < N)
