"""MAP activity detection with all devices moved at once, unrolled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmvsolvers.kernels.map_psca import ARMIJO
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_choice, as_count
from mmvsolvers_nn.functional._inputs import Problems, Recovery, posterior, squared_rows

# What the line search of a fixed number of operations may take; the last is taken where none brings the descent.
SHARES = (1.0, 0.5, 0.25, 0.125)


def map_psca(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    activity_prob: Tensor | float,
    *,
    channel_var: Tensor | float = 1.0,
    upper: Tensor | float | None = None,
    step: Tensor | float | str = "search",
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
) -> Recovery:
    """Detect active devices by ``n_iter`` parallel iterations of maximum a posteriori estimation.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    noise_var : float or Tensor of shape () or (...)
        Noise variance σ² per complex entry, positive.
    activity_prob : float or Tensor of shape (), (N,) or (..., N)
        Prior activity ε(n), strictly between 0 and 1, the same for all problems or not.
    channel_var : float or Tensor of shape () or (N,)
        Variance g(n) of an active device's channel coefficients, positive.
    upper : float or Tensor of shape () or (N,), optional
        Largest activity allowed, inf for none. By default 1 where ε(n) > 1/2, where there would be no minimum, and none
        elsewhere.
    step : float, Tensor of shape () or (n_iter,), or "search"
        Share of the step to the minimum of the convex approximation that every iteration takes, positive; above 1 goes
        beyond. "search" halves it from 1, three times at most, until the objective falls enough, in every problem.
    n_iter : int
        Number of iterations.
    start : tuple of one Tensor of shape (..., N), optional
        Activities to start from, the ``state`` of an earlier call; zeros by default.

    Returns
    -------
    Recovery
        ``score`` is the activity α of every device, (..., N); ``X`` is None.

    Notes
    -----
    The iterations of `mmvsolvers.map_psca` at ``tol=0``, after [1]_: large products, no loop over devices, nothing that
    looks at values on the host, so that it runs on any device, in a CUDA graph too. Differentiable in A, Y,
    ``noise_var``, ``activity_prob``, ``channel_var``, ``upper``, ``step`` and ``start``; of an iteration only its
    activities are kept for the way back, which makes it once more. A share that was searched for is piecewise constant,
    and so has no derivative.

    References
    ----------
    .. [1] B. Tan, Y. Cui, "Fast MLE and MAPE-based device activity detection for grant-free access via PSCA and
       PSCA-Net", IEEE Transactions on Wireless Communications, 2025.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> (F.map_psca(A, Y, 0.01, 0.1, n_iter=20).score > 0.5).tolist()
    [True, False, False]
    """
    problems, noise, log_odds, bound = posterior(A, Y, noise_var, activity_prob, channel_var, upper)
    return descend(problems, noise, log_odds, bound, step, n_iter, start)


def descend(
    problems: Problems,
    noise_var: Tensor,
    log_odds: Tensor,
    upper: Tensor,
    step: Tensor | float | str,
    n_iter: int,
    start: tuple[Tensor, ...] | None,
) -> Recovery:
    """Run the iterations that ML and MAP share; ML has ``log_odds`` 0 and ``upper`` inf.

    Parameters
    ----------
    problems : Problems
        With column n of A scaled such that its coefficient is the value sought.
    noise_var : Tensor of shape (T,)
        Noise variance.
    log_odds, upper : Tensor of shape (N,) or (T, N)
        log(ε/(1-ε))/M and the largest value allowed.
    step, n_iter, start
        As in `map_psca`.
    """
    n_iter = as_count("n_iter", n_iter, at_least=0)
    shares = None
    if isinstance(step, str):
        as_choice("step", step, ("search",))
    else:
        shares = problems.per_iteration("step", step, POSITIVE, n_iter)
    (value,) = problems.start(start, ((problems.N,), NON_NEGATIVE)) or [
        torch.zeros_like(log_odds).expand(problems.T, -1)
    ]
    for u in range(n_iter):
        direction, slope = checkpoint(
            directions, problems.A, problems.Y, noise_var, log_odds, upper, value,
            use_reentrant=False, preserve_rng_state=False,
        )  # fmt: skip
        share = search(problems, noise_var, log_odds, value, direction, slope) if shares is None else shares[u]
        value = torch.minimum((value + share * direction).clamp_min(0.0), upper)
    score = problems.batched(value)
    return Recovery(None, score, (score,))


def directions(
    A: Tensor, Y: Tensor, noise_var: Tensor, log_odds: Tensor, upper: Tensor, value: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the steps (T, N) to the minima of the convex approximations, and the objective's slope along them (T,)."""
    identity = torch.eye(A.shape[0], dtype=A.dtype, device=A.device)
    factor = torch.linalg.cholesky_ex(covariance(A, noise_var, value))[0]
    half = torch.linalg.solve_triangular(factor, identity, upper=False)
    W = half @ A
    q = squared_rows(W, 1)
    r = squared_rows(W.mH @ (half @ Y), 2) / Y.shape[2]
    # q > log_odds but for rounding wherever there is no bound
    falls = q <= log_odds
    ratio = r / torch.where(falls, 1.0, q - log_odds)
    # the root has no derivative at 0, where the device is silenced whatever it is
    u = torch.where(ratio > 0, ratio, 1.0).sqrt()
    target = value + torch.where(ratio > 0, (u - 1) / q, -1 / q)
    target = torch.minimum(torch.where(target > 0, target, 0.0), upper)
    step = torch.where(falls, upper, target) - value
    return step, ((q - r - log_odds) * step).sum(dim=1)


@torch.no_grad()
def search(
    problems: Problems, noise_var: Tensor, log_odds: Tensor, value: Tensor, direction: Tensor, slope: Tensor
) -> Tensor:
    """Return the largest of `SHARES` of the steps by which every problem's objective falls enough: (T, 1)."""
    A, Y = problems.A, problems.Y
    before, change = covariance(A, noise_var, value), covariance(A, torch.zeros_like(noise_var), direction)
    start = objective(before, Y, log_odds, value)
    # a fall is not to be seen below the rounding error
    limit = start + 4 * torch.finfo(start.dtype).eps * start.abs()
    chosen = torch.full_like(start, SHARES[-1])
    for share in reversed(SHARES[:-1]):
        reached = objective(before + share * change, Y, log_odds, value + share * direction)
        chosen = torch.where(reached <= limit + ARMIJO * share * slope, share, chosen)
    return chosen.unsqueeze(1)


def covariance(A: Tensor, noise_var: Tensor, value: Tensor) -> Tensor:
    """Return σ²I + A diag(value) Aᴴ for every problem: (T, L, L)."""
    identity = torch.eye(A.shape[0], dtype=A.dtype, device=A.device)
    return noise_var[:, None, None] * identity + (A * value.unsqueeze(1)) @ A.mH


def objective(covariance: Tensor, Y: Tensor, log_odds: Tensor, value: Tensor) -> Tensor:
    """Return log|Σ| + tr(Σ⁻¹YYᴴ)/M - log_odds·value of every problem: (T,)."""
    factor = torch.linalg.cholesky_ex(covariance)[0]
    whitened = torch.linalg.solve_triangular(factor, Y, upper=False)
    log_det = 2 * factor.diagonal(dim1=1, dim2=2).real.log().sum(dim=1)
    value_of: Tensor = log_det + squared_rows(whitened, 1).sum(dim=1) / Y.shape[2] - (value * log_odds).sum(dim=1)
    return value_of
