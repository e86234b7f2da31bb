"""ML activity detection by coordinate descent, unrolled."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers_nn.functional._inputs import Problems, Recovery
from mmvsolvers_nn.functional.map_cd import descend


def ml_cd(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    *,
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
    backend: str = "auto",
) -> Recovery:
    """Detect active devices by ``n_iter`` sweeps of maximum likelihood coordinate descent.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    n_iter : int
        Number of sweeps.
    start : tuple of one Tensor of shape (..., N), optional
        Values to start from, the ``state`` of an earlier call; zeros by default.
    backend : {"auto", "reference", "numba", "triton", "blocked"}
        What runs the sweeps; see `map_cd`.

    Returns
    -------
    Recovery
        ``score`` is γ, activity times channel power of every device, (..., N); ``X`` is None.

    Notes
    -----
    The coordinate descent of [1]_. Differentiable in A, Y, ``noise_var`` and ``start``.

    References
    ----------
    .. [1] S. Haghighatshoar, P. Jung, G. Caire, "Improved scaling law for activity detection in massive MIMO systems",
       IEEE ISIT, 2018.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> [round(power, 1) for power in F.ml_cd(A, Y, 0.01, n_iter=20).score.tolist()]
    [4.0, 0.0, 0.0]
    """
    problems = Problems.of(A, Y)
    noise = problems.noise(noise_var)
    flat_prior = torch.zeros_like(A[0].detach().real).expand(problems.T, -1)
    root = root_of_unit(A, noise)
    ordinary = Problems(A * root, problems.Y, problems.leading)
    bound = torch.full_like(flat_prior, torch.inf)
    return descend(ordinary, noise, flat_prior, bound, root * root, n_iter, start, backend)


@torch.no_grad()
def root_of_unit(A: Tensor, noise_var: Tensor) -> Tensor:
    """Return a power of two, for exact products: the root of a power γ that is as strong as noise, or so.

    In units of its square, squares of aᴴΣ⁻¹a stay within the exponents of single precision whatever the units of
    A and Y.
    """
    root = noise_var.mean().sqrt() / torch.view_as_real(A.resolve_conj()).abs().max()
    return root / (2 * torch.frexp(root).mantissa)
