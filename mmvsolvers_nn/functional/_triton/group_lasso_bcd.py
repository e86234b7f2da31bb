"""Sweeps of block coordinate descent on GROUP LASSO on CUDA, and their derivatives.

A kernel makes one sweep. Between two, torch computes the residual anew for all problems at once.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from mmvsolvers_nn.functional._inputs import squared_rows
from mmvsolvers_nn.functional._triton.tiles import (
    accumulate_complex,
    adjoint_product,
    launch,
    load_complex,
    outer,
    padded,
    product,
    real_inner,
    real_view,
    store_complex,
)


def forward(A: Tensor, Y: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    T, N, M = start.shape
    L = A.shape[0]
    X = start.resolve_conj().clone(memory_format=torch.contiguous_format)
    history = X.new_empty(T, n_iter if record else 0, N, M)
    inputs = real_view(A.mT), squared_rows(A, 0), lam.contiguous()
    blocks = padded(L=L, M=M)
    on_chip = 2 * blocks["BLOCK_L"] * blocks["BLOCK_M"]
    for u in range(n_iter):
        if record:
            history[:, u] = X
        residual = real_view(Y - A @ X)
        launch(sweep, Y, *inputs, residual, torch.view_as_real(X), N, L, M, on_chip=on_chip, **blocks)
    return X, history


def backward(
    gradient: Tensor, A: Tensor, Y: Tensor, lam: Tensor, X: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    T, N, M = X.shape
    L = A.shape[0]
    by_pilots, by_residual = A.new_zeros(T, N, L), A.new_zeros(T, L, M)
    by_lam = lam.new_zeros(T)
    by_X = gradient.resolve_conj().clone(memory_format=torch.contiguous_format)
    totals = *(torch.view_as_real(total) for total in (by_pilots, by_residual, by_X)), by_lam
    inputs = real_view(A.mT), squared_rows(A, 0), lam.contiguous()
    blocks = padded(L=L, M=M)
    on_chip = 4 * blocks["BLOCK_L"] * blocks["BLOCK_M"]
    iterates = torch.cat((history, X.unsqueeze(1)), dim=1)
    for u in reversed(range(history.shape[1])):
        before, after = iterates[:, u], iterates[:, u + 1]
        sweep_inputs = real_view(Y - A @ after), real_view(before), real_view(after)
        sizes = N, L, M
        launch(reverse_sweep, Y, *inputs, *sweep_inputs, *totals, *sizes, on_chip=on_chip, IS_FIRST=u == 0, **blocks)
    by_A = by_pilots.sum(dim=0).mT - (by_residual @ iterates[:, 0].mH).sum(dim=0)
    return by_A.contiguous(), by_residual, by_lam, by_X - A.mH @ by_residual


@triton.jit
def sweep(pilots, squares, lam, residual, X, N, L, M, BLOCK_L: tl.constexpr, BLOCK_M: tl.constexpr):
    """Visit every device of one problem once, X in place.

    pilots is (N, L), squares ‖a_n‖² (N,), lam (T,), residual (T, L, M), X (T, N, M).
    """
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_L), tl.arange(0, BLOCK_M)
    R_re, R_im = load_complex(
        residual + 2 * t * L * M, i[:, None] * M + m[None, :], (i < L)[:, None] & (m < M)[None, :]
    )
    X += 2 * t * N * M
    weight = tl.load(lam + t)
    for n in range(N):
        a_re, a_im = load_complex(pilots, n * L + i, i < L)
        x_re, x_im = load_complex(X, n * M + m, m < M)
        square = tl.load(squares + n)
        inner_re, inner_im = adjoint_product(R_re, R_im, a_re, a_im)
        t_re = inner_re + square * x_re
        t_im = -inner_im + square * x_im
        length = tl.sqrt(real_inner(t_re, t_im, t_re, t_im))
        passes = length > weight
        factor = tl.where(passes, 1.0 - weight / tl.where(passes, length, 1.0), 0.0) / square
        t_re *= factor
        t_im *= factor
        # Every warp has read the row by then: one that is late would take the new one for the old.
        tl.debug_barrier()
        store_complex(X, n * M + m, t_re, t_im, m < M)
        update_re, update_im = outer(a_re, a_im, t_re - x_re, x_im - t_im)
        R_re -= update_re
        R_im -= update_im


@triton.jit
def reverse_sweep(
    pilots,
    squares,
    lam,
    residual,
    before,
    after,
    by_pilots,
    by_residual,
    by_X,
    by_lam,
    N,
    L,
    M,
    IS_FIRST: tl.constexpr,
    BLOCK_L: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """Go back through one sweep of one problem, adding to the derivatives ``by_...``.

    Shapes as in `sweep`; ``residual`` is that after the sweep, ``before`` and ``after`` are X, (T, N, M). In the first
    sweep the start point's derivative is wanted at silent devices too.
    """
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_L), tl.arange(0, BLOCK_M)
    wide = (i < L)[:, None] & (m < M)[None, :]
    wide_at = i[:, None] * M + m[None, :]
    R_re, R_im = load_complex(residual + 2 * t * L * M, wide_at, wide)
    by_R_re, by_R_im = load_complex(by_residual + 2 * t * L * M, wide_at, wide)
    before += 2 * t * N * M
    after += 2 * t * N * M
    by_X += 2 * t * N * M
    by_pilots += 2 * t * N * L
    weight = tl.load(lam + t)
    for back in range(N):
        n = N - 1 - back
        x_re, x_im = load_complex(before, n * M + m, m < M)
        y_re, y_im = load_complex(after, n * M + m, m < M)
        length = tl.sqrt(real_inner(y_re, y_im, y_re, y_im))
        if IS_FIRST | (length > 0.0) | (real_inner(x_re, x_im, x_re, x_im) > 0.0):
            a_re, a_im = load_complex(pilots, n * L + i, i < L)
            square = tl.load(squares + n)
            change_re = y_re - x_re
            change_im = y_im - x_im
            update_re, update_im = outer(a_re, a_im, change_re, -change_im)
            R_re += update_re
            R_im += update_im
            by_x_re, by_x_im = adjoint_product(by_R_re, by_R_im, a_re, a_im)
            by_x_im = -by_x_im
            total_re, total_im = load_complex(by_X, n * M + m, m < M)
            by_y_re = total_re - by_x_re
            by_y_im = total_im - by_x_im
            by_a_re, by_a_im = product(by_R_re, by_R_im, -change_re, change_im)
            # back through y = (1 - λ/‖t‖)·t/square, where ‖t‖ = square·‖y‖ + λ; all 0 where y = 0
            passes = length > 0.0
            safe = tl.where(passes, length, 1.0)
            t_length = square * safe + weight
            along = real_inner(y_re, y_im, by_y_re, by_y_im) / safe
            tl.store(by_lam + t, tl.load(by_lam + t) - along / square)
            keep = tl.where(passes, safe / t_length, 0.0)
            turn = weight * along / (t_length * square * safe)
            by_t_re = keep * by_y_re + turn * y_re
            by_t_im = keep * by_y_im + turn * y_im
            by_square = real_inner(by_t_re, by_t_im, x_re, x_im) - along * safe / square
            update_re, update_im = outer(a_re, a_im, by_t_re, -by_t_im)
            by_R_re += update_re
            by_R_im += update_im
            through_re, through_im = product(R_re, R_im, by_t_re, -by_t_im)
            by_a_re += through_re + 2.0 * by_square * a_re
            by_a_im += through_im + 2.0 * by_square * a_im
            accumulate_complex(by_pilots, n * L + i, by_a_re, by_a_im, i < L)
            tl.debug_barrier()  # as in `sweep`
            store_complex(by_X, n * M + m, by_x_re + square * by_t_re, by_x_im + square * by_t_im, m < M)
    store_complex(by_residual + 2 * t * L * M, wide_at, by_R_re, by_R_im, wide)
