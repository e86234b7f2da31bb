"""The recursions on a block of devices on CUDA, one program per problem; `_blocked.recursion` says what they do."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from mmvsolvers_nn.functional._triton.map_cd import coordinate_step
from mmvsolvers_nn.functional._triton.tiles import (
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


def decide(gram: Tensor, correlations: Tensor, value: Tensor, log_odds: Tensor, upper: Tensor) -> Tensor:
    """Return the steps (T, B) of the block's devices, which move one after the other to their minima."""
    (_, B, M), blocks = correlations.shape, padded(B=gram.shape[1], M=correlations.shape[2])
    steps = torch.empty_like(value, memory_format=torch.contiguous_format)
    priors = (part.contiguous() for part in (value, log_odds, upper))
    on_chip = 2 * blocks["BLOCK_B"] * (blocks["BLOCK_B"] + blocks["BLOCK_M"])
    launch(
        decide_block, gram, real_view(gram), real_view(correlations), *priors, steps, B, M, on_chip=on_chip, **blocks
    )
    return steps


def eliminate(gram: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return what makes of the rows before the block those at every device's visit, (T, B, B), and the c, (T, B)."""
    blocks = padded(B=gram.shape[1])
    combinations = torch.empty_like(gram, memory_format=torch.contiguous_format)
    steps = steps.contiguous()
    weights = torch.empty_like(steps)
    tensors = real_view(gram), steps, torch.view_as_real(combinations), weights
    launch(eliminate_block, gram, *tensors, gram.shape[1], on_chip=4 * blocks["BLOCK_B"] ** 2, **blocks)
    return combinations, weights


def decide_backward(
    gradient: Tensor,
    gram: Tensor,
    correlations: Tensor,
    after: Tensor,
    log_odds: Tensor,
    upper: Tensor,
    steps: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the derivatives by the arguments of `decide` from those by the steps; by the hermitian gram, hermitian.

    ``after`` is the value that the steps led to.
    """
    (_, B, M), blocks = correlations.shape, padded(B=gram.shape[1], M=correlations.shape[2])
    given = (part.contiguous() for part in (gradient, after, log_odds, upper, steps))
    tape = (torch.empty_like(part, memory_format=torch.contiguous_format) for part in (gram, correlations))
    by_large = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in (gram, correlations)]
    by_small = [torch.empty_like(after, memory_format=torch.contiguous_format) for _ in range(3)]
    launch(
        reverse_block,
        gram,
        *(real_view(gram), real_view(correlations), *given),
        *(torch.view_as_real(part) for part in (*tape, *by_large)),
        *by_small,
        *(B, M),
        on_chip=4 * blocks["BLOCK_B"] * (blocks["BLOCK_B"] + blocks["BLOCK_M"]),
        **blocks,
    )
    return by_large[0], by_large[1], by_small[0], by_small[1], by_small[2]


@triton.jit
def entry(x, i, k):
    """Return entry k of a vector."""
    return tl.sum(tl.where(i == k, x, 0.0))


@triton.jit
def column(X_re, X_im, i, k):
    """Return column k of a matrix whose columns are numbered i."""
    chosen = i[None, :] == k
    return tl.sum(tl.where(chosen, X_re, 0.0), axis=1), tl.sum(tl.where(chosen, X_im, 0.0), axis=1)


@triton.jit
def row(X_re, X_im, i, k):
    """Return row k of a matrix whose rows are numbered i."""
    chosen = i[:, None] == k
    return tl.sum(tl.where(chosen, X_re, 0.0), axis=0), tl.sum(tl.where(chosen, X_im, 0.0), axis=0)


@triton.jit
def load_block(gram, correlations, t, B, M, i, m):
    """Load a problem's Gram matrix and correlations."""
    G_re, G_im = load_complex(gram + 2 * t * B * B, i[:, None] * B + i[None, :], (i < B)[:, None] & (i < B)[None, :])
    C_re, C_im = load_complex(
        correlations + 2 * t * B * M, i[:, None] * M + m[None, :], (i < B)[:, None] & (m < M)[None, :]
    )
    return G_re, G_im, C_re, C_im


@triton.jit
def decide_block(gram, correlations, value, log_odds, upper, steps, B, M, BLOCK_B: tl.constexpr, BLOCK_M: tl.constexpr):
    """Move the devices of one problem's block."""
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_B), tl.arange(0, BLOCK_M)
    G_re, G_im, C_re, C_im = load_block(gram, correlations, t, B, M, i, m)
    for k in range(B):
        g_re, g_im = column(G_re, G_im, i, k)
        w_re, w_im = row(C_re, C_im, i, k)
        q = entry(g_re, i, k)
        r = real_inner(w_re, w_im, w_re, w_im) / M
        at = t * B + k
        d = coordinate_step(q, r, tl.load(value + at), tl.load(log_odds + at), tl.load(upper + at))
        tl.store(steps + at, d)
        c = d / (1.0 + d * q)
        update_re, update_im = outer(g_re, g_im, w_re, -w_im)
        C_re -= c * update_re
        C_im -= c * update_im
        update_re, update_im = outer(g_re, g_im, g_re, g_im)
        G_re -= c * update_re
        G_im -= c * update_im


@triton.jit
def eliminate_block(gram, steps, combinations, weights, B, BLOCK_B: tl.constexpr):
    """Follow the rows of one problem's block through its steps."""
    t = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, BLOCK_B)
    square = (i < B)[:, None] & (i < B)[None, :]
    G_re, G_im = load_complex(gram + 2 * t * B * B, i[:, None] * B + i[None, :], square)
    E_re = tl.where(i[:, None] == i[None, :], 1.0, 0.0).to(G_re.dtype)
    E_im = tl.zeros_like(G_im)
    for k in range(B):
        g_re, g_im = column(G_re, G_im, i, k)
        e_re, e_im = row(E_re, E_im, i, k)
        d = tl.load(steps + t * B + k)
        c = d / (1.0 + d * entry(g_re, i, k))
        store_complex(combinations + 2 * t * B * B, k * B + i, e_re, e_im, i < B)
        tl.store(weights + t * B + k, c)
        update_re, update_im = outer(g_re, g_im, e_re, -e_im)
        E_re -= c * update_re
        E_im -= c * update_im
        update_re, update_im = outer(g_re, g_im, g_re, g_im)
        G_re -= c * update_re
        G_im -= c * update_im


@triton.jit
def reverse_block(
    gram,
    correlations,
    gradient,
    after,
    log_odds,
    upper,
    steps,
    tape_g,
    tape_w,
    by_gram,
    by_correlations,
    by_value,
    by_log_odds,
    by_upper,
    B,
    M,
    BLOCK_B: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """Go forward through one problem's block, keeping what the way back needs, then back."""
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_B), tl.arange(0, BLOCK_M)
    G_re, G_im, C_re, C_im = load_block(gram, correlations, t, B, M, i, m)
    tape_g += 2 * t * B * B
    tape_w += 2 * t * B * M
    for k in range(B):
        g_re, g_im = column(G_re, G_im, i, k)
        w_re, w_im = row(C_re, C_im, i, k)
        store_complex(tape_g, k * B + i, g_re, g_im, i < B)
        store_complex(tape_w, k * M + m, w_re, w_im, m < M)
        d = tl.load(steps + t * B + k)
        c = d / (1.0 + d * entry(g_re, i, k))
        update_re, update_im = outer(g_re, g_im, w_re, -w_im)
        C_re -= c * update_re
        C_im -= c * update_im
        update_re, update_im = outer(g_re, g_im, g_re, g_im)
        G_re -= c * update_re
        G_im -= c * update_im
    # The way back reads what other threads of this program stored.
    tl.debug_barrier()
    H_re, H_im = tl.zeros_like(G_re), tl.zeros_like(G_im)
    K_re, K_im = tl.zeros_like(C_re), tl.zeros_like(C_im)
    for back in range(B):
        k = B - 1 - back
        at = t * B + k
        g_re, g_im = load_complex(tape_g, k * B + i, i < B)
        w_re, w_im = load_complex(tape_w, k * M + m, m < M)
        d, prior, bound = tl.load(steps + at), tl.load(log_odds + at), tl.load(upper + at)
        end = tl.load(after + at)
        q = entry(g_re, i, k)
        u = 1.0 + d * q
        c = d / u
        # what reaches g, w and c through the updates
        back_re, back_im = product(H_re, H_im, g_re, g_im)
        through_re, through_im = adjoint_product(K_re, K_im, g_re, g_im)
        through_im = -through_im
        spread_re, spread_im = product(K_re, K_im, w_re, -w_im)
        by_c = -real_inner(g_re, g_im, back_re, back_im) - real_inner(through_re, through_im, w_re, w_im)
        by_g_re = -2.0 * c * back_re - c * spread_re
        by_g_im = -2.0 * c * back_im - c * spread_im
        # a step that ends at a bound follows the bound and the value it starts from, nothing else
        by_d = tl.load(gradient + at) + by_c / (u * u)
        clipped = (end <= 0.0) | (end >= bound)
        by_step = tl.where(clipped, 0.0, by_d)
        tl.store(by_value + at, tl.where(clipped, -by_d, 0.0))
        tl.store(by_upper + at, tl.where(clipped & (end > 0.0), by_d, 0.0))
        by_r = by_step / tl.where(clipped, 1.0, q * (q - 2.0 * prior * u))
        tl.store(by_log_odds + at, u * u * by_r)
        by_q = -by_c * c * c - u * by_r - by_step * (u - 1.0) / (q * q)
        by_w_re = -c * through_re + 2.0 * by_r / M * w_re
        by_w_im = -c * through_im + 2.0 * by_r / M * w_im
        mine = i[:, None] == k
        K_re += tl.where(mine, by_w_re[None, :], 0.0)
        K_im += tl.where(mine, by_w_im[None, :], 0.0)
        across = i[None, :] == k
        H_re += tl.where(across, 0.5 * by_g_re[:, None], 0.0) + tl.where(mine, 0.5 * by_g_re[None, :], 0.0)
        H_im += tl.where(across, 0.5 * by_g_im[:, None], 0.0) - tl.where(mine, 0.5 * by_g_im[None, :], 0.0)
        H_re += tl.where(mine & across, by_q, 0.0)
    store_complex(by_gram + 2 * t * B * B, i[:, None] * B + i[None, :], H_re, H_im, (i < B)[:, None] & (i < B)[None, :])
    store_complex(
        by_correlations + 2 * t * B * M, i[:, None] * M + m[None, :], K_re, K_im, (i < B)[:, None] & (m < M)[None, :]
    )
