"""Sweeps of ML and MAP coordinate descent on the CPU, and their derivatives.

A derivative of a loss by a complex z is ∂L/∂Re z + i·∂L/∂Im z, as in torch; by the hermitian P = Σ⁻¹ it is the
hermitian H/2 with dL = tr(H dP)/2. Only devices that are active before or after a sweep act on anything behind it, so
the way back visits no other.
"""

from collections import namedtuple

import numpy as np
import torch
from numba import prange
from torch import Tensor

from mmvsolvers._blas import parallel_code
from mmvsolvers.kernels import map_cd as kernel
from mmvsolvers.kernels.compiling import entry, njit
from mmvsolvers.kernels.shared import real_inner, row_norms
from mmvsolvers_nn.functional._numba.arrays import array, double
from mmvsolvers_nn.functional._numba.linalg import (
    add_combination,
    add_hermitian_product,
    add_outer,
    add_rows,
    add_scaled,
    add_symmetric_outer,
    hermitian_product,
    inner_products,
    scale,
)

# What the replay of one sweep leaves for the way back, per device visited: its number, s = Σ⁻¹a, q = aᴴs and
# c = d/(1 + dq), the weight of ssᴴ in the update of Σ⁻¹.
Tape = namedtuple("Tape", "devices s q c")
# Derivatives of the loss by one problem's arguments; `value` by the iterate at hand.
Gradients = namedtuple("Gradients", "AT YT noise_var log_odds upper value")


def forward(
    A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    value = start.clone(memory_format=torch.contiguous_format)
    history = torch.empty(len(Y), n_iter if record else 0, A.shape[1], dtype=value.dtype)
    with parallel_code():
        run_batch(*map(array, (A.mT, Y, noise_var, log_odds, upper)), n_iter, value.numpy(), history.numpy())
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
    T, L, M = Y.shape
    # In double precision whatever the precision: near a small σ², derivatives are what is left of large terms.
    inputs = [double(part) for part in (A.mT, Y.mT, noise_var, log_odds, upper)]
    values = double(torch.cat((history, value.unsqueeze(1)), dim=1))
    per_problem = Gradients(
        AT=inputs[1].new_zeros(T, A.shape[1], L),
        YT=inputs[1].new_zeros(T, M, L),
        noise_var=values.new_zeros(T),
        log_odds=values.new_zeros(value.shape),
        upper=values.new_zeros(value.shape),
        value=double(gradient).clone(memory_format=torch.contiguous_format),
    )
    with parallel_code():
        reverse_batch(*map(array, (*inputs, values)), *(part.numpy() for part in per_problem))
    # Summed here, not in the parallel loop, for the same result whatever the number of threads.
    return (
        per_problem.AT.sum(dim=0).mT.to(A.dtype).contiguous(),
        per_problem.YT.mT.to(Y.dtype).contiguous(),
        per_problem.noise_var.to(noise_var.dtype),
        per_problem.log_odds.to(log_odds.dtype),
        per_problem.upper.to(upper.dtype),
        per_problem.value.to(value.dtype),
    )


@entry(parallel=True)
def run_batch(AT, Y, noise_var, log_odds, upper, n_iter, value, history):
    """Run ``n_iter`` sweeps on T problems in place.

    AT is (N, L), Y (T, L, M), noise_var (T,), log_odds, upper and value (T, N). Where history (T, n_iter, N) has room,
    the value before each sweep goes there.
    """
    norms = row_norms(AT)
    for t in prange(Y.shape[0]):
        run(AT, Y[t], noise_var[t], norms, log_odds[t], upper[t], n_iter, value[t], history[t])


@njit()
def run(AT, Y, noise_var, norms, log_odds, upper, n_iter, value, history):
    """Run ``n_iter`` sweeps on one problem in place."""
    state, scratch = kernel.workspace(AT, Y.shape[1], value)
    prior = kernel.Prior(log_odds, upper)
    devices = np.arange(value.size)
    for u in range(n_iter):
        if history.shape[0]:
            history[u] = value
        kernel.rebuild_inverse(AT, noise_var, value, state.inverse)
        kernel.sweep(AT, Y, norms, devices, prior, state, scratch)


@entry(parallel=True)
def reverse_batch(
    AT, YT, noise_var, log_odds, upper, values, by_AT, by_YT, by_noise_var, by_log_odds, by_upper, by_value
):
    """Go back through all sweeps of T problems, adding to the derivatives ``by_...``, which have a leading axis T.

    Arguments are as in `run_batch`, but YT is (T, M, L), for long inner loops. values is (T, n_iter + 1, N): before
    every sweep, and after the last.
    """
    for t in prange(YT.shape[0]):
        gradients = Gradients(by_AT[t], by_YT[t], by_noise_var[t : t + 1], by_log_odds[t], by_upper[t], by_value[t])
        reverse(AT, YT[t], noise_var[t], log_odds[t], upper[t], values[t], gradients)


@njit()
def reverse(AT, YT, noise_var, log_odds, upper, values, gradients):
    """Go back through all sweeps of one problem."""
    N, L = AT.shape
    P = np.empty((L, L), AT.dtype)
    tape_s = np.empty((N, L), AT.dtype)
    tape_q, tape_c = np.empty(N, values.dtype), np.empty(N, values.dtype)
    for u in range(values.shape[0] - 2, -1, -1):
        before, after = values[u], values[u + 1]
        # The start point is an argument: its derivative is wanted at silent devices too.
        devices = np.flatnonzero((before > 0.0) | (after > 0.0) | (u == 0))
        tape = Tape(devices, tape_s, tape_q, tape_c)
        kernel.rebuild_inverse(AT, noise_var, before, P)
        replay(AT, before, after, P, tape)
        H = np.zeros((L, L), AT.dtype)
        for k in range(devices.size - 1, -1, -1):
            reverse_visit(k, AT, YT, log_odds, upper, before, after, P, H, tape, gradients)
        reverse_rebuild(AT, before, devices, P, H, gradients)


@njit()
def replay(AT, before, after, P, tape):
    """Rerun a sweep whose outcome is known, filling the tape and carrying P = Σ⁻¹ along."""
    for k in range(tape.devices.size):
        n = tape.devices[k]
        hermitian_product(P, AT[n], tape.s[k])
        d = after[n] - before[n]
        tape.q[k] = real_inner(AT[n], tape.s[k])
        tape.c[k] = d / (1.0 + d * tape.q[k])
        add_outer(P, -tape.c[k], tape.s[k])


@njit()
def reverse_visit(k, AT, YT, log_odds, upper, before, after, P, H, tape, gradients):
    """Go back through the k-th visit on the tape: P and H are those after it, and become those before it."""
    n = tape.devices[k]
    a, s, q, c = AT[n], tape.s[k], tape.q[k], tape.c[k]
    add_outer(P, c, s)
    by_s = np.empty_like(s)
    hermitian_product(H, s, by_s)
    by_c = -0.5 * real_inner(s, by_s)
    scale(by_s, -c)
    by_q, by_r = reverse_step(n, q, c, after[n] - before[n], by_c, log_odds[n], after[n], upper[n], gradients)
    if by_r != 0.0:
        # r = ‖Yᴴs‖²/M
        products = np.empty(YT.shape[0], YT.dtype)
        inner_products(YT, s, products)
        scale(products, 2.0 * by_r / products.size)
        add_rows(gradients.YT, products, s)
        add_combination(by_s, np.conj(products), YT)
    add_scaled(by_s, by_q, a)
    add_scaled(gradients.AT[n], by_q, s)
    add_hermitian_product(P, by_s, gradients.AT[n])
    add_symmetric_outer(H, by_s, a)


@njit()
def reverse_step(n, q, c, d, by_c, log_odds, after, upper, gradients):
    """Go back through the step d of device n and c = d/(1 + dq); return the derivatives by q and r."""
    u = 1.0 + d * q
    through_c = by_c / (u * u)
    by_d = gradients.value[n] + through_c
    by_q = -by_c * c * c
    # A step that ends at a bound follows the bound and the value it starts from, nothing else.
    if after == 0.0 or after == upper:
        gradients.value[n] = -through_c
        if after > 0.0:
            gradients.upper[n] += by_d
        return by_q, 0.0
    # d = (u - 1)/q, where log_odds·u² - qu + r = 0
    by_r = by_d / (q * (q - 2.0 * log_odds * u))
    gradients.log_odds[n] += u * u * by_r
    return by_q - u * by_r - by_d * (u - 1.0) / (q * q), by_r


@njit()
def reverse_rebuild(AT, before, devices, P, H, gradients):
    """Go back through P = (σ²I + A diag(before) Aᴴ)⁻¹."""
    by_covariance = np.dot(np.dot(P, H), P)
    product = np.empty(AT.shape[1], AT.dtype)
    for n in devices:
        hermitian_product(by_covariance, AT[n], product)
        gradients.value[n] -= 0.5 * real_inner(AT[n], product)
        add_scaled(gradients.AT[n], -before[n], product)
    for i in range(AT.shape[1]):
        gradients.noise_var[0] -= 0.5 * by_covariance[i, i].real
