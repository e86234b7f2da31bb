"""Approximate message passing with the MMSE denoiser, unrolled."""

import math

import torch
from torch import Tensor

from mmvsolvers.validation import FRACTION, POSITIVE, PROBABILITY, as_choice, as_count
from mmvsolvers_nn.functional._inputs import Problems, Recovery, squared_rows


def amp_mmse(
    A: Tensor,
    Y: Tensor,
    activity_prob: Tensor | float,
    *,
    channel_var: Tensor | float = 1.0,
    damping: Tensor | float = 1.0,
    onsager: str = "matrix",
    column_scaling: str = "own",
    n_iter: int,
    start: tuple[Tensor, ...] | None = None,
) -> Recovery:
    """Recover jointly sparse signals by ``n_iter`` iterations of AMP with the MMSE denoiser.

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    Y : Tensor of shape (..., L, M), complex
        Received signals.
    activity_prob : float or Tensor of shape () or (N,)
        Prior activity ε(n), strictly between 0 and 1.
    channel_var : float or Tensor of shape () or (N,)
        Variance g(n) of an active device's channel coefficients, positive.
    damping : float or Tensor of shape () or (...)
        Share of a new iterate that is taken, above 0 and at most 1; 1 is no damping.
    onsager : {"matrix", "printed"}
        The M×M Onsager term, or the one printed in (12) of [1]_.
    column_scaling : {"own", "sqrt_length"}
        Whether columns are divided by their own norms, which the prior then allows for, or by √L as in [1]_.
    n_iter : int
        Number of iterations.
    start : tuple of Tensors of shapes (..., N, M) and (..., L, M), optional
        Scaled signals and residual to start from, the ``state`` of an earlier call.

    Returns
    -------
    Recovery
        ``X`` (..., N, M) and ``score`` (..., N), ‖X_n‖²/M of every row.

    Notes
    -----
    Algorithm 2 of [1]_. Plain torch, differentiated by autograd in A, Y, ``activity_prob``, ``channel_var``,
    ``damping`` and ``start``.

    References
    ----------
    .. [1] Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with
       applications in MIMO-based grant-free random access", IEEE JSAC, 2021.
    """
    problems = Problems.of(A, Y)
    probability = problems.per_device("activity_prob", activity_prob, PROBABILITY)
    prior = problems.per_device("channel_var", channel_var, POSITIVE)
    share = problems.per_problem("damping", damping, FRACTION)[:, None, None]
    as_choice("onsager", onsager, ("matrix", "printed"))
    as_choice("column_scaling", column_scaling, ("own", "sqrt_length"))
    N, L, M = problems.N, problems.L, problems.M
    norms = squared_rows(A, 0).sqrt() if column_scaling == "own" else torch.full_like(prior, math.sqrt(L))
    A = A / norms
    gain = norms / math.sqrt(L)
    # Antennas lead, (T, M, ·): a product with A is then one matrix product over all problems and antennas.
    received = problems.Y.mT / math.sqrt(L)
    parts = problems.start(start, (N, M), (L, M))
    X, R = (part.mT for part in parts) if parts else (A.new_zeros(problems.T, M, N), received)
    for _ in range(as_count("n_iter", n_iter, at_least=0)):
        noise = squared_rows(R, 1).sum(dim=1, keepdim=True) / (L * M)
        Q = R @ A.conj() + X
        denoised, correction = denoise(Q, noise, probability, prior * gain.square(), R, onsager)
        X_new = denoised
        R_new = received - X_new @ A.mT + correction / L
        X = X + share * (X_new - X)
        R = R + share * (R_new - R)
    score = squared_rows(X / gain, 1) / M
    state = problems.batched(X.mT), problems.batched(R.mT)
    return Recovery(problems.batched((X / gain).mT), problems.batched(score), state)


def denoise(
    Q: Tensor, noise: Tensor, probability: Tensor, variance: Tensor, R: Tensor, onsager: str
) -> tuple[Tensor, Tensor]:
    """Return the posterior mean of the rows of Q, (T, M, N), and L times the Onsager correction, (T, M, L).

    Parameters
    ----------
    Q : Tensor of shape (T, M, N)
        Rows in white noise.
    noise : Tensor of shape (T, 1)
        Noise variance τ².
    probability, variance : Tensor of shape (N,)
        Prior activity and channel variance.
    R : Tensor of shape (T, M, L)
        Residual.
    onsager : {"matrix", "printed"}
        See `amp_mmse`.
    """
    M = Q.shape[1]
    shrink = variance / (noise + variance)
    energy = squared_rows(Q, 1)
    log_t = M * torch.log1p(variance / noise) - shrink / noise * energy - torch.logit(probability)
    active = torch.sigmoid(-log_t)
    mean = (active * shrink).unsqueeze(1) * Q
    identity_part = (active * shrink).sum(dim=1)[:, None, None]
    slope = active * torch.sigmoid(log_t) * shrink * shrink
    if onsager == "printed":
        return mean, (identity_part + (slope / noise.square() * energy).sum(dim=1)[:, None, None]) * R
    # R J with antennas leading: Jᵀ from the left.
    outer = ((slope / noise).unsqueeze(1) * Q) @ Q.mH
    return mean, identity_part * R + outer @ R
