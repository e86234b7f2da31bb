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


def assemble(values: Tensor, by_minimum: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives by G, b and lam, for the backends that go back through the visits themselves.

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
