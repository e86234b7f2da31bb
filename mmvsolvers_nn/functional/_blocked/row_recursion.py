"""The recursions of GROUP LASSO on a block of devices, in plain torch for all problems at once.

``gram`` is AᴴA of the block's pilots, (B, B), and ``correlations`` AᴴR, (B, T, M), of the residual before the block.
When device k's row changes by δ, its column of the Gram matrix times δ is taken from the correlations.
"""

import torch
from torch import Tensor

from mmvsolvers_nn.functional._inputs import shrinkage, squared_rows


def threshold(gram: Tensor, correlations: Tensor, rows: Tensor, lam: Tensor) -> Tensor:
    """Return the block's rows (B, T, M) after each device has moved to its minimum, one after the other."""
    squares, found = gram.diagonal().real, torch.empty_like(rows)
    for k in range(len(rows)):
        t = correlations[k] + squares[k] * rows[k]
        found[k] = shrinkage(squared_rows(t, 1), lam).unsqueeze(1) * t / squares[k]
        correlations = correlations - gram[:, k, None, None] * (found[k] - rows[k])
    return found


def threshold_backward(gradient: Tensor, gram: Tensor, found: Tensor, lam: Tensor) -> Tensor:
    """Return the derivatives by ``correlations`` from those by ``found``, what `threshold` returned: (B, T, M)."""
    squares, by_correlations = gram.diagonal().real, torch.empty_like(found)
    for k in reversed(range(len(found))):
        row, square, by_row = found[k], squares[k], gradient[k]
        length = squared_rows(row, 1).sqrt()
        passes = length > 0
        length = torch.where(passes, length, 1.0)
        # back through row = (1 - λ/‖t‖)·t/square, where ‖t‖ = square·‖row‖ + λ; all 0 where row = 0
        t_length = square * length + lam
        along = (row * by_row.conj_physical()).real.sum(dim=1) / length
        kept = torch.where(passes, length / t_length, 0.0)
        turned = lam * along / (t_length * square * length)
        by_correlations[k] = kept.unsqueeze(1) * by_row + turned.unsqueeze(1) * row
        gradient = gradient - gram[k].conj_physical()[:, None, None] * by_correlations[k]
    return by_correlations
