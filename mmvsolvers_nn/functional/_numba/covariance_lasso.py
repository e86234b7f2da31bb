"""Sweeps of coordinate descent on covariance LASSO on the CPU, and their derivatives."""

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from mmvsolvers_nn.functional._numba.arrays import array
from mmvsolvers_nn.functional._numba.linalg import add_scaled


def forward(
    gram: Tensor, correlation: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    value = start.clone(memory_format=torch.contiguous_format)
    history = torch.empty(len(value), n_iter if record else 0, *value.shape[1:], dtype=value.dtype)
    run_batch(*map(array, (gram, correlation, lam)), n_iter, value.numpy(), history.numpy())
    return value, history


def backward(
    gradient: Tensor, gram: Tensor, correlation: Tensor, lam: Tensor, value: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    by_value = gradient.clone(memory_format=torch.contiguous_format)
    values = torch.cat((history, value.unsqueeze(1)), dim=1)
    by_minimum = torch.zeros_like(history)
    reverse_batch(array(gram), array(values), by_value.numpy(), by_minimum.numpy())
    return *assemble(values, by_minimum), by_value


def assemble(values: Tensor, by_minimum: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives by gram, correlation and lam, given those by all visits' unscaled minima.

    A visit of device n sets r_n = (b_n - λ - Σ_{j≠n} G_nj r_j) / G_nn, where devices before n have the values after
    the sweep, and those behind it the values before.

    Parameters
    ----------
    values : Tensor of shape (T, n_iter + 1, N)
        Before every sweep, and after the last.
    by_minimum : Tensor of shape (T, n_iter, N)
        Derivatives by r_n divided by G_nn; 0 where r_n was clipped.
    """
    N = values.shape[2]
    weights = by_minimum.reshape(-1, N).mT
    before, after = values[:, :-1].reshape(-1, N), values[:, 1:].reshape(-1, N)
    by_gram = -(torch.tril(weights @ after) + torch.triu(weights @ before, diagonal=1))
    by_correlation = by_minimum.sum(dim=1)
    return by_gram, by_correlation, -by_correlation.sum(dim=1)


@njit(cache=True, parallel=True)
def run_batch(gram, correlation, lam, n_iter, value, history):
    """Run ``n_iter`` sweeps on T problems in place.

    gram is (N, N), correlation (T, N), lam (T,), value (T, N). Where history (T, n_iter, N) has room, the value before
    each sweep goes there.
    """
    for t in prange(value.shape[0]):
        run(gram, correlation[t], lam[t], n_iter, value[t], history[t])


@njit(cache=True)
def run(gram, correlation, lam, n_iter, value, history):
    """Run ``n_iter`` sweeps on one problem in place."""
    fit = np.dot(gram, value)
    for u in range(n_iter):
        if history.shape[0]:
            history[u] = value
        for n in range(value.size):
            minimum = max(value[n] + (correlation[n] - lam - fit[n]) / gram[n, n], 0.0)
            if minimum != value[n]:
                add_scaled(fit, minimum - value[n], gram[n])
                value[n] = minimum


@njit(cache=True, parallel=True)
def reverse_batch(gram, values, by_value, by_minimum):
    """Go back through all sweeps of T problems, filling by_minimum (T, n_iter, N); see `assemble`."""
    for t in prange(values.shape[0]):
        reverse(gram, values[t], by_value[t], by_minimum[t])


@njit(cache=True)
def reverse(gram, values, by_value, by_minimum):
    """Go back through all sweeps of one problem; ``by_value`` becomes the derivative by the start point."""
    for u in range(by_minimum.shape[0] - 1, -1, -1):
        for n in range(by_value.size - 1, -1, -1):
            if values[u + 1, n] > 0.0:
                weight = by_value[n] / gram[n, n]
                add_scaled(by_value, -weight, gram[n])
                by_minimum[u, n] = weight
            by_value[n] = 0.0
