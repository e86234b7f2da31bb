"""Sweeps of ML and MAP coordinate descent by blocks of devices, and their derivatives, on any device.

The sequential sweep takes from Σ⁻¹ only the q and r of the devices to come, and within a block those follow from the
block's Gram matrix AᴴΣ⁻¹A and products AᴴΣ⁻¹Y. So a block is two large products for all problems at once, a recursion
on a small matrix, and a product that puts the block's updates into Σ⁻¹: nothing of the size of Σ⁻¹ is held on chip,
whatever the pilot length. The iterates are those of the sequential sweep, up to rounding.

A derivative of a loss by a complex z is ∂L/∂Re z + i·∂L/∂Im z, as in torch; by a hermitian P it is the hermitian H
with dL = Re tr(H dP).
"""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

from mmvsolvers_nn.functional._reference.map_cd import covariance_inverse

# Devices a block: products want many, the recursion costs its square and must stay on chip.
BLOCK = 32


def forward(
    A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, start: Tensor, n_iter: int, record: bool
) -> tuple[Tensor, Tensor]:
    """Run the sweeps."""
    value = start.clone(memory_format=torch.contiguous_format)
    history = value.new_empty(len(Y), n_iter if record else 0, A.shape[1])
    recursion = recursion_for(A.device)
    for u in range(n_iter):
        if record:
            history[:, u] = value
        P = covariance_inverse(A, noise_var, value)
        for block in blocks(A.shape[1]):
            rows = A[:, block].mH @ P
            gram = rows @ A[:, block]
            steps = recursion.decide(gram, rows @ Y, value[:, block], log_odds[:, block], upper[:, block])
            P = update(P, rows, *recursion.eliminate(gram, steps))
            before, bound = value[:, block], upper[:, block]
            # at the bound to the bit, by which the way back knows that it ended there
            value[:, block] = torch.where(steps == bound - before, bound, before + steps)
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
    by_A, by_Y = torch.zeros_like(A), torch.zeros_like(Y, memory_format=torch.contiguous_format)
    by_noise_var, by_value = torch.zeros_like(noise_var), gradient.clone(memory_format=torch.contiguous_format)
    by_log_odds, by_upper = torch.zeros_like(value), torch.zeros_like(value)
    recursion = recursion_for(A.device)
    after = value
    for u in reversed(range(history.shape[1])):
        before = history[:, u]
        states = replay(recursion, A, noise_var, before, after - before)
        P_after = states.pop()
        H = torch.zeros_like(P_after)
        for block in reversed(list(blocks(A.shape[1]))):
            A_block, steps, P = A[:, block], (after - before)[:, block], states.pop()
            # back through P_after = (P⁻¹ + A diag(steps) Aᴴ)⁻¹
            rows_after = A_block.mH @ P_after
            products = H @ rows_after.mH
            by_steps = by_value[:, block] - real_diagonal(rows_after @ products)
            by_A[:, block] -= 2 * (P_after @ products * steps.unsqueeze(1)).sum(dim=0)
            residual = torch.eye(len(A), dtype=A.dtype, device=A.device) - (A_block * steps.unsqueeze(1)) @ rows_after
            H = residual @ H @ residual.mH
            # back through the steps
            rows = A_block.mH @ P
            correlations = rows @ Y
            by_gram, by_correlations, by_start, by_prior, by_bound = recursion.decide_backward(
                by_steps, rows @ A_block, correlations, after[:, block], log_odds[:, block], upper[:, block], steps
            )
            by_value[:, block] += by_start
            by_log_odds[:, block] += by_prior
            by_upper[:, block] += by_bound
            by_rows = by_gram @ A_block.mH + by_correlations @ Y.mH
            by_A[:, block] += (rows.mH @ by_gram + P @ by_rows.mH).sum(dim=0)
            by_Y += rows.mH @ by_correlations
            by_P = A_block @ by_rows
            H = H + 0.5 * (by_P + by_P.mT.conj_physical())
            P_after = P
        # back through Σ⁻¹ = (σ²I + A diag(before) Aᴴ)⁻¹
        by_covariance = P_after @ H @ P_after
        by_noise_var -= real_diagonal(by_covariance).sum(dim=1)
        products = by_covariance @ A
        by_value -= (A.conj_physical().unsqueeze(0) * products).real.sum(dim=1)
        by_A -= 2 * (before.unsqueeze(1) * products).sum(dim=0)
        after = before
    return by_A, by_Y, by_noise_var, by_log_odds, by_upper, by_value


def replay(recursion: ModuleType, A: Tensor, noise_var: Tensor, before: Tensor, steps: Tensor) -> list[Tensor]:
    """Rerun a sweep whose steps are known; return Σ⁻¹ before every block, and after the last."""
    states = [covariance_inverse(A, noise_var, before)]
    for block in blocks(A.shape[1]):
        rows = A[:, block].mH @ states[-1]
        states.append(update(states[-1], rows, *recursion.eliminate(rows @ A[:, block], steps[:, block].contiguous())))
    return states


def update(P: Tensor, rows: Tensor, combinations: Tensor, weights: Tensor) -> Tensor:
    """Return Σ⁻¹ after a block: less the sum of c·sᴴs over its devices, whose rows s at their visits are combined."""
    visited = combinations @ rows
    changed: Tensor = torch.baddbmm(P, (weights.unsqueeze(2) * visited).mH, visited, alpha=-1)
    return changed


def blocks(N: int) -> Iterator[slice]:
    """Yield the blocks of N devices."""
    return (slice(first, min(first + BLOCK, N)) for first in range(0, N, BLOCK))


def real_diagonal(matrices: Tensor) -> Tensor:
    """Return the real parts of the diagonals of (T, n, n): (T, n)."""
    return matrices.diagonal(dim1=1, dim2=2).real


def recursion_for(device: torch.device, name: str = "recursion") -> ModuleType:
    """Return the module with the recursions on a block: kernels on CUDA, plain torch elsewhere."""
    backend = "triton" if device.type == "cuda" else "blocked"
    return import_module(f"mmvsolvers_nn.functional._{backend}.{name}")
