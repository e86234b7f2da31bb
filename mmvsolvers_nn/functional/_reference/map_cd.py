"""Coordinate descent on the (regularised) Gaussian likelihood, ML and MAP, differentiated by autograd."""

import torch
from torch import Tensor


def forward(
    A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, value: Tensor, n_iter: int
) -> Tensor:
    """Run ``n_iter`` sweeps from ``value`` (T, N); shapes as in `mmvsolvers_nn.functional.map_cd.descend`."""
    for _ in range(n_iter):
        value = sweep(A, Y, noise_var, log_odds, upper, value)
    return value


def sweep(A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, value: Tensor) -> Tensor:
    """Visit every device once; Σ⁻¹ is built anew from ``value``, so that only ``value`` crosses to the next sweep."""
    M = Y.shape[2]
    inverse = covariance_inverse(A, noise_var, value)
    moved = []
    for n in range(A.shape[1]):
        a = A[:, n]
        s = inverse @ a
        q = (s @ a.conj()).real
        r = torch.view_as_real((s.conj().unsqueeze(1) @ Y).resolve_conj()).square().sum(dim=(1, 2, 3)) / M
        d = coordinate_step(q, r, value[:, n], log_odds[:, n], upper[:, n])
        inverse = inverse - (d / (1 + d * q))[:, None, None] * (s.unsqueeze(2) * s.conj().unsqueeze(1))
        moved.append(value[:, n] + d)
    return torch.stack(moved, dim=1)


def covariance_inverse(A: Tensor, noise_var: Tensor, value: Tensor) -> Tensor:
    """Return (σ²I + A diag(value) Aᴴ)⁻¹ for every problem: (T, L, L)."""
    identity = torch.eye(A.shape[0], dtype=A.dtype, device=A.device)
    covariance = noise_var[:, None, None] * identity + (A * value.unsqueeze(1)) @ A.mH
    # Unlike `torch.linalg.inv`, this can be captured in a CUDA graph.
    half: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky_ex(covariance)[0], identity, upper=False)
    return half.mH @ half


def filtered(A: Tensor, noise_var: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return aₙᴴΣ⁻¹ of every problem and device, (T, N, L), and aₙᴴΣ⁻¹aₙ, (T, N), with Σ of `covariance_inverse`."""
    rows = A.mH @ covariance_inverse(A, noise_var, value)
    return rows, torch.view_as_real((rows * A.mT).resolve_conj())[..., 0].sum(dim=2)


def coordinate_step(q: Tensor, r: Tensor, value: Tensor, log_odds: Tensor, upper: Tensor) -> Tensor:
    """Return the step d to the minimum of log(1 + dq) - rd/(1 + dq) - log_odds·d over -value <= d <= upper - value."""
    lowest, highest = -value, upper - value
    discriminant = q * q - 4 * log_odds * r
    stationary = discriminant > 0
    u = 2 * r / (q + torch.where(stationary, discriminant, 1.0).sqrt())
    d = (u - 1) / q
    d = torch.where(d < lowest, lowest, torch.where(d > highest, highest, d))
    # Where log_odds > 0 the objective falls again behind its local minimum, all the way to the bound.
    u, u_bound = 1 + d * q, 1 + torch.where(log_odds > 0, highest, 0.0) * q
    rise = torch.log(u_bound / u) + r / q * (1 / u_bound - 1 / u) - log_odds * (u_bound - u) / q
    return torch.where((log_odds > 0) & (~stationary | (rise < 0)), highest, d)
