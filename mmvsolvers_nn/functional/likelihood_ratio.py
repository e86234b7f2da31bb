"""The exact evidence for every device, given what the others do."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers.validation import NON_NEGATIVE, POSITIVE
from mmvsolvers_nn.functional._inputs import Problems
from mmvsolvers_nn.functional._reference.map_cd import filtered


def likelihood_ratio(
    A: Tensor, Y: Tensor, noise_var: Tensor | float, activity: Tensor, *, channel_var: Tensor | float = 1.0
) -> Tensor:
    """Return the log-likelihood ratio of "device n is active" against "it is not", all others as they are.

    With the other devices' activity in Σ, q = g aₙᴴΣ⁻¹aₙ and r = g ‖aₙᴴΣ⁻¹Y‖²/M, it is M·(r/(1 + q) - log(1 + q)).

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    activity : Tensor of shape (..., N)
        Activity α of every device, non-negative; those of other devices matter, not its own.
    channel_var : float or Tensor of shape () or (N,)
        Variance g(n) of an active device's channel coefficients, positive.

    Returns
    -------
    Tensor of shape (..., N), real

    Notes
    -----
    Differentiable in all tensors, by autograd.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> (F.likelihood_ratio(A, Y, 0.01, torch.zeros(3, dtype=torch.float64)) > 0).tolist()
    [True, True, True]
    """
    problems = Problems.of(A, Y)
    noise = problems.noise(noise_var)
    variance = problems.per_device("channel_var", channel_var, POSITIVE)
    value = problems.per_entry("activity", activity, NON_NEGATIVE)
    rows, q = filtered(A * variance.sqrt(), noise, value)
    r = torch.view_as_real(rows @ problems.Y).square().sum(dim=(2, 3)) / problems.M
    # q and r see the device itself as well; without it they are q/rest and r/rest².
    rest = (1.0 - value * q).clamp_min(torch.finfo(q.dtype).eps)
    return problems.batched(problems.M * (r / (rest * (rest + q)) - torch.log1p(q / rest)))
