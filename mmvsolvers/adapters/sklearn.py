"""GROUP LASSO as an estimator of scikit-learn, for real and complex data."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, validate_data

from mmvsolvers.group_lasso_bcd import group_lasso_bcd
from mmvsolvers.validation import as_array

_REAL = (np.float64, np.float32)


class GroupLasso(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Linear regression whose outputs share their features: min_X ½‖AX - Y‖²_F + λ Σ_n ‖X_n‖₂.

    It is scikit-learn's ``MultiTaskLasso(alpha=lam / L, fit_intercept=False)``, for complex data too. There is no
    intercept, and nothing is scaled: centre and scale beforehand, in a pipeline.

    Parameters
    ----------
    lam : float, optional
        λ, in the units of AᴴY. By default 0.05 times the smallest λ at which X is zero.
    groups : array_like of int, shape (N,), optional
        Labels: the features of one label are zero together, in all outputs.
    max_iter : int, default 1000
        Most sweeps over the features.
    tol : float, default 1e-5
        Duality gap, relative to the objective, at which to stop.

    Attributes
    ----------
    coef_ : ndarray of shape (M, N), or (N,) for one output
        Xᵀ, as scikit-learn has it.
    n_iter_ : int
        Sweeps done.
    dual_gap_ : float
        The relative duality gap at ``coef_``.
    n_features_in_ : int
        N.

    See Also
    --------
    mmvsolvers.group_lasso_bcd : The function behind it, for many problems at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from mmvsolvers.adapters.sklearn import GroupLasso
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((30, 50)) + 1j * rng.standard_normal((30, 50))
    >>> X = np.zeros((50, 4), dtype=complex)
    >>> X[[7, 33]] = 1 + 1j
    >>> model = GroupLasso(lam=5.0).fit(A, A @ X)
    >>> np.flatnonzero(np.linalg.norm(model.coef_, axis=0)).tolist()
    [7, 33]
    """

    def __init__(
        self, lam: float | None = None, *, groups: ArrayLike | None = None, max_iter: int = 1000, tol: float = 1e-5
    ) -> None:
        self.lam, self.groups, self.max_iter, self.tol = lam, groups, max_iter, tol

    def fit(self, A: ArrayLike, Y: ArrayLike) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        A : array_like of shape (L, N), real or complex
            Samples of the features.
        Y : array_like of shape (L, M) or (L,)
            Outputs.

        Returns
        -------
        GroupLasso
            Itself.
        """
        if _is_complex(A) or _is_complex(Y):  # which scikit-learn's own validation refuses
            features, outputs = as_array("A", A), as_array("Y", Y)
            if features.ndim != 2 or outputs.ndim not in (1, 2) or len(features) != len(outputs) or 0 in outputs.shape:
                raise ValueError(
                    "A must have shape (L, N) and Y (L, M) or (L,), none empty; "
                    f"got {features.shape} and {outputs.shape}"
                )
            self.n_features_in_ = features.shape[1]
        else:
            features, outputs = validate_data(self, A, Y, dtype=_REAL, multi_output=True, y_numeric=True)
        dtype = np.result_type(features, outputs)
        columns = outputs.astype(dtype).reshape(len(outputs), -1)
        given: dict[str, Any] = {"groups": self.groups, "max_iter": self.max_iter, "tol": self.tol}
        found = group_lasso_bcd(features.astype(dtype), columns, self.lam, **given)
        assert found.X is not None, "this solver recovers the signal"
        self.coef_ = found.X[:, 0] if outputs.ndim == 1 else found.X.T
        self.n_iter_, self.dual_gap_ = int(found.n_iter), float(found.optimality)
        return self

    def predict(self, A: ArrayLike) -> NDArray[Any]:
        """Return AX, of shape (L, M), or (L,) where one output was fitted."""
        check_is_fitted(self)
        if _is_complex(A) or _is_complex(self.coef_):
            features = as_array("A", A)
            if features.ndim != 2 or features.shape[1] != self.n_features_in_:
                raise ValueError(f"A must have shape (L, {self.n_features_in_}); got {features.shape}")
            return np.asarray(features @ self.coef_.T)
        return np.asarray(validate_data(self, A, dtype=_REAL, reset=False) @ self.coef_.T)

    def score(self, A: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination of AX, the mean over outputs ``y``; a complex one counts as two."""
        outputs, found = np.asarray(y), self.predict(A)
        if _is_complex(outputs) or _is_complex(found):
            outputs, found = (_real_and_imaginary(one) for one in (outputs, found))
        return float(r2_score(outputs, found, sample_weight=sample_weight))


def _real_and_imaginary(columns: NDArray[Any]) -> NDArray[Any]:
    columns = columns.reshape(len(columns), -1)
    return np.hstack([columns.real, columns.imag])


def _is_complex(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "c"
