"""Sweeps of block coordinate descent on GROUP LASSO on the CPU, and their derivatives.

A derivative of a loss by a complex z is ∂L/∂Re z + i·∂L/∂Im z, as in torch. Only devices that are active before or
after a sweep act on anything behind it, so the way back visits no other. It holds the residual and its derivative
transposed, (M, L), for long inner loops.
"""

from collections import namedtuple

import numpy as np
import torch
from numba import prange
from torch import Tensor

from mmvsolvers._blas import parallel_code
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.group_lasso_bcd import Pilots, block_grams, make_scratch, start_state, sweep
from mmvsolvers.kernels.shared import real_inner, row_norms, squared_norm, subtract
from mmvsolvers_nn.functional._numba.arrays import array
from mmvsolvers_nn.functional._numba.linalg import add_combination, add_rows, add_scaled, inner_products

# Derivatives of the loss by one problem's arguments; `X` by the iterate at hand.
Gradients = namedtuple("Gradients", "AT YT lam X")


def forward(A: Tensor, Y: Tensor, lam: Tensor, start: Tensor, n_iter: int, record: bool) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    X = start.clone(memory_format=torch.contiguous_format)
    history = torch.empty(len(X), n_iter if record else 0, *X.shape[1:], dtype=X.dtype)
    with parallel_code():
        run_batch(*map(array, (A.mT, A.mH, Y, lam)), n_iter, X.numpy(), history.numpy())
    return X, history


def backward(
    gradient: Tensor, A: Tensor, Y: Tensor, lam: Tensor, X: Tensor, history: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Differentiate the sweeps."""
    T, L, M = Y.shape
    per_problem = Gradients(
        AT=Y.new_zeros(T, A.shape[1], L),
        YT=Y.new_zeros(T, M, L),
        lam=torch.zeros_like(lam, memory_format=torch.contiguous_format),
        X=gradient.resolve_conj().clone(memory_format=torch.contiguous_format),
    )
    inputs = (A.mT, Y.mT, lam, torch.cat((history, X.unsqueeze(1)), dim=1))
    with parallel_code():
        reverse_batch(*map(array, inputs), *(part.numpy() for part in per_problem))
    # Summed here, not in the parallel loop, for the same result whatever the number of threads.
    A_gradient = per_problem.AT.sum(dim=0).mT.contiguous()
    return A_gradient, per_problem.YT.mT.contiguous(), per_problem.lam, per_problem.X


@entry(parallel=True)
def run_batch(rows, conjugate, Y, lam, n_iter, X, history):
    """Run ``n_iter`` sweeps on T problems in place.

    rows and conjugate are a_nᵀ and a_nᴴ (N, L), Y (T, L, M), lam (T,), X (T, N, M). Where history (T, n_iter, N, M) has
    room, the X before each sweep goes there.
    """
    norms, gram = row_norms(rows), block_grams(rows, conjugate)
    for t in prange(Y.shape[0]):
        run(rows, conjugate, norms, gram, Y[t], lam[t], n_iter, X[t], history[t])


@njit()
def run(rows, conjugate, norms, gram, Y, lam, n_iter, X, history):
    """Run ``n_iter`` sweeps on one problem in place."""
    pilots = Pilots(rows, conjugate, norms, gram)
    state, scratch = start_state(pilots, Y, X), make_scratch(Y)
    for u in range(n_iter):
        if history.shape[0]:
            history[u] = X
        sweep(pilots, lam, state, scratch)


@entry(parallel=True)
def reverse_batch(AT, YT, lam, iterates, by_AT, by_YT, by_lam, by_X):
    """Go back through all sweeps of T problems, adding to the derivatives ``by_...``, which have a leading axis T.

    AT is (N, L), YT (T, M, L), lam (T,), iterates (T, n_iter + 1, N, M): before every sweep, and after the last.
    """
    norms = row_norms(AT)
    for t in prange(YT.shape[0]):
        gradients = Gradients(by_AT[t], by_YT[t], by_lam[t : t + 1], by_X[t])
        reverse(AT, norms, YT[t], lam[t], iterates[t], gradients)


@njit()
def reverse(AT, norms, YT, lam, iterates, gradients):
    """Go back through all sweeps of one problem; ``gradients.YT`` is the derivative by the residual meanwhile."""
    N = AT.shape[0]
    for u in range(iterates.shape[0] - 2, -1, -1):
        before, after = iterates[u], iterates[u + 1]
        RT = YT.copy()
        subtract(RT, np.dot(after.T, AT))
        for n in range(N - 1, -1, -1):
            # The start point is an argument: its derivative is wanted at silent devices too.
            if u == 0 or squared_norm(before[n]) > 0.0 or squared_norm(after[n]) > 0.0:
                reverse_visit(n, AT[n], norms[n], lam, before[n], after[n], RT, gradients)
    by_start = np.empty(YT.shape[0], AT.dtype)
    for n in range(N):
        inner_products(gradients.YT, AT[n], by_start)
        gradients.X[n] -= by_start
        add_combination(gradients.AT[n], -np.conj(iterates[0, n]), gradients.YT)


@njit()
def reverse_visit(n, a, norm, lam, before, after, RT, gradients):
    """Go back through the visit of device n: R and the derivatives are those after it, and become those before it."""
    change = after - before
    add_rows(RT, change, a)
    by_before = np.empty_like(before)
    inner_products(gradients.YT, a, by_before)
    by_after = gradients.X[n] - by_before
    add_combination(gradients.AT[n], -np.conj(change), gradients.YT)
    length = np.sqrt(squared_norm(after))
    if length > 0.0:
        square = norm * norm
        by_t = threshold_derivatives(after, length, square, lam, by_after, gradients.lam)
        by_square = real_inner(by_t, before) - real_inner(after, by_after) / square
        add_rows(gradients.YT, by_t, a)
        add_combination(gradients.AT[n], np.conj(by_t), RT)
        add_scaled(gradients.AT[n], 2.0 * by_square, a)
        add_scaled(by_before, square, by_t)
    gradients.X[n] = by_before


@njit()
def threshold_derivatives(row, length, square, lam, by_row, by_lam):
    """Go back through row = (1 - λ/‖t‖)·t/square at ‖t‖ > λ; return the derivative by t, add that by λ.

    ``length`` is ‖row‖ > 0, so that ‖t‖ = square·length + λ.
    """
    t_length = square * length + lam
    along = real_inner(row, by_row) / length
    by_lam[0] -= along / square
    by_t = np.zeros_like(row)
    add_scaled(by_t, length / t_length, by_row)
    add_scaled(by_t, lam * along / (t_length * square * length), row)
    return by_t
