"""GROUP LASSO's recursions on a block on CUDA, one program per problem; `_blocked.row_recursion` says what they do."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mmvsolvers_nn.functional._triton.recursion import column, row
from mmvsolvers_nn.functional._triton.tiles import (
    launch,
    load_complex,
    outer,
    padded,
    real_inner,
    real_view,
    store_complex,
)


def threshold(gram: Tensor, correlations: Tensor, rows: Tensor, lam: Tensor) -> Tensor:
    """Return the block's rows (B, T, M) after each device has moved to its minimum, one after the other."""
    found = torch.empty_like(rows, memory_format=torch.contiguous_format)
    given = real_view(gram), real_view(correlations), real_view(rows), lam.contiguous()
    _launch(threshold_block, rows, *given, torch.view_as_real(found))
    return found


def threshold_backward(gradient: Tensor, gram: Tensor, found: Tensor, lam: Tensor) -> Tensor:
    """Return the derivatives by ``correlations`` from those by ``found``, what `threshold` returned: (B, T, M)."""
    by_correlations = torch.empty_like(found, memory_format=torch.contiguous_format)
    given = real_view(gradient), real_view(gram), real_view(found), lam.contiguous()
    _launch(reverse_threshold_block, found, *given, torch.view_as_real(by_correlations))
    return by_correlations


def _launch(kernel: Any, rows: Tensor, *arguments: Tensor) -> None:
    B, T, M = rows.shape
    blocks = padded(B=B, M=M)
    on_chip = 2 * blocks["BLOCK_B"] * (blocks["BLOCK_B"] + blocks["BLOCK_M"])
    _, _, _, lam, _ = arguments
    launch(kernel, lam, *arguments, B, T, M, on_chip=on_chip, **blocks)


@triton.jit
def load_pair(gram, correlations, t, B, T, M, i, m):
    """Load the Gram matrix, and what a problem has of (B, T, M)."""
    G_re, G_im = load_complex(gram, i[:, None] * B + i[None, :], (i < B)[:, None] & (i < B)[None, :])
    C_re, C_im = load_complex(
        correlations + 2 * t * M, i[:, None] * T * M + m[None, :], (i < B)[:, None] & (m < M)[None, :]
    )
    return G_re, G_im, C_re, C_im


@triton.jit
def threshold_block(gram, correlations, rows, lam, found, B, T, M, BLOCK_B: tl.constexpr, BLOCK_M: tl.constexpr):
    """Move the devices of one problem's block."""
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_B), tl.arange(0, BLOCK_M)
    G_re, G_im, C_re, C_im = load_pair(gram, correlations, t, B, T, M, i, m)
    weight = tl.load(lam + t)
    for k in range(B):
        at = 2 * (k * T + t) * M
        x_re, x_im = load_complex(rows + at, m, m < M)
        g_re, g_im = column(G_re, G_im, i, k)
        w_re, w_im = row(C_re, C_im, i, k)
        square = tl.sum(tl.where(i == k, g_re, 0.0))
        t_re = w_re + square * x_re
        t_im = w_im + square * x_im
        length = tl.sqrt(real_inner(t_re, t_im, t_re, t_im))
        passes = length > weight
        factor = tl.where(passes, 1.0 - weight / tl.where(passes, length, 1.0), 0.0) / square
        t_re *= factor
        t_im *= factor
        store_complex(found + at, m, t_re, t_im, m < M)
        update_re, update_im = outer(g_re, g_im, t_re - x_re, x_im - t_im)
        C_re -= update_re
        C_im -= update_im


@triton.jit
def reverse_threshold_block(
    gradient, gram, found, lam, by_correlations, B, T, M, BLOCK_B: tl.constexpr, BLOCK_M: tl.constexpr
):
    """Go back through one problem's block."""
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_B), tl.arange(0, BLOCK_M)
    G_re, G_im, H_re, H_im = load_pair(gram, gradient, t, B, T, M, i, m)
    weight = tl.load(lam + t)
    for back in range(B):
        k = B - 1 - back
        at = 2 * (k * T + t) * M
        x_re, x_im = load_complex(found + at, m, m < M)
        g_re, g_im = column(G_re, G_im, i, k)
        h_re, h_im = row(H_re, H_im, i, k)
        square = tl.sum(tl.where(i == k, g_re, 0.0))
        # back through row = (1 - λ/‖t‖)·t/square, where ‖t‖ = square·‖row‖ + λ; all 0 where row = 0
        length = tl.sqrt(real_inner(x_re, x_im, x_re, x_im))
        passes = length > 0.0
        length = tl.where(passes, length, 1.0)
        t_length = square * length + weight
        along = real_inner(x_re, x_im, h_re, h_im) / length
        kept = tl.where(passes, length / t_length, 0.0)
        turned = weight * along / (t_length * square * length)
        h_re = kept * h_re + turned * x_re
        h_im = kept * h_im + turned * x_im
        store_complex(by_correlations + at, m, h_re, h_im, m < M)
        # the Gram matrix is hermitian: its k-th row conjugated is its k-th column
        update_re, update_im = outer(g_re, g_im, h_re, -h_im)
        H_re -= update_re
        H_im -= update_im
