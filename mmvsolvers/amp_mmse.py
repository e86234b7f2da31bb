"""Approximate message passing with the MMSE denoiser of Bernoulli-Gaussian rows."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    as_choice,
    as_count,
    as_groups,
    as_scalar,
)


def amp_mmse(
    A: ArrayLike,
    Y: ArrayLike,
    activity_prob: ArrayLike,
    *,
    channel_var: ArrayLike = 1.0,
    groups: ArrayLike | None = None,
    max_iter: int = 200,
    tol: float = 1e-4,
    damping: ArrayLike | str = "adaptive",
    onsager: str = "matrix",
    column_scaling: str = "own",
) -> SolverResult:
    """Estimate X by AMP, knowing how likely and how strong every device is but not the noise.

    Each iteration sees every row of X in white noise of variance τ² = ‖R‖²_F/(LM), takes its posterior mean, and
    corrects the residual by the Onsager term (Cui, Li, Zhang, 2021, Algorithm 2).

    Real data are treated by the same formulas, those of complex Gaussians: the posterior activity of real ones would
    have half the log-likelihood ratio.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    activity_prob : float or array_like of shape (N,)
        ε, the probability that a device is active, strictly between 0 and 1.
    channel_var : float or array_like of shape (N,)
        g, the variance of a device's channel.
    groups : array_like of int, shape (N,), optional
        Labels: the devices of a label are active together, and share one ε and one posterior activity.
    max_iter : int
        Most iterations.
    tol : float
        Stop a problem once an undamped iteration would change X by at most ``tol`` times its norm. 0 runs exactly
        ``max_iter`` iterations, short of a blow-up.
    damping : float, array_like of shape (...) or "adaptive"
        Share in (0, 1] of the new X and R that is taken; 1 is no damping. "adaptive" takes less of them where the
        residual has grown and more where it has shrunk.
    onsager : {"matrix", "printed"}
        The M×M Onsager term, or the scalar one of equation (12) as printed, which does not follow from the denoiser.
    column_scaling : {"own", "sqrt_length"}
        Divide every column of A by its own norm, and let the prior make up for it, or all columns by √L. The second
        is the paper's, and worse for pilots whose norms differ.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M), ``score`` the row powers ‖X_n‖²/M, ``objective`` τ² as Y sees it, that is times L,
        ``optimality`` the last relative change of X. Where ``tol`` > 0 was not reached, the iteration circles around
        what it knows: X and τ² are then averages over the second half of the iterations, which err less than any one
        of them. ``diverged`` where τ² then is above its start, against state evolution (averages: above twice it);
        where it blew up, or with ``tol`` = 0, X is then the iterate that came of the least τ².

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` iterations did not reach ``tol`` > 0.
    DivergenceWarning
        If the iteration diverged.

    References
    ----------
    L. Liu, W. Yu, "Massive connectivity with massive MIMO", IEEE Transactions on Signal Processing, 2018. Y. Cui,
    S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with applications in
    MIMO-based grant-free random access", IEEE JSAC 2021.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> data = mmv.generate(rng, N=40, L=20, M=8, T=1, noise_var=0.01, activity=mmv.IndependentActivity(0.1))
    >>> result = mmv.amp_mmse(data.A, data.Y, activity_prob=0.1)
    >>> np.array_equal(result.score > 0.05, data.activity)
    True
    >>> mmv.nmse_db(result.X, data.X).mean < -20
    True
    """
    batch = Batch.of(A, Y).in_units(objective=2)
    prob = batch.per_device("activity_prob", activity_prob, PROBABILITY).astype(np.float64)
    gain = batch.per_device("channel_var", channel_var, POSITIVE).astype(np.float64)
    for extreme in (gain.min(), gain.max()):
        batch.per_problem("channel_var", extreme, POSITIVE, unit=(-2, 2))
    group = as_groups(groups, batch.N, prob)
    member = group if groups is None else np.unique(group, return_index=True)[1]
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    if isinstance(damping, str):
        as_choice("damping", damping, ("adaptive",))
        shares = np.zeros(batch.T)
    else:
        shares = batch.per_problem("damping", damping, FRACTION).astype(np.float64)
    printed = as_choice("onsager", onsager, ("matrix", "printed")) == "printed"
    own = as_choice("column_scaling", column_scaling, ("own", "sqrt_length")) == "own"

    L = batch.A.shape[0]
    conjugate, strength = batch.pilots.keep(("amp_mmse", own), partial(_scaled, batch, own))
    received = (batch.Y / batch.real_dtype.type(np.sqrt(L))).astype(batch.complex_dtype, copy=False)
    # by a power of two near the largest, where products with it stay within the exponents
    level = np.ldexp(1.0, np.frexp(gain.max())[1] - 1)
    log_odds_silent, variance = np.log((1 - prob) / prob)[member], gain / level * strength.astype(np.float64) ** 2
    unit = batch.per_problem("channel_var", level, POSITIVE, unit=(-2, 2)).astype(np.float64)
    X, tau2, change, n_iter, diverged = solve_in_parts(
        lambda part: kernels.amp_mmse.solve_batch(
            conjugate,
            received[part],
            log_odds_silent,
            variance,
            group,
            unit[part],
            shares[part],
            printed,
            max_iter,
            tol,
        ),
        received,
        batch.N,
        max_iter,
    )
    X /= strength[:, None]
    result = batch.result(
        X=X,
        objective=L * tau2,
        objective_unit=(0, 2),
        optimality=change,
        n_iter=n_iter,
        tol=tol,
        diverged=diverged,
    )
    warn_about("amp_mmse", result, tol)
    return result


def _scaled(batch: Batch, own: bool) -> tuple[NDArray[np.complexfloating], ...]:
    """Return the adjoint of the scaled model's pilots, and by what its rows exceed X's: ‖a_n‖/√L, (N,)."""
    root = batch.real_dtype.type(np.sqrt(batch.A.shape[0]))
    norms = batch.pilots.norms if own else np.full(batch.N, root)
    scaled = (batch.A / norms).astype(batch.complex_dtype)
    return np.ascontiguousarray(scaled.conj().T), norms / root
