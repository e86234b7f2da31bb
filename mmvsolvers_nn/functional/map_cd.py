"""MAP activity detection by coordinate descent, unrolled."""

from __future__ import annotations

import torch
from torch import Tensor

from mmvsolvers.validation import NON_NEGATIVE
from mmvsolvers_nn.functional._inputs import Problems, Recovery, posterior
from mmvsolvers_nn.functional._operator import sweep_operator

# Only the values cross from one sweep to the next: Σ⁻¹ is built anew for each, going forward and going back.
sweeps = sweep_operator("map_cd", "A", "Y", "noise_var", "log_odds", "upper", "start", blocked=True)


def map_cd(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    activity_prob: Tensor | float,
    *,
    channel_var: Tensor | float = 1.0,
    upper: Tensor | float | None = None,
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
    backend: str = "auto",
) -> Recovery:
    """Detect active devices by ``n_iter`` sweeps of maximum a posteriori coordinate descent.

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
    n_iter : int
        Number of sweeps.
    start : tuple of one Tensor of shape (..., N), optional
        Activities to start from, the ``state`` of an earlier call; zeros by default.
    backend : {"auto", "reference", "numba", "triton", "blocked"}
        What runs the sweeps. "blocked" runs on any device, whatever the pilot length; "auto" takes it on CUDA above
        L = 48.

    Returns
    -------
    Recovery
        ``score`` is the activity α of every device, (..., N); ``X`` is None.

    Notes
    -----
    Algorithm 3 of [1]_ with the sign of its (19) corrected. Differentiable in A, Y, ``noise_var``, ``activity_prob``,
    ``channel_var``, ``upper`` and ``start``.

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
    >>> (F.map_cd(A, Y, 0.01, 0.1, n_iter=5).score > 0.5).tolist()
    [True, False, False]
    """
    problems, noise, log_odds, bound = posterior(A, Y, noise_var, activity_prob, channel_var, upper)
    return descend(problems, noise, log_odds, bound, 1.0, n_iter, start, backend)


def descend(
    problems: Problems,
    noise_var: Tensor,
    log_odds: Tensor,
    upper: Tensor,
    unit: Tensor | float,
    n_iter: int,
    start: tuple[Tensor, ...] | None,
    backend: str,
) -> Recovery:
    """Run the sweeps that ML and MAP share; ML has ``log_odds`` 0 and ``upper`` inf.

    Parameters
    ----------
    problems : Problems
        With column n of A scaled such that its coefficient is the value sought, in units of ``unit``.
    noise_var : Tensor of shape (T,)
        Noise variance.
    log_odds, upper : Tensor of shape (T, N)
        log(ε/(1-ε))/M and the largest value allowed.
    unit : Tensor of shape () or float
        What ``start`` and the score are divided by meanwhile.
    n_iter, start, backend
        As in `map_cd`.
    """
    (value,) = problems.start(start, ((problems.N,), NON_NEGATIVE)) or [torch.zeros_like(log_odds)]
    value = value / unit
    value = sweeps(problems.A, problems.Y, noise_var, log_odds, upper, value, n_iter=n_iter, backend=backend)
    score = problems.batched(value * unit)
    return Recovery(None, score, (score,))
