"""Sweeps of block coordinate descent on GROUP LASSO by blocks of devices, and their derivatives, on any device.

Within a block, a device's correlation with the residual follows from those before the block and from the Gram matrix of
the block's pilots, the same for all problems. So a block is a product for all problems at once, a recursion on small
matrices, and a product that takes the block's changes from the residual. The iterates are those of the sequential
sweep, up to rounding. Signals and residuals of the problems lie side by side here, (N, T, M) and (L, T, M).

A derivative of a loss by a complex z is ∂L/∂Re z + i·∂L/∂Im z, as in torch; by a real one it is the usual one.
"""

import torch
from torch import Tensor

from mmvsolvers_nn.functional._blocked.map_cd import blocks, recursion_for


def forward(A: Tensor, Y: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    T, N, M = start.shape
    X, received, history = beside(start), beside(Y), start.new_empty(T, n_iter if record else 0, N, M)
    recursion = recursion_for(A.device, "row_recursion")
    for u in range(n_iter):
        if record:
            history[:, u] = X.transpose(0, 1)
        R = received - times(A, X)
        for block in blocks(N):
            pilots, rows = A[:, block], X[block]
            found = recursion.threshold(pilots.mH @ pilots, times(pilots.mH, R), rows, lam)
            R = R - times(pilots, found - rows)
            X[block] = found
    return X.transpose(0, 1).contiguous(), history


def backward(
    gradient: Tensor, A: Tensor, Y: Tensor, lam: Tensor, X: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    recursion = recursion_for(A.device, "row_recursion")
    by_A, by_lam, by_X = torch.zeros_like(A), torch.zeros_like(lam), beside(gradient)
    received, after = beside(Y), beside(X)
    by_R = torch.zeros_like(received)
    for u in reversed(range(history.shape[1])):
        before, R = beside(history[:, u]), received - times(A, after)
        for block in reversed(list(blocks(A.shape[1]))):
            pilots, rows, found = A[:, block], before[block], after[block]
            gram, change = pilots.mH @ pilots, found - rows
            squares = gram.diagonal().real[:, None]
            # R and its derivative are those after the block, and become those before it
            R = R + times(pilots, change)
            by_change = -times(pilots.mH, by_R)
            by_correlations = recursion.threshold_backward(by_X[block] + by_change, gram, found, lam)
            by_change = by_change - times(gram.tril(-1).mH, by_correlations)
            by_found = by_X[block] + by_change
            inner = real_inner(found, by_found)
            length = real_inner(found, found).sqrt()
            by_lam -= torch.where(length > 0, inner / (squares * torch.where(length > 0, length, 1.0)), 0.0).sum(dim=0)
            by_square = (real_inner(by_correlations, rows) - inner / squares).sum(dim=1)
            by_gram = torch.diag(by_square) - pairs(by_correlations, change).tril(-1)
            hermitian = by_gram + by_gram.mT.conj_physical()
            by_A[:, block] += pilots @ hermitian + pairs(R, by_correlations) - pairs(by_R, change)
            by_R = by_R + times(pilots, by_correlations)
            by_X[block] = squares.unsqueeze(2) * by_correlations - by_change
        after = before
    by_A -= pairs(by_R, after)
    by_X -= times(A.mH, by_R)
    return by_A, by_R.transpose(0, 1).contiguous(), by_lam, by_X.transpose(0, 1).contiguous()


def beside(matrices: Tensor) -> Tensor:
    """Return a copy of (T, n, M) as (n, T, M)."""
    return matrices.transpose(0, 1).resolve_conj().clone(memory_format=torch.contiguous_format)


def times(matrix: Tensor, X: Tensor) -> Tensor:
    """Return the products of a matrix with those of all problems, side by side."""
    return (matrix @ X.reshape(len(X), -1)).view(len(matrix), *X.shape[1:])


def pairs(left: Tensor, right: Tensor) -> Tensor:
    """Return the sum over all problems of the products left·rightᴴ."""
    return left.reshape(len(left), -1) @ right.reshape(len(right), -1).mH


def real_inner(left: Tensor, right: Tensor) -> Tensor:
    """Return the real inner products of the rows of (n, T, M): (n, T)."""
    return (torch.view_as_real(left) * torch.view_as_real(right)).sum(dim=(2, 3))
