"""Approximate message passing with the MMSE denoiser, unrolled."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mmvsolvers.kernels.amp_mmse import BLOW_UP, DAMPING_DOWN, DAMPING_FLOOR, DAMPING_UP, TAU2_FLOOR
from mmvsolvers.validation import FRACTION, NON_NEGATIVE, POSITIVE, PROBABILITY, as_choice, as_count
from mmvsolvers_nn.functional._inputs import (
    Problems,
    Recovery,
    complex_rows,
    real_product,
    real_rows,
    squared_rows,
)

# Log-likelihood ratios beyond it are as good as certain, and a sum of them must not drown all others. Nor do log-odds
# go beyond it: products of probabilities would be subnormal numbers, at which a processor takes many times as long.
LARGEST_RATIO = 40.0

Damping = Tensor | float | str | list[Tensor | float] | tuple[Tensor | float, ...]


def amp_mmse(
    A: Tensor,
    Y: Tensor,
    activity_prob: Tensor | float,
    *,
    channel_var: Tensor | float = 1.0,
    damping: Damping = "adaptive",
    onsager: str = "matrix",
    column_scaling: str = "own",
    coupling: Tensor | None = None,
    averaged: bool = False,
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
    damping : float, Tensor of shape () or (...), list or tuple of n_iter such, or "adaptive"
        Share of a new iterate that is taken, above 0 and at most 1; 1 is no damping. A list has one for every
        iteration. "adaptive" takes less where the residual has grown and more where it has shrunk.
    onsager : {"matrix", "printed"}
        The M×M Onsager term, or the one printed in (12) of [1]_.
    column_scaling : {"own", "sqrt_length"}
        Whether columns are divided by their own norms, which the prior then allows for, or by √L as in [1]_.
    coupling : Tensor of shape (N, N), optional
        What devices tell each other: with C the log-odds of device n are logit ε(n) + LLR_n + Σ_m C_nm LLR_m, where
        LLR_m is the log-likelihood ratio of m's own row, within ±40 in the sum. Ones between the devices of a group
        that is active as a whole make its posterior probability exact, see [2]_; all log-odds end within ±40. None is
        C = 0, independent devices.
    averaged : bool
        Whether ``X`` is the mean of all iterates, each weighted by 1/τ⁸. Where AMP has not converged it circles around
        what it knows, and the mean errs less than any one of them; where it converges, the last ones have the weight.
        ``state`` knows no mean: what goes on from it begins a new one.
    n_iter : int
        Number of iterations.
    start : tuple of Tensor, optional
        The ``state`` of an earlier call to go on from; X = 0, R = Y by default.

    Returns
    -------
    Recovery
        ``X`` (..., N, M) and ``score`` (..., N), ‖X_n‖²/M of every row. A problem whose τ² blows up stands still from
        there; where τ² ends above its start, ``X`` is the iterate that came of the least τ².

    Notes
    -----
    Algorithm 2 of [1]_. Plain torch, differentiated by autograd in A, Y, ``activity_prob``, ``channel_var``,
    ``damping``, ``coupling`` and ``start``.

    References
    ----------
    .. [1] Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with
       applications in MIMO-based grant-free random access", IEEE JSAC, 2021.
    .. [2] P. Schniter, "Turbo reconstruction of structured sparse signals", CISS, 2010.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> tuple(F.amp_mmse(A, Y, 0.3, n_iter=5).X.shape)
    (3, 2)
    """
    problems = Problems.of(A, Y)
    probability = problems.per_device("activity_prob", activity_prob, PROBABILITY)
    variance = problems.per_device("channel_var", channel_var, POSITIVE)
    shares = _shares(problems, damping, as_count("n_iter", n_iter, at_least=0))
    as_choice("onsager", onsager, ("matrix", "printed"))
    as_choice("column_scaling", column_scaling, ("own", "sqrt_length"))
    root_length = math.sqrt(problems.L)
    norms = squared_rows(A, 0).sqrt() if column_scaling == "own" else torch.full_like(variance, root_length)
    # Rows of the scaled model are X_n·‖a_n‖/√L.
    strength = norms / root_length
    model = Model(
        real_product(A / norms),
        real_rows(problems.Y.mT / root_length),
        for_each_problem(torch.logit(probability), problems.T),
        for_each_problem(variance * strength.square(), problems.T),
        onsager,
        None if coupling is None else problems.pairs("coupling", coupling),
    )
    iterate = model.first() if start is None else Iterate.of(problems, start)
    mean = Mean.of(iterate)
    for share in shares:
        iterate = model.advance(iterate, share)
        mean = mean.extended(iterate) if averaged else mean
    last = torch.where(mean_power(iterate.R) <= iterate.start, iterate.X, iterate.best)
    X = complex_rows(mean.total / mean.weight if averaged else last) / strength
    score = squared_rows(X, 1) / problems.M
    return Recovery(problems.batched(X.mT), problems.batched(score), iterate.state(problems))


def _shares(problems: Problems, damping: Damping, n_iter: int) -> list[Tensor | None]:
    """Return the share of every new iterate that is taken, (T, 1, 1), or None where the problem finds its own."""
    if isinstance(damping, str):
        as_choice("damping", damping, ("adaptive",))
        return [None] * n_iter
    if not isinstance(damping, list | tuple):
        return [problems.per_problem("damping", damping, FRACTION)[:, None, None]] * n_iter
    if len(damping) != n_iter:
        raise ValueError(f"damping must be one share or n_iter={n_iter} of them; got {len(damping)}")
    return [problems.per_problem("damping", share, FRACTION)[:, None, None] for share in damping]


class Iterate(NamedTuple):
    """Where AMP stands on T problems; antennas lead, so that a product with A is one product over all of them.

    Complex rows are real ones of twice the length, see `real_rows`.

    Attributes
    ----------
    X : Tensor of shape (T, M, 2N)
        Signals.
    R : Tensor of shape (T, M, 2L)
        Residuals with their Onsager term.
    best : Tensor of shape (T, M, 2N)
        The undamped signals that came of the least τ² so far.
    share, start, least : Tensor of shape (T, 1, 1)
        Share of the new iterate taken last; τ² at the start and the least so far.
    """

    X: Tensor
    R: Tensor
    best: Tensor
    share: Tensor
    start: Tensor
    least: Tensor

    @classmethod
    def of(cls, problems: Problems, state: tuple[Tensor, ...]) -> Iterate:
        """Take up the ``state`` of an earlier call."""
        rows, residual = ((problems.N, problems.M), None), ((problems.L, problems.M), None)
        one = (1, 1), NON_NEGATIVE
        parts = problems.start(state, rows, residual, rows, one, one, one) or []
        return cls(*(real_rows(part.mT) for part in parts[:3]), *parts[3:])

    def state(self, problems: Problems) -> tuple[Tensor, ...]:
        """Return what `of` takes up."""
        signals = (complex_rows(part).mT for part in (self.X, self.R, self.best))
        return tuple(problems.batched(part) for part in (*signals, self.share, self.start, self.least))


class Mean(NamedTuple):
    """The iterates so far, weighted by 1/τ⁸.

    Attributes
    ----------
    total : Tensor of shape (T, M, 2N)
        Their weighted sum.
    weight, least : Tensor of shape (T, 1, 1)
        The sum of the weights, and the least τ² so far, which has weight 1.
    """

    total: Tensor
    weight: Tensor
    least: Tensor

    @classmethod
    def of(cls, iterate: Iterate) -> Mean:
        """Return the mean of one iterate."""
        least = positive_power(iterate.R)
        return cls(iterate.X, torch.ones_like(least), least)

    def extended(self, iterate: Iterate) -> Mean:
        """Return the mean with one more iterate."""
        tau2 = positive_power(iterate.R)
        least = torch.minimum(self.least, tau2)
        kept, new = (least / self.least) ** 4, (least / tau2) ** 4
        return Mean(kept * self.total + new * iterate.X, kept * self.weight + new, least)


class Model(NamedTuple):
    """The scaled problems: columns of A of norm 1 or near it, and rows whose variances make up for it.

    Attributes
    ----------
    A : Tensor of shape (2L, 2N)
        See `real_product`.
    Y : Tensor of shape (T, M, 2L)
    log_odds, variance : Tensor of shape (T, 1, N)
        log(ε/(1-ε)), and the variance g of an active row's entries.
    onsager : str
        See `amp_mmse`.
    coupling : Tensor of shape (N, N) or None
        See `amp_mmse`.
    """

    A: Tensor
    Y: Tensor
    log_odds: Tensor
    variance: Tensor
    onsager: str
    coupling: Tensor | None

    def first(self) -> Iterate:
        """Return the iterate to start from: X = 0, R = Y."""
        T, M, _ = self.Y.shape
        nothing = self.Y.new_zeros(T, M, self.A.shape[1])
        tau2 = mean_power(self.Y)
        return Iterate(nothing, self.Y, nothing, torch.ones_like(tau2), tau2, torch.full_like(tau2, torch.inf))

    def advance(self, now: Iterate, share: Tensor | None) -> Iterate:
        """Make one iteration on the problems that have not blown up, with a given or an adaptive share."""
        tau2 = mean_power(now.R)
        runs = (tau2 <= BLOW_UP * now.start) & (now.start > 0)
        noise = torch.where(runs, torch.maximum(tau2, TAU2_FLOOR * now.start), 1.0)
        # The residuals of problems that stand still may be infinite: they are kept, and nothing is computed from them.
        R = torch.where(runs, now.R, 0.0)
        mean, correction = self.denoise(R @ self.A + now.X, R, noise)
        ahead = self.Y - mean @ self.A.mT + correction / (self.A.shape[0] // 2)
        if share is None:
            lower, higher = (DAMPING_DOWN * now.share).clamp_min(DAMPING_FLOOR), (DAMPING_UP * now.share).clamp_max(1.0)
            share = torch.where(mean_power(ahead) > tau2, lower, higher)
        improves = runs & (tau2 < now.least)
        return Iterate(
            X=now.X + torch.where(runs, share, 0.0) * (mean - now.X),
            R=torch.where(runs, R + share * (ahead - R), now.R),
            best=torch.where(improves, mean, now.best),
            share=share,
            start=now.start,
            least=torch.where(improves, tau2, now.least),
        )

    def denoise(self, Q: Tensor, R: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior means of the rows of Q (T, M, 2N) in noise τ² (T, 1, 1), and L times Onsager's term."""
        T, M, _ = Q.shape
        # (T, 2M, N): real and imaginary parts of an entry share the weight of its device.
        parts = Q.reshape(T, 2 * M, -1)
        shrink = self.variance / (noise + self.variance)
        slope = shrink / noise
        energy = parts.square().sum(dim=1, keepdim=True)
        log_t = M * torch.log1p(self.variance / noise) - slope * energy - self.log_odds
        if self.coupling is not None:
            ratio = -log_t - self.log_odds
            log_t = log_t - ratio.clamp(-LARGEST_RATIO, LARGEST_RATIO) @ self.coupling.mT
            slope = slope * (1.0 + torch.where(ratio.abs() <= LARGEST_RATIO, self.coupling.diagonal(), 0.0))
        log_t = log_t.clamp(-LARGEST_RATIO, LARGEST_RATIO)
        active = torch.sigmoid(-log_t)
        weight = active * shrink
        identity = weight.sum(dim=2, keepdim=True)
        slope = weight * torch.sigmoid(log_t) * slope
        mean = (weight * parts).reshape(Q.shape)
        if self.onsager == "printed":
            # (12) as printed has ‖q‖² for qᴴq and τ⁴ for τ².
            return mean, (identity + (slope * energy / noise).sum(dim=2, keepdim=True)) * R
        products = ((slope * parts) @ parts.mT).reshape(T, M, 2, M, 2)
        real = products[:, :, 0, :, 0] + products[:, :, 1, :, 1]
        imaginary = products[:, :, 1, :, 0] - products[:, :, 0, :, 1]
        # As antennas lead, the M×M term multiplies from the left.
        return mean, identity * R + left_product(real, imaginary, R)


def left_product(real: Tensor, imaginary: Tensor, R: Tensor) -> Tensor:
    """Return `real_rows` of the product of a complex matrix (T, M, M), in its parts, and of R (T, M, 2L)."""
    first, second = R.chunk(2, dim=-1)
    return real @ R + imaginary @ torch.cat([-second, first], dim=-1)


def for_each_problem(value: Tensor, T: int) -> Tensor:
    """Return numbers of devices, (N,), for each of T problems, (T, 1, N): gradients are summed over problems once."""
    return value.expand(T, 1, -1).clone()


def mean_power(R: Tensor) -> Tensor:
    """Return ‖R‖² over its number of complex entries for every problem, (T, 1, 1)."""
    return R.square().mean(dim=(1, 2), keepdim=True).mul(2)


def positive_power(R: Tensor) -> Tensor:
    """Return `mean_power` where it may divide."""
    return mean_power(R).clamp_min(torch.finfo(R.dtype).tiny)
