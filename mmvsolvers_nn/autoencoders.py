"""The learned schemes: encoder, approximation part, correction part and threshold module, jointly trainable [1]_.

References
----------
.. [1] Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with
   applications in MIMO-based grant-free random access", IEEE JSAC, 2021.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers_nn.functional import Recovery
from mmvsolvers_nn.functional._inputs import Problems, check_scores, complex_rows, real_rows
from mmvsolvers_nn.layers import (
    AMP,
    MAP,
    ApproximationPart,
    Calibration,
    CorrectionPart,
    Covariance,
    FixedPilots,
    GroupLassoADMM,
    Network,
    PilotEncoder,
    Received,
    Threshold,
    transmit,
)

# Log-odds of the scores of an untrained MAP decoder: active devices score about 1, idle ones about 0, and with p = 0.1
# these values are close to the cross-entropy's optimum.
_MAP_SLOPE, _MAP_MIDPOINT = 6.0, 0.5
# Samples that are decoded at once outside training: their iterates fit into memory and caches.
CHUNK = 500


class SignalDecoder(nn.Module):
    """Approximation and correction part of a signal decoder.

    The correction part sees one antenna at a time, (Re X_m, Im X_m) ∈ R²ᴺ, with the same weights for all.

    Parameters
    ----------
    approximation : ApproximationPart
        Maps A, (L, N), and Y, (..., L, M), to estimates (..., N, M) or to features with M last.
    correction : CorrectionPart
        Maps the real and imaginary parts of a column of those to 2N numbers.
    """

    def __init__(self, approximation: ApproximationPart, correction: CorrectionPart) -> None:
        super().__init__()
        self.approximation, self.correction = approximation, correction

    def forward(self, A: Tensor, Y: Tensor) -> Recovery:
        """Estimate X, (..., N, M); the score of device n is ‖X_n‖²/M."""
        X = self.corrected(self.approximation(A, Y))
        return Recovery(X, torch.view_as_real(X).square().sum(dim=-1).mean(dim=-1), ())

    def corrected(self, estimate: Tensor) -> Tensor:
        """Return X, (..., N, M), from what the approximation part found."""
        return complex_rows(self.correction(real_rows(estimate.mT))).mT

    def loss(self, recovery: Recovery, X: Tensor, activity: Tensor) -> Tensor:
        """Return the mean squared error per device and antenna."""
        assert recovery.X is not None, "a signal decoder recovers signals"
        return torch.view_as_real(recovery.X - X).square().sum(dim=-1).mean()


class SupportDecoder(nn.Module):
    """Approximation and correction part of a support decoder.

    Parameters
    ----------
    approximation : ApproximationPart
        Maps A, (L, N), and Y, (..., L, M), to scores (..., N) or to features.
    correction : CorrectionPart
        Maps those to scores (..., N).
    calibration : Module
        Maps scores to log-odds. They are what the paper's sigmoid outputs are the sigmoid of; decisions are taken on
        the scores, which an untrained decoder shares with the solver that it unrolls.
    """

    def __init__(self, approximation: ApproximationPart, correction: CorrectionPart, calibration: nn.Module) -> None:
        super().__init__()
        self.approximation, self.correction, self.calibration = approximation, correction, calibration

    def forward(self, A: Tensor, Y: Tensor) -> Recovery:
        """Score every device, (..., N)."""
        return Recovery(None, self.correction(self.approximation(A, Y)), ())

    def loss(self, recovery: Recovery, X: Tensor, activity: Tensor) -> Tensor:
        """Return the binary cross-entropy per device."""
        return binary_cross_entropy_with_logits(self.calibration(recovery.score), activity.to(recovery.score.dtype))


class AutoEncoder(nn.Module):
    """Pilots and the decoder made for them.

    Parameters
    ----------
    encoder : PilotEncoder or FixedPilots
        Returns the pilots A, (L, N), when called.
    decoder : SignalDecoder or SupportDecoder
        Maps A and Y to a `Recovery`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> import torch
    >>> model = mmvnn.AMPNN(A, np.full(20, 0.1), U=5)
    >>> X, Z = torch.zeros(3, 20, 4, dtype=torch.complex64), torch.ones(3, 8, 4, dtype=torch.complex64)
    >>> tuple(model(X, Z).X.shape)
    (3, 20, 4)
    >>> round(float(model.encoder().detach().norm(dim=0).square().mean()), 3)  # pilots of norm √L
    8.0
    """

    def __init__(self, encoder: PilotEncoder | FixedPilots, decoder: SignalDecoder | SupportDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder, self.threshold = encoder, decoder, Threshold()

    def forward(self, X: Tensor, Z: Tensor) -> Recovery:
        """Send signals X, (..., N, M), through noise Z, (..., L, M), and recover them."""
        A = self.encoder()
        recovery: Recovery = self.decoder(A, transmit(A, X, Z))
        return recovery

    def loss(self, X: Tensor, Z: Tensor, activity: Tensor) -> Tensor:
        """Return the training loss of a batch: squared error or cross-entropy against ``activity``, (..., N), bool."""
        loss: Tensor = self.decoder.loss(self(X, Z), X, activity)
        return loss

    def decode(self, Y: Tensor) -> Recovery:
        """Recover signals or support from received signals Y, (..., L, M), sent with these pilots.

        Raises
        ------
        TypeError, ValueError
            For Y of another dtype, shape or device, and on a CPU for NaN, inf, and scores that are.
        """
        A = self.encoder()
        Problems.of(A, Y)
        recovery: Recovery = self.decoder(A, Y)
        check_scores(Y, recovery.score)
        return recovery

    def detect(self, Y: Tensor) -> Tensor:
        """Decide who is active, (..., N), bool; the threshold must have been fitted."""
        active: Tensor = self.threshold(self.decode(Y).score)
        return active

    @torch.no_grad()
    def exported(self) -> dict[str, NDArray[np.inexact]]:
        """Return A (L, N), the threshold γ* and the approximation part's parameters, as NumPy arrays."""
        arrays = {
            "A": self.encoder(),
            "threshold": self.threshold.value,
            **self.decoder.approximation.hyperparameters(),
        }
        return {name: value.resolve_conj().cpu().numpy() for name, value in arrays.items()}


class GroupLassoNN(AutoEncoder):
    """GROUP LASSO-NN: learned pilots, unrolled ADMM with trainable λ and ρ, correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    U : int, default 200
        Iterations; with none the correction part sees the received signals.
    V : int, default 3
        Layers of the correction part.
    lam, rho : float
        λ and ρ to start from.
    width : int, optional
        Hidden layers' size, 2N by default.
    residual : bool, default True
        See `CorrectionPart`; without effect for U = 0.
    learn_pilots : bool, default True
        Whether A is trained, with columns of norm √L, or used as it is.
    correction : callable, optional
        An own network in the place of the V layers: ``correction(n_in, n_out)`` returns a module that maps real tensors
        (..., n_in) to (..., n_out).

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.GroupLassoNN(A, U=10)
    >>> sorted(model.exported())
    ['A', 'lam', 'rho', 'threshold']
    """

    def __init__(
        self,
        A: ArrayLike,
        *,
        U: int = 200,
        V: int = 3,
        lam: float = 2.0,
        rho: float = 1.0,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = GroupLassoADMM(U, lam, rho) if U else Received()
        super().__init__(encoder_of(A, learn_pilots), signal_decoder(A, approximation, V, width, residual, correction))


class AMPNN(AutoEncoder):
    """AMP-NN: learned pilots, unrolled AMP with trainable ε(n), correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    activity_prob : array_like of shape (N,)
        ε(n) to start from.
    U : int, default 50
        Iterations; with none the correction part sees the received signals.
    V : int, default 3
        Layers of the correction part.
    damping, averaged
        See `AMP`.
    width, residual, learn_pilots, correction
        As in `GroupLassoNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.AMPNN(A, np.full(20, 0.1), U=5)
    >>> sorted(model.exported())
    ['A', 'activity_prob', 'threshold']
    """

    def __init__(
        self,
        A: ArrayLike,
        activity_prob: ArrayLike,
        *,
        U: int = 50,
        V: int = 3,
        damping: float | str = "adaptive",
        averaged: bool = True,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = AMP(U, activity_prob, damping=damping, averaged=averaged) if U else Received()
        super().__init__(encoder_of(A, learn_pilots), signal_decoder(A, approximation, V, width, residual, correction))


class CovarianceNN(AutoEncoder):
    """NN: learned pilots and a purely data-driven detector on the sample covariance.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    V : int, default 3
        Layers of the correction part, at least 1.
    width : int, optional
        Hidden layers' size, 4N by default.
    learn_pilots, correction
        As in `GroupLassoNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.CovarianceNN(A, V=2, width=32)
    >>> sorted(model.exported())
    ['A', 'threshold']
    """

    def __init__(
        self,
        A: ArrayLike,
        *,
        V: int = 3,
        width: int | None = None,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        super().__init__(encoder_of(A, learn_pilots), support_decoder(A, Covariance(), V, width, False, correction))


class MAPNN(AutoEncoder):
    """MAP-NN: learned pilots, unrolled MAP coordinate descent with trainable ε(n), correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    noise_var : float
        Noise variance σ² per complex entry, positive.
    activity_prob : array_like of shape (N,)
        ε(n) to start from.
    U : int, default 55
        Sweeps; with none the correction part sees the sample covariance, as in `CovarianceNN`.
    V : int, default 3
        Layers of the correction part.
    width : int, optional
        Hidden layers' size, 4N by default.
    residual : bool, default True
        See `CorrectionPart`; without effect for U = 0.
    learn_pilots, correction
        As in `GroupLassoNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> import torch
    >>> model = mmvnn.MAPNN(A, 0.1, np.full(20, 0.1), U=3)
    >>> tuple(model.decode(torch.zeros(5, 8, 4, dtype=torch.complex64)).score.shape)
    (5, 20)
    """

    def __init__(
        self,
        A: ArrayLike,
        noise_var: float,
        activity_prob: ArrayLike,
        *,
        U: int = 55,
        V: int = 3,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        approximation = MAP(U, noise_var, activity_prob) if U else Covariance()
        decoder = activity_decoder(A, approximation, V, width, residual, correction)
        super().__init__(encoder_of(A, learn_pilots), decoder)


def encoder_of(A: ArrayLike, learn_pilots: bool) -> PilotEncoder | FixedPilots:
    """Return pilots that are learned from A, (L, N), on, or that stay A."""
    return PilotEncoder(A) if learn_pilots else FixedPilots(A)


def signal_decoder(
    A: ArrayLike, approximation: ApproximationPart, V: int, width: int | None, residual: bool, own: Network | None
) -> SignalDecoder:
    """Return a decoder that corrects the signals of an approximation part, or received signals themselves."""
    L, N = as_pilots("A", A).shape
    data_driven = isinstance(approximation, Received)
    n_in = 2 * L if data_driven else 2 * N
    residual = residual and not data_driven
    return SignalDecoder(approximation, CorrectionPart(n_in, 2 * N, V, width or 2 * N, residual=residual, network=own))


def support_decoder(
    A: ArrayLike,
    approximation: ApproximationPart,
    V: int,
    width: int | None,
    residual: bool,
    own: Network | None,
    calibration: nn.Module | None = None,
) -> SupportDecoder:
    """Return a decoder that corrects the scores of an approximation part, or reads the sample covariance itself.

    Without a ``calibration`` the scores are log-odds.
    """
    L, N = as_pilots("A", A).shape
    data_driven = isinstance(approximation, Covariance)
    n_in = 2 * L**2 if data_driven else N
    residual = residual and not data_driven
    correction = CorrectionPart(n_in, N, V, width or 4 * N, residual=residual, network=own)
    return SupportDecoder(approximation, correction, calibration or nn.Identity())


def activity_decoder(
    A: ArrayLike, approximation: ApproximationPart, V: int, width: int | None, residual: bool, own: Network | None
) -> SupportDecoder:
    """Return a decoder that corrects the activities α of an approximation part, or reads the sample covariance."""
    # Fully connected outputs are log-odds already.
    is_activity = not isinstance(approximation, Covariance) and (residual or (V == 0 and own is None))
    calibration = Calibration(_MAP_SLOPE, _MAP_MIDPOINT) if is_activity else None
    return support_decoder(A, approximation, V, width, residual, own, calibration)
