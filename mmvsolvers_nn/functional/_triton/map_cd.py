"""Sweeps of ML and MAP coordinate descent on CUDA, and their derivatives, which `_numba.map_cd` explains.

A kernel makes one sweep. Between two, torch builds Σ⁻¹ anew for all problems at once. Both ways work in the precision
of the tensors, while the CPU goes back in double: derivatives at σ² below 1e-3 need complex128 here.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from mmvsolvers_nn.functional._reference.map_cd import covariance_inverse
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


def forward(
    A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    (L, N), M = A.shape, Y.shape[2]
    value = start.clone(memory_format=torch.contiguous_format)
    history = value.new_empty(len(Y), n_iter if record else 0, N)
    pilots, received = real_view(A.mT), real_view(Y)
    priors = log_odds.contiguous(), upper.contiguous()
    blocks = padded(L=L, M=M)
    on_chip = 2 * blocks["BLOCK_L"] ** 2
    for u in range(n_iter):
        if record:
            history[:, u] = value
        inverse = real_view(covariance_inverse(A, noise_var, value))
        launch(sweep, Y, pilots, received, inverse, *priors, value, N, L, M, on_chip=on_chip, **blocks)
    return value, history


def backward(
    gradient: Tensor,
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor,
    log_odds: Tensor,
    upper: Tensor,
    value: Tensor,
    history: Tensor,
) -> tuple[Tensor, ...]:
    """Differentiate the sweeps."""
    (L, N), (T, _, M) = A.shape, Y.shape
    by_value = gradient.clone(memory_format=torch.contiguous_format)
    by_pilots, by_Y = A.new_zeros(T, N, L), A.new_zeros(T, L, M)
    by_log_odds, by_upper = torch.zeros_like(value), torch.zeros_like(value)
    by_noise_var = noise_var.new_zeros(T)
    totals = (torch.view_as_real(by_pilots), torch.view_as_real(by_Y), by_log_odds, by_upper, by_value)
    tape = A.new_empty(T, N, L), value.new_empty(T, N)
    H = A.new_empty(T, L, L)
    arguments = real_view(A.mT), real_view(Y), log_odds.contiguous(), upper.contiguous()
    blocks = padded(L=L, M=M)
    on_chip = 4 * blocks["BLOCK_L"] ** 2
    after = value.contiguous()
    for u in reversed(range(history.shape[1])):
        before = history[:, u].contiguous()
        inverse = covariance_inverse(A, noise_var, before)
        buffers = torch.view_as_real(tape[0]), tape[1], torch.view_as_real(H)
        launch(
            reverse_sweep,
            Y,
            *arguments,
            real_view(inverse),
            before,
            after,
            *buffers,
            *totals,
            *(N, L, M),
            on_chip=on_chip,
            IS_FIRST=u == 0,
            **blocks,
        )
        # Back through Σ⁻¹ = (σ²I + A diag(before) Aᴴ)⁻¹.
        by_covariance = inverse @ H @ inverse
        by_noise_var -= 0.5 * by_covariance.diagonal(dim1=1, dim2=2).real.sum(dim=1)
        products = by_covariance @ A
        # a physical conjugate: within an operator of a compiled graph, torch forgets those that it has put off
        by_value -= 0.5 * (A.conj_physical() * products).real.sum(dim=1)
        by_pilots -= (before.unsqueeze(1) * products).mT
        after = before
    by_A = by_pilots.sum(dim=0).mT.contiguous()
    return by_A, by_Y, by_noise_var, by_log_odds, by_upper, by_value


@triton.jit
def coordinate_step(q, r, value, log_odds, upper):
    """Return the step d to the minimum of log(1 + dq) - rd/(1 + dq) - log_odds·d over -value <= d <= upper - value."""
    highest = upper - value
    discriminant = q * q - 4.0 * log_odds * r
    u = 2.0 * r / (q + tl.sqrt(tl.where(discriminant > 0.0, discriminant, 0.0)))
    d = (u - 1.0) / q
    d = tl.where(d < -value, -value, tl.where(d > highest, highest, d))
    # Where log_odds > 0 the objective falls again behind its local minimum, all the way to the bound.
    u = 1.0 + d * q
    u_bound = 1.0 + highest * q
    rise = tl.log(u_bound / u) + r / q * (1.0 / u_bound - 1.0 / u) - log_odds * (u_bound - u) / q
    return tl.where((log_odds > 0.0) & ((discriminant <= 0.0) | (rise < 0.0)), highest, d)


@triton.jit
def sweep(pilots, received, inverse, log_odds, upper, value, N, L, M, BLOCK_L: tl.constexpr, BLOCK_M: tl.constexpr):
    """Visit every device of one problem once, in place.

    pilots is (N, L), received (T, L, M), inverse (T, L, L), log_odds, upper and value (T, N).
    """
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_L), tl.arange(0, BLOCK_M)
    square = (i < L)[:, None] & (i < L)[None, :]
    P_re, P_im = load_complex(inverse + 2 * t * L * L, i[:, None] * L + i[None, :], square)
    Y_re, Y_im = load_complex(
        received + 2 * t * L * M, i[:, None] * M + m[None, :], (i < L)[:, None] & (m < M)[None, :]
    )
    for n in range(N):
        a_re, a_im = load_complex(pilots, n * L + i, i < L)
        s_re, s_im = product(P_re, P_im, a_re, a_im)
        q = real_inner(a_re, a_im, s_re, s_im)
        w_re, w_im = adjoint_product(Y_re, Y_im, s_re, s_im)
        r = real_inner(w_re, w_im, w_re, w_im) / M
        old = tl.load(value + t * N + n)
        bound = tl.load(upper + t * N + n)
        d = coordinate_step(q, r, old, tl.load(log_odds + t * N + n), bound)
        # Every warp has read the old value by then: one that is late would take the new one for it.
        tl.debug_barrier()
        # at the bound to the bit, by which the way back knows that it ended there
        tl.store(value + t * N + n, tl.where(d == bound - old, bound, old + d))
        c = d / (1.0 + d * q)
        update_re, update_im = outer(s_re, s_im, s_re, s_im)
        P_re -= c * update_re
        P_im -= c * update_im


@triton.jit
def reverse_sweep(
    pilots,
    received,
    log_odds,
    upper,
    inverse,
    before,
    after,
    tape_s,
    tape_q,
    H,
    by_pilots,
    by_received,
    by_log_odds,
    by_upper,
    by_value,
    N,
    L,
    M,
    IS_FIRST: tl.constexpr,
    BLOCK_L: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """Go back through one sweep of one problem, adding to the derivatives ``by_...``, and leave that by Σ⁻¹ in H.

    Shapes as in `sweep`; ``before`` and ``after`` the sweep are (T, N), the tapes (T, N, L) and (T, N), by_pilots
    (T, N, L), by_log_odds, by_upper and by_value (T, N). In the first sweep the start point's derivative is wanted
    at silent devices too.
    """
    t = tl.program_id(0).to(tl.int64)
    i, m = tl.arange(0, BLOCK_L), tl.arange(0, BLOCK_M)
    square = (i < L)[:, None] & (i < L)[None, :]
    square_at = i[:, None] * L + i[None, :]
    wide = (i < L)[:, None] & (m < M)[None, :]
    wide_at = i[:, None] * M + m[None, :]
    log_odds += t * N
    upper += t * N
    before += t * N
    after += t * N
    tape_s += 2 * t * N * L
    tape_q += t * N
    by_pilots += 2 * t * N * L
    by_value += t * N
    P_re, P_im = load_complex(inverse + 2 * t * L * L, square_at, square)
    for n in range(N):
        x, y = tl.load(before + n), tl.load(after + n)
        if IS_FIRST | (x > 0.0) | (y > 0.0):
            a_re, a_im = load_complex(pilots, n * L + i, i < L)
            s_re, s_im = product(P_re, P_im, a_re, a_im)
            q = real_inner(a_re, a_im, s_re, s_im)
            store_complex(tape_s, n * L + i, s_re, s_im, i < L)
            tl.store(tape_q + n, q)
            c = (y - x) / (1.0 + (y - x) * q)
            update_re, update_im = outer(s_re, s_im, s_re, s_im)
            P_re -= c * update_re
            P_im -= c * update_im
    # The way back reads what other threads of this program stored.
    tl.debug_barrier()
    Y_re, Y_im = load_complex(received + 2 * t * L * M, wide_at, wide)
    by_Y_re, by_Y_im = tl.zeros_like(Y_re), tl.zeros_like(Y_im)
    H_re, H_im = tl.zeros_like(P_re), tl.zeros_like(P_im)
    for back in range(N):
        n = N - 1 - back
        x, y = tl.load(before + n), tl.load(after + n)
        if IS_FIRST | (x > 0.0) | (y > 0.0):
            a_re, a_im = load_complex(pilots, n * L + i, i < L)
            s_re, s_im = load_complex(tape_s, n * L + i, i < L)
            q, prior, bound = tl.load(tape_q + n), tl.load(log_odds + n), tl.load(upper + n)
            u = 1.0 + (y - x) * q
            c = (y - x) / u
            update_re, update_im = outer(s_re, s_im, s_re, s_im)
            P_re += c * update_re
            P_im += c * update_im
            # by_s is the derivative by s, at first what reaches it through the update of Σ⁻¹
            by_s_re, by_s_im = product(H_re, H_im, s_re, s_im)
            by_c = -0.5 * real_inner(s_re, s_im, by_s_re, by_s_im)
            through = by_c / (u * u)
            old = tl.load(by_value + n)
            by_d = old + through
            # a step that ends at a bound follows the bound and the value it starts from, nothing else
            clipped = (y == 0.0) | (y == bound)
            tl.debug_barrier()  # as in `sweep`
            tl.store(by_value + n, tl.where(clipped, -through, old))
            total = tl.load(by_upper + t * N + n)
            tl.store(by_upper + t * N + n, tl.where((y == bound) & (y > 0.0), total + by_d, total))
            by_step = tl.where(clipped, 0.0, by_d)
            by_r = by_step / (q * (q - 2.0 * prior * u))
            by_q = -by_c * c * c - u * by_r - by_step * (u - 1.0) / (q * q)
            total = tl.load(by_log_odds + t * N + n)
            tl.store(by_log_odds + t * N + n, total + u * u * by_r)
            w_re, w_im = adjoint_product(Y_re, Y_im, s_re, s_im)
            w_re *= 2.0 * by_r / M
            w_im *= 2.0 * by_r / M
            back_re, back_im = product(Y_re, Y_im, w_re, w_im)
            by_s_re = by_q * a_re - c * by_s_re + back_re
            by_s_im = by_q * a_im - c * by_s_im + back_im
            update_re, update_im = outer(s_re, s_im, w_re, w_im)
            by_Y_re += update_re
            by_Y_im += update_im
            back_re, back_im = product(P_re, P_im, by_s_re, by_s_im)
            accumulate_complex(by_pilots, n * L + i, by_q * s_re + back_re, by_q * s_im + back_im, i < L)
            update_re, update_im = outer(by_s_re, by_s_im, a_re, a_im)
            H_re += update_re
            H_im += update_im
            update_re, update_im = outer(a_re, a_im, by_s_re, by_s_im)
            H_re += update_re
            H_im += update_im
    accumulate_complex(by_received + 2 * t * L * M, wide_at, by_Y_re, by_Y_im, wide)
    store_complex(H + 2 * t * L * L, square_at, H_re, H_im, square)
