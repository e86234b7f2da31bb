"""ML activity detection with all devices moved at once, unrolled."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers_nn.functional._inputs import Problems, Recovery
from mmvsolvers_nn.functional.map_psca import descend


def ml_psca(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    *,
    step: Tensor | float | str = "search",
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
) -> Recovery:
    """Detect active devices by ``n_iter`` parallel iterations of maximum likelihood estimation.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    step, n_iter, start
        As in `map_psca`.

    Returns
    -------
    Recovery
        ``score`` is γ, activity times channel power of every device, (..., N); ``X`` is None.

    Notes
    -----
    The iterations of `mmvsolvers.ml_psca` at ``tol=0``. Differentiable in A, Y, ``noise_var``, ``step`` and ``start``.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> [round(power, 1) for power in F.ml_psca(A, Y, 0.01, n_iter=50).score.tolist()]
    [4.0, 0.0, 0.0]
    """
    problems = Problems.of(A, Y)
    noise = problems.noise(noise_var)
    flat_prior = torch.zeros_like(A[0].detach().real)
    return descend(problems, noise, flat_prior, torch.full_like(flat_prior, torch.inf), step, n_iter, start)
