"""Sweeps of coordinate descent on covariance LASSO on the CPU, and their derivatives."""

import numpy as np
import torch
from numba import prange
from torch import Tensor

from mmvsolvers._blas import parallel_code
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.covariance_lasso import step
from mmvsolvers_nn.functional._numba.arrays import array
from mmvsolvers_nn.functional._numba.linalg import add_scaled
from mmvsolvers_nn.functional._reference.covariance_lasso import assemble


def forward(
    gram: Tensor, correlation: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    value = start.clone(memory_format=torch.contiguous_format)
    history = torch.empty(len(value), n_iter if record else 0, *value.shape[1:], dtype=value.dtype)
    with parallel_code():
        run_batch(*map(array, (gram, correlation, lam)), n_iter, value.numpy(), history.numpy())
    return value, history


def backward(
    gradient: Tensor, gram: Tensor, correlation: Tensor, lam: Tensor, value: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    by_value = gradient.clone(memory_format=torch.contiguous_format)
    values = torch.cat((history, value.unsqueeze(1)), dim=1)
    by_minimum = torch.zeros_like(history)
    with parallel_code():
        reverse_batch(array(gram), array(values), by_value.numpy(), by_minimum.numpy())
    return *assemble(values, by_minimum), by_value


@entry(parallel=True)
def run_batch(gram, correlation, lam, n_iter, value, history):
    """Run ``n_iter`` sweeps on T problems in place.

    gram is (N, N), correlation (T, N), lam (T,), value (T, N). Where history (T, n_iter, N) has room, the value before
    each sweep goes there.
    """
    for t in prange(value.shape[0]):
        run(gram, correlation[t], lam[t], n_iter, value[t], history[t])


@njit()
def run(gram, correlation, lam, n_iter, value, history):
    """Run ``n_iter`` sweeps on one problem in place."""
    squares = np.sqrt(np.diag(gram))
    slack = correlation - np.dot(gram, value)
    for u in range(n_iter):
        if history.shape[0]:
            history[u] = value
        for n in range(value.size):
            change = step(n, slack[n], squares[n], lam, value)
            if change != 0.0:
                add_scaled(slack, -change, gram[n])


@entry(parallel=True)
def reverse_batch(gram, values, by_value, by_minimum):
    """Go back through all sweeps of T problems, filling by_minimum (T, n_iter, N); see `assemble`."""
    for t in prange(values.shape[0]):
        reverse(gram, values[t], by_value[t], by_minimum[t])


@njit()
def reverse(gram, values, by_value, by_minimum):
    """Go back through all sweeps of one problem; ``by_value`` becomes the derivative by the start point."""
    for u in range(by_minimum.shape[0] - 1, -1, -1):
        for n in range(by_value.size - 1, -1, -1):
            if values[u + 1, n] > 0.0:
                weight = by_value[n] / gram[n, n]
                add_scaled(by_value, -weight, gram[n])
                by_minimum[u, n] = weight
            by_value[n] = 0.0
