"""Block coordinate descent on GROUP LASSO, differentiated by autograd."""

import torch
from torch import Tensor

from mmvsolvers_nn.functional._inputs import shrinkage, squared_rows


def forward(A: Tensor, Y: Tensor, lam: Tensor, X: Tensor, n_iter: int) -> Tensor:
    """Run ``n_iter`` sweeps from ``X`` (T, N, M); shapes as in `mmvsolvers_nn.functional.group_lasso_bcd`."""
    column_norms = squared_rows(A, 0)
    rows = list(X.unbind(dim=1))
    R = Y - A @ X
    for _ in range(n_iter):
        for n in range(A.shape[1]):
            a = A[:, n, None]
            t = a.conj().mT @ R + column_norms[n] * rows[n].unsqueeze(1)
            moved = shrinkage(squared_rows(t, 2), lam.unsqueeze(1)).unsqueeze(2) * t / column_norms[n]
            R = R - a @ (moved - rows[n].unsqueeze(1))
            rows[n] = moved.squeeze(1)
    return torch.stack(rows, dim=1)
