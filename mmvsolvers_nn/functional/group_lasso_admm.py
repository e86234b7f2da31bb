"""GROUP LASSO by the alternating direction method of multipliers, unrolled."""

from __future__ import annotations

from torch import Tensor

from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_count
from mmvsolvers_nn.functional._inputs import (
    Problems,
    Recovery,
    complex_rows,
    real_product,
    real_rows,
    shrinkage,
    squared_rows,
)


def group_lasso_admm(
    A: Tensor,
    Y: Tensor,
    lam: Tensor | float,
    *,
    rho: Tensor | float,
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
) -> Recovery:
    """Recover jointly sparse signals by ``n_iter`` iterations of ADMM in sharing form on GROUP LASSO.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    lam : float or Tensor of shape () or (...)
        Weight λ of the group norm, non-negative.
    rho : float or Tensor of shape () or (...)
        Penalty ρ of the augmented Lagrangian, positive: it moves the iterates, not their limit.
    n_iter : int
        Number of iterations.
    start : tuple of Tensors of shapes (..., N, M), (..., L, M), (..., L, M), optional
        X, B and C to start from, the ``state`` of an earlier call; zeros by default.

    Returns
    -------
    Recovery
        ``X`` (..., N, M) and ``score`` (..., N), ‖X_n‖²/M of every row.

    Notes
    -----
    Algorithm 1 of [1]_. Plain torch: two products an iteration over all problems at once, differentiated by autograd
    in A, Y, ``lam``, ``rho`` and ``start``.

    References
    ----------
    .. [1] Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with
       applications in MIMO-based grant-free random access", IEEE JSAC, 2021.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> lam = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    >>> F.group_lasso_admm(A, Y, lam, rho=1.0, n_iter=20).X.abs().sum().backward()
    >>> bool(lam.grad < 0)  # a larger λ shrinks X
    True
    """
    problems = Problems.of(A, Y)
    N, L, M, T = problems.N, problems.L, problems.M, problems.T
    weight = problems.per_problem("lam", lam, NON_NEGATIVE)
    penalty = problems.per_problem("rho", rho, POSITIVE)
    # Antennas lead, (T, M, ·): a product with A is then one matrix product over all problems and antennas.
    received, product = real_rows(problems.Y.mT), real_product(A)
    shapes = (N, M), (L, M), (L, M)
    parts = problems.start(start, *((shape, None) for shape in shapes)) or [A.new_zeros(T, *shape) for shape in shapes]
    X, B, C = (real_rows(part.mT) for part in parts)
    column_norms = squared_rows(A, 0)
    norms_of_parts = column_norms.repeat(2)
    per_row = (weight / penalty).unsqueeze(1)
    penalty = penalty[:, None, None]
    mean = X @ product.mT / N
    for _ in range(as_count("n_iter", n_iter, at_least=0)):
        # (T, 2M, N): real and imaginary parts of an entry share the weight of its row.
        t = (norms_of_parts * X + (B - mean - C) @ product).reshape(T, 2 * M, N)
        kept = shrinkage(t.square().sum(dim=1), per_row) / column_norms
        X = (kept.unsqueeze(1) * t).reshape(T, M, 2 * N)
        mean = X @ product.mT / N
        B = (received + penalty * (mean + C)) / (N + penalty)
        C = C + mean - B
    X, B, C = (problems.batched(complex_rows(part).mT) for part in (X, B, C))
    return Recovery(X, squared_rows(X, X.ndim - 1) / M, (X, B, C))
