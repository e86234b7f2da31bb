"""The recursions on a block of devices, in plain torch for all problems at once.

``gram`` is AᴴΣ⁻¹A, (T, B, B), and ``correlations`` AᴴΣ⁻¹Y, (T, B, M), before the block. Device k's step d takes
c·g·gᴴ from the Gram matrix, of which g is the k-th column then, and c·g·w from the correlations, of which w is the
k-th row then; c = d/(1 + dq), where q is the k-th diagonal entry.

Conjugates that are not factors of a matrix product are physical ones: within an operator of a compiled graph, torch
forgets those that it has put off.
"""

import torch
from torch import Tensor

from mmvsolvers_nn.functional._inputs import squared_rows
from mmvsolvers_nn.functional._reference.map_cd import coordinate_step


def decide(gram: Tensor, correlations: Tensor, value: Tensor, log_odds: Tensor, upper: Tensor) -> Tensor:
    """Return the steps (T, B) of the block's devices, which move one after the other to their minima."""
    M, steps = correlations.shape[2], torch.empty_like(value)
    for k in range(value.shape[1]):
        g, w = gram[:, :, k], correlations[:, k]
        q = g[:, k].real
        d = coordinate_step(q, squared_rows(w, 1) / M, value[:, k], log_odds[:, k], upper[:, k])
        steps[:, k] = d
        scaled = (d / (1 + d * q)).unsqueeze(1) * g
        correlations = correlations - scaled.unsqueeze(2) * w.unsqueeze(1)
        gram = gram - scaled.unsqueeze(2) * g.conj_physical().unsqueeze(1)
    return steps


def eliminate(gram: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return what makes of the rows before the block those at every device's visit, (T, B, B), and the c, (T, B)."""
    T, B = steps.shape
    combinations = torch.eye(B, dtype=gram.dtype, device=gram.device).expand(T, -1, -1)
    visited, weights = torch.empty_like(gram), torch.empty_like(steps)
    for k in range(B):
        g, row = gram[:, :, k], combinations[:, k]
        visited[:, k], weights[:, k] = row, steps[:, k] / (1 + steps[:, k] * g[:, k].real)
        scaled = weights[:, k, None] * g
        combinations = combinations - scaled.unsqueeze(2) * row.unsqueeze(1)
        gram = gram - scaled.unsqueeze(2) * g.conj_physical().unsqueeze(1)
    return visited, weights


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
    M = correlations.shape[2]
    tape = []
    for k in range(steps.shape[1]):
        g, w, d = gram[:, :, k], correlations[:, k], steps[:, k]
        scaled = (d / (1 + d * g[:, k].real)).unsqueeze(1) * g
        tape.append((g, w))
        correlations = correlations - scaled.unsqueeze(2) * w.unsqueeze(1)
        gram = gram - scaled.unsqueeze(2) * g.conj_physical().unsqueeze(1)
    by_gram, by_correlations = torch.zeros_like(gram), torch.zeros_like(correlations)
    by_value, by_log_odds, by_upper = (torch.zeros_like(after) for _ in range(3))
    for k in reversed(range(steps.shape[1])):
        (g, w), d, end = tape[k], steps[:, k], after[:, k]
        q, prior, bound = g[:, k].real, log_odds[:, k], upper[:, k]
        u = 1 + d * q
        c = d / u
        # what reaches g, w and c through the updates
        back = by_gram @ g.unsqueeze(2)
        through = g.conj().unsqueeze(1) @ by_correlations
        by_c = -(g.conj().unsqueeze(1) @ back)[:, 0, 0].real - (through[:, 0] * w.conj_physical()).real.sum(dim=1)
        by_g = -2 * c.unsqueeze(1) * back[:, :, 0] - c.unsqueeze(1) * (by_correlations @ w.conj().unsqueeze(2))[:, :, 0]
        # a step that ends at a bound follows the bound and the value it starts from, nothing else
        by_d = gradient[:, k] + by_c / (u * u)
        clipped = (end <= 0) | (end >= bound)
        by_step = torch.where(clipped, 0.0, by_d)
        by_value[:, k] = torch.where(clipped, -by_d, 0.0)
        by_upper[:, k] = torch.where(clipped & (end > 0), by_d, 0.0)
        by_r = by_step / torch.where(clipped, 1.0, q * (q - 2 * prior * u))
        by_log_odds[:, k] = u * u * by_r
        by_q = -by_c * c * c - u * by_r - by_step * (u - 1) / (q * q)
        by_w = -c.unsqueeze(1) * through[:, 0] + (2 * by_r / M).unsqueeze(1) * w
        by_correlations[:, k] += by_w
        by_gram[:, :, k] += 0.5 * by_g
        by_gram[:, k] += 0.5 * by_g.conj_physical()
        by_gram[:, k, k] += by_q
    return by_gram, by_correlations, by_value, by_log_odds, by_upper
