"""What every solver returns, and the warnings it may raise on the way."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ConvergenceWarning(UserWarning):
    """A run to tolerance stopped at ``max_iter`` before it reached ``tol``.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> data = mmv.generate(rng, N=20, L=8, M=4, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.2))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    ...     result = mmv.ml_cd(data.A, data.Y, data.noise_var, max_iter=1, tol=1e-9)
    ...
    >>> result.converged.tolist()
    [False]
    """


class DivergenceWarning(UserWarning):
    """An iteration without a descent guarantee (AMP) blew up; its best iterate is returned.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np, mmvsolvers as mmv
    >>> A = np.ones((4, 20))  # pilots that AMP is not made for
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", mmv.DivergenceWarning)
    ...     result = mmv.amp_mmse(A, A[:, :2], 0.1, damping=1.0, tol=0, max_iter=50)
    ...
    >>> bool(result.diverged)
    True
    """


def row_scores(X: NDArray[np.inexact]) -> NDArray[np.floating]:
    """Return ‖X_n‖²/M for X of shape (..., N, M): the scores of a solver that estimates signals alone."""
    return np.asarray(np.vecdot(X, X).real / X.real.dtype.type(X.shape[-1]))


@dataclass(frozen=True, slots=True, eq=False)
class SolverResult:
    """The estimates of one solver for a batch of problems with leading axes ``...``.

    Attributes
    ----------
    X : ndarray of shape (..., N, M) or None
        Estimated jointly sparse signals, in the precision of the input; None from the solvers that only detect.
    score : ndarray of shape (..., N), real
        Evidence that each device is active: the larger, the likelier. Compare it with a threshold.
    objective : ndarray of shape (...), real
        What the solver minimises, at the returned estimate (AMP, which minimises nothing: its last τ²).
    optimality : ndarray of shape (...), real
        How far the estimate is from optimal, 0 at an optimum: the relative duality gap of the convex solvers,
        the largest scaled coordinate step of the likelihood solvers, the last relative change of AMP.
    n_iter : ndarray of shape (...), int64
        Iterations or sweeps done.
    converged : ndarray of shape (...), bool
        ``optimality <= tol``.
    diverged : ndarray of shape (...), bool
        The iteration blew up and the best iterate before that is returned. Only AMP can.
    noise_var : ndarray of shape (...), real, or None
        The noise variance, where it was estimated.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> result = mmv.group_lasso_bcd(np.eye(3), np.diag([3.0, 2.0, 0.1]), lam=1.0)
    >>> result
    SolverResult(X=float64(3, 3), score=float64(3,), converged=1/1, diverged=0)
    >>> np.linalg.norm(result.X, axis=-1).round(6).tolist()
    [2.0, 1.0, 0.0]
    """

    X: NDArray[np.inexact] | None
    score: NDArray[np.floating]
    objective: NDArray[np.floating]
    optimality: NDArray[np.floating]
    n_iter: NDArray[np.int64]
    converged: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    noise_var: NDArray[np.floating] | None = None

    @classmethod
    def unoptimised(cls, X: NDArray[np.inexact] | None, score: NDArray[np.floating], n_iter: int = 0) -> SolverResult:
        """Return the result of a decoder that minimises nothing and is always done."""
        shape = score.shape[:-1]
        return cls(
            X=X,
            score=score,
            objective=np.full(shape, np.nan),
            optimality=np.zeros(shape),
            n_iter=np.full(shape, n_iter),
            converged=np.ones(shape, np.bool_),
            diverged=np.zeros(shape, np.bool_),
        )

    def __repr__(self) -> str:
        """Shapes and counts; the arrays themselves can be gigabytes."""
        shape = "None" if self.X is None else f"{self.X.dtype}{self.X.shape}"
        return (
            f"SolverResult(X={shape}, score={self.score.dtype}{self.score.shape}, "
            f"converged={int(self.converged.sum())}/{self.converged.size}, diverged={int(self.diverged.sum())})"
        )


def best_of(results: Sequence[SolverResult]) -> SolverResult:
    """Keep, problem by problem, the result with the least objective: of one solver from several starts, say.

    Parameters
    ----------
    results : sequence of SolverResult
        Of the same problems and the same objective.

    Returns
    -------
    SolverResult
        Where objectives are equal, the first one; NaN loses.

    Raises
    ------
    ValueError
        If there are no results, or of different shapes.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=40, L=8, M=2, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> data = scenario.draw(np.random.default_rng(0), 3)
    >>> starts = [mmv.ml_cd(data.A, data.Y, 0.1, gamma0=start) for start in (None, "dense")]
    >>> best = mmv.best_of(starts)
    >>> bool((best.objective <= starts[0].objective).all())
    True
    """
    if not results:
        raise ValueError("results must not be empty")
    shapes = [(result.score.shape, None if result.X is None else result.X.shape) for result in results]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"results must be of the same problems; got scores and signals of shapes {shapes}")
    objectives = np.stack([result.objective for result in results])
    best = np.argmin(np.where(np.isnan(objectives), np.inf, objectives), axis=0)

    def kept(name: str) -> Any:
        if getattr(results[0], name) is None:
            return None
        values = np.stack([getattr(result, name) for result in results])
        index = best.reshape(1, *best.shape, *(1,) * (values.ndim - 1 - best.ndim))
        return np.take_along_axis(values, index, axis=0)[0]

    return SolverResult(**{field.name: kept(field.name) for field in fields(SolverResult)})


def _callers_level() -> int:
    """Return the stack level, for a warning of the function that asks, of the line outside the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "mmvsolvers":
        frame, level = frame.f_back, level + 1
    return level


def warn_about(solver: str, result: SolverResult, tol: float) -> None:
    """Raise one warning for the problems of a batch that diverged or, with ``tol`` > 0, did not converge."""
    if result.converged.all() and not result.diverged.any():
        return
    total = result.converged.size
    n_diverged = int(result.diverged.sum())
    open_problems = ~(result.converged | result.diverged)
    said = []
    if n_diverged:
        said.append(f"{n_diverged} of {total} problems diverged; their best iterates are returned")
    if tol > 0 and open_problems.any():
        said.append(
            f"{int(open_problems.sum())} of {total} problems stopped with optimality up to "
            f"{result.optimality[open_problems].max():.2g} > tol={tol:g}"
        )
    if said:
        kind = DivergenceWarning if n_diverged else ConvergenceWarning
        warnings.warn(f"{solver}: {'; '.join(said)}", kind, stacklevel=_callers_level())
