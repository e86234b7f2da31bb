"""Sparse Bayesian learning for multiple measurement vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmvsolvers import kernels
from mmvsolvers._blas import solve_in_parts
from mmvsolvers.batch import Batch
from mmvsolvers.likelihood import even_powers, log_det_unit
from mmvsolvers.result import SolverResult, warn_about
from mmvsolvers.validation import NON_NEGATIVE, POSITIVE, as_choice, as_count, as_scalar

EXPONENTS = {"ratio": 1.0, "root": 0.5}


def m_sbl(
    A: ArrayLike,
    Y: ArrayLike,
    noise_var: ArrayLike,
    *,
    update: str = "ratio",
    gamma0: ArrayLike | None = None,
    max_iter: int = 1000,
    tol: float = 1e-3,
) -> SolverResult:
    """Fit a power γ to every device by sparse Bayesian learning, and estimate X by its posterior mean.

    Minimises what ``ml_cd`` minimises, f(γ) = log|Σ| + tr(Σ⁻¹YYᴴ)/M with Σ = A diag(γ) Aᴴ + σ²I, by updates of all
    powers at once from a dense start. With q_n = a_nᴴΣ⁻¹a_n and r_n = ‖a_nᴴΣ⁻¹Y‖²/M they are γ_n ← γ_n r_n/q_n,
    or γ_n ← γ_n √(r_n/q_n), which never raises f. f is not convex, and at short pilots the dense start ends in other
    stationary points than the descent from γ = 0. Powers of silent devices tend to zero without reaching it. All is
    computed in double precision. Updates to a tolerance are carried on by what every two of them let expect
    (Varadhan, Roland, 2008), with ``tol=0`` they are these alone.

    Parameters
    ----------
    A : array_like of shape (L, N)
        Pilots; float32, float64, complex64 or complex128.
    Y : array_like of shape (..., L, M)
        Received signals of any number of problems that share A.
    noise_var : float or array_like of shape (...)
        σ², the noise variance of one complex entry of Y.
    update : {"ratio", "root"}
        By r/q, which takes fewer updates, or by √(r/q), whose objective never rises.
    gamma0 : float or array_like of shape (N,), optional
        Powers to start from, positive. By default one for all devices, which explains the power of Y.
    max_iter : int
        Most updates.
    tol : float
        As in ``ml_cd``: stop a problem once no device alone would take a scaled step |d|·q_n above ``tol`` to the
        minimum of its coordinate. 0 runs exactly ``max_iter`` updates.

    Returns
    -------
    SolverResult
        ``X`` (..., N, M) is the posterior mean γ_n a_nᴴΣ⁻¹Y, ``score`` is γ, ``objective`` f(γ), ``optimality`` the
        largest scaled step left.

    Raises
    ------
    TypeError, ValueError
        For an argument of a wrong type, shape or range; the message names it.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` updates did not reach ``tol`` > 0.

    References
    ----------
    D. P. Wipf, B. D. Rao, "An empirical Bayesian strategy for solving the simultaneous sparse approximation problem",
    IEEE Transactions on Signal Processing, 2007. D. Wipf, S. Nagarajan, "Iterative reweighted ℓ1 and ℓ2 methods for
    finding sparse solutions", IEEE Journal of Selected Topics in Signal Processing, 2010. R. Varadhan, C. Roland,
    "Simple and globally convergent methods for accelerating the convergence of any EM algorithm", Scandinavian Journal
    of Statistics, 2008.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.eye(3) + 0.1
    >>> Y = A @ np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mmv.m_sbl(A, Y, noise_var=0.01).score.round(1).tolist()
    [4.0, 0.0, 0.0]
    """
    batch = Batch.of(A, Y)
    given = batch.numbers("noise_var", noise_var, POSITIVE)
    batch = batch.in_units(objective=0, spread=4, noise_var=given)
    sigma2 = batch.entered("noise_var", given, (0, 2)).astype(np.float64)
    exponent = EXPONENTS[as_choice("update", update, tuple(EXPONENTS))]
    max_iter = as_count("max_iter", max_iter)
    tol = as_scalar("tol", tol, NON_NEGATIVE)
    rows, received = batch.pilots.rows(np.complex128), batch.Y.astype(np.complex128)
    if gamma0 is None:
        gamma = even_powers(rows, received, sigma2)
    else:
        powers = np.tile(batch.per_device("gamma0", gamma0, POSITIVE).astype(np.float64), (batch.T, 1))
        gamma = batch.units.enter(powers, (-2, 2))
    conjugate = batch.pilots.conjugate_rows(np.complex128)
    X, objective, optimality, n_iter = solve_in_parts(
        lambda part: kernels.m_sbl.solve_batch(
            rows, conjugate, received[part], sigma2[part], exponent, max_iter, tol, gamma[part]
        ),
        received,
        batch.N,
        max_iter,
    )
    result = batch.result(
        X=X,
        score=gamma,
        objective=objective + log_det_unit(batch),
        optimality=optimality,
        n_iter=n_iter,
        tol=tol,
    )
    warn_about("m_sbl", result, tol)
    return result
