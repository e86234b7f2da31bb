"""ML activity detection followed by MMSE channel estimation."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers.validation import NON_NEGATIVE, POSITIVE
from mmvsolvers_nn.functional._inputs import Problems, Recovery
from mmvsolvers_nn.functional.ml_cd import ml_cd


def ml_mmse(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    *,
    threshold: Tensor | float,
    channel_var: Tensor | float = 1.0,
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
    backend: str = "auto",
) -> Recovery:
    """Estimate the channels of the devices that ML coordinate descent finds active.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    threshold : float or Tensor of shape () or (...)
        A device is active where its ML score is above this.
    channel_var : float or Tensor of shape () or (N,)
        Variance g(n) of an active device's channel coefficients, positive.
    n_iter, start, backend
        As in `ml_cd`.

    Returns
    -------
    Recovery
        ``X`` (..., N, M) is g A_Sᴴ(A_S g A_Sᴴ + σ²I)⁻¹Y on the detected support S and 0 elsewhere; ``score`` (..., N)
        is γ of `ml_cd`.

    Notes
    -----
    ``X`` is differentiable in A, Y, ``noise_var`` and ``channel_var`` with the support held fixed: it is piecewise
    constant in ``threshold`` and in γ, whose gradients through ``X`` are 0.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> found = F.ml_mmse(A, Y, 0.01, threshold=1.0, channel_var=4.0, n_iter=20)
    >>> found.X.abs().sum(dim=-1).round(decimals=1).tolist()
    [4.0, 0.0, 0.0]
    """
    detected = ml_cd(A, Y, noise_var, n_iter=n_iter, start=start, backend=backend)
    problems = Problems.of(A, Y)
    noise = problems.per_problem("noise_var", noise_var, POSITIVE)
    limit = problems.per_problem("threshold", threshold, NON_NEGATIVE)
    prior = problems.per_device("channel_var", channel_var, POSITIVE)
    active = detected.score.detach().reshape(problems.T, -1) > limit.unsqueeze(1)
    variance = torch.where(active, prior, 0.0)
    identity = torch.eye(problems.L, dtype=A.dtype, device=A.device)
    covariance = noise[:, None, None] * identity + (A * variance.unsqueeze(1)) @ A.mH
    whitened = torch.cholesky_solve(problems.Y, torch.linalg.cholesky_ex(covariance)[0])
    X = variance.unsqueeze(2) * (A.mH @ whitened)
    return Recovery(problems.batched(X), detected.score, detected.state)
