"""The signals that are expected where devices are active with given probabilities."""

from torch import Tensor

from mmvsolvers.validation import POSITIVE, UNIT_INTERVAL
from mmvsolvers_nn.functional._inputs import Problems
from mmvsolvers_nn.functional._reference.map_cd import filtered


def conditional_mean(
    A: Tensor, Y: Tensor, noise_var: Tensor | float, probability: Tensor, *, channel_var: Tensor | float = 1.0
) -> Tensor:
    """Return the probability φ_n that device n is active, times its expected signal if it is.

    All others count in Σ with the variance φ_m g_m. With Σ of all, device n included, and q = g aₙᴴΣ⁻¹aₙ it is
    φ_n g aₙᴴΣ⁻¹Y / (1 + (1 - φ_n) q). Where all φ are 0 or 1 it is the MMSE estimate over that support.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    probability : Tensor of shape (..., N)
        φ, in [0, 1].
    channel_var : float or Tensor of shape () or (N,)
        Variance g(n) of an active device's channel coefficients, positive.

    Returns
    -------
    Tensor of shape (..., N, M), complex

    Notes
    -----
    Differentiable in all tensors, by autograd.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(2, dtype=torch.complex128)
    >>> Y = torch.tensor([[2.0], [2.0]], dtype=torch.complex128)
    >>> X = F.conditional_mean(A, Y, 1.0, torch.tensor([1.0, 0.0], dtype=torch.float64))
    >>> X.real.flatten().round().tolist()
    [1.0, 0.0]
    """
    problems = Problems.of(A, Y)
    noise = problems.noise(noise_var)
    variance = problems.per_device("channel_var", channel_var, POSITIVE)
    active = problems.per_entry("probability", probability, UNIT_INTERVAL)
    strength = variance.sqrt()
    rows, q = filtered(A * strength, noise, active)
    weight = active * strength / (1.0 + (1.0 - active) * q)
    return problems.batched(weight.unsqueeze(2) * (rows @ problems.Y))
