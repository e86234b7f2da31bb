"""Covariance LASSO by coordinate descent, unrolled."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers.validation import NON_NEGATIVE
from mmvsolvers_nn.functional._inputs import Problems, Recovery, squared_rows
from mmvsolvers_nn.functional._operator import sweep_operator

sweeps = sweep_operator("covariance_lasso", "gram", "correlation", "lam", "start")


def covariance_lasso(
    A: Tensor,
    Y: Tensor,
    lam: Tensor | float,
    *,
    noise_var: Tensor | float = 0.0,
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
    backend: str = "auto",
) -> Recovery:
    """Detect active devices by ``n_iter`` sweeps of coordinate descent on covariance LASSO.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    lam : float or Tensor of shape () or (...)
        Weight λ of the ℓ1 norm, non-negative.
    noise_var : float or Tensor of shape () or (...)
        Noise variance removed from the sample covariance, non-negative; 0 removes nothing.
    n_iter : int
        Number of sweeps.
    start : tuple of one Tensor of shape (..., N), optional
        Powers to start from, the ``state`` of an earlier call; zeros by default.
    backend : {"auto", "reference", "numba", "triton"}
        What runs the sweeps.

    Returns
    -------
    Recovery
        ``score`` is the power r of every device, (..., N); ``X`` is None.

    Notes
    -----
    Minimises ½‖vec(YYᴴ/M - σ²I) - (A*⊙A)r‖² + λΣr over r ⪰ 0 [1]_ through the Gram matrix ``|AᴴA|²`` of the Khatri-Rao
    product, which is never formed. Differentiable in A, Y, ``lam``, ``noise_var`` and ``start``.

    References
    ----------
    .. [1] P. Pal, P. P. Vaidyanathan, "Pushing the limits of sparse support recovery using correlation information",
       IEEE Transactions on Signal Processing, 2015.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> [round(power, 1) for power in F.covariance_lasso(A, Y, 0.1, n_iter=50).score.tolist()]
    [3.9, 0.0, 0.0]
    """
    problems = Problems.of(A, Y)
    noise = problems.per_problem("noise_var", noise_var, NON_NEGATIVE)
    weight = problems.per_problem("lam", lam, NON_NEGATIVE)
    gram = torch.view_as_real(A.mH @ A).square().sum(dim=-1)
    correlation = squared_rows(A.mH @ problems.Y, 2) / problems.M - noise.unsqueeze(1) * squared_rows(A, 0)
    (value,) = problems.start(start, ((problems.N,), NON_NEGATIVE)) or [torch.zeros_like(correlation)]
    value = sweeps(gram, correlation, weight, value, n_iter=n_iter, backend=backend)
    score = problems.batched(value)
    return Recovery(None, score, (score,))
