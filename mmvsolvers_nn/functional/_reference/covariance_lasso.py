"""Coordinate descent on covariance LASSO, differentiated by autograd."""

import torch
from torch import Tensor


def forward(G: Tensor, b: Tensor, lam: Tensor, value: Tensor, n_iter: int) -> Tensor:
    """Run ``n_iter`` sweeps from ``value`` (T, N); shapes as in `mmvsolvers_nn.functional.covariance_lasso`."""
    entries = list(value.unbind(dim=1))
    for _ in range(n_iter):
        for n in range(G.shape[0]):
            others = torch.stack(entries, dim=1) @ G[n] - entries[n] * G[n, n]
            minimum = (b[:, n] - others - lam) / G[n, n]
            entries[n] = torch.where(minimum > 0, minimum, 0.0)
    return torch.stack(entries, dim=1)
