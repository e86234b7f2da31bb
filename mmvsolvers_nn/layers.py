"""The trainable parts of the learned schemes: thin holders of real parameters over `mmvsolvers_nn.functional`.

Signals and pilots are complex, parameters real: an optimiser then needs no complex arithmetic. ``module.double()``
turns a layer's computation from complex64 to complex128.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.thresholds import best_threshold
from mmvsolvers.validation import POSITIVE, PROBABILITY, as_count, as_per_device, as_scalar
from mmvsolvers_nn.functional import Recovery, amp_mmse, group_lasso_admm, map_cd

# Binary exponents of columns that stay as they are where only directions count.
ORDINARY = 10
# Beyond these, probabilities are 0 or 1 in single precision.
LOG_ODDS = -80.0, 15.0
# Beyond it, numbers are 0 or infinite there.
LOGARITHM = 80.0
# Makes a user's own correction network of the numbers of features that it takes and gives.
Network = Callable[[int, int], nn.Module]


class PilotEncoder(nn.Module):
    """Learned pilots, every column of norm √L.

    The parameter is any real array; the pilots are its columns normalised, so that each optimiser step keeps to the
    power constraint exactly. ``encoder.requires_grad_(False)`` freezes them.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from; their columns are normalised.

    Raises
    ------
    TypeError, ValueError
        For anything but a finite matrix without zero columns.
    """

    def __init__(self, A: ArrayLike) -> None:
        super().__init__()
        self.columns = nn.Parameter(_real_view(_of_ordinary_size(as_pilots("A", A))))

    def forward(self) -> Tensor:
        """Return A, (L, N), complex."""
        squares = self.columns.square().sum(dim=(0, 2), keepdim=True)
        # A column that the optimiser drives to zero must not turn everything into NaN.
        norms = squares.clamp_min(torch.finfo(squares.dtype).eps ** 2).sqrt()
        scale = len(self.columns) ** 0.5 / norms
        return torch.view_as_complex(self.columns * scale)


class FixedPilots(nn.Module):
    """Given pilots, used as they are and never trained: what a decoder for a given A stands on.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots.

    Raises
    ------
    TypeError, ValueError
        For anything but a finite matrix without zero columns.
    """

    columns: Tensor

    def __init__(self, A: ArrayLike) -> None:
        super().__init__()
        self.register_buffer("columns", _real_view(A))

    def forward(self) -> Tensor:
        """Return A, (L, N), complex."""
        return torch.view_as_complex(self.columns)


def transmit(A: Tensor, X: Tensor, Z: Tensor) -> Tensor:
    """Return the received signals Y = A X + Z, (..., L, M).

    Parameters
    ----------
    A : Tensor of shape (L, N), complex
        Pilots.
    X : Tensor of shape (..., N, M), complex
        Jointly sparse signals.
    Z : Tensor of shape (..., L, M), complex
        Noise.
    """
    # One product over all samples and antennas, instead of one product per sample.
    return (X.mT @ A.mT).mT + Z


class ApproximationPart(nn.Module):
    """What turns received signals into a first estimate, or into features for the correction part.

    Attributes
    ----------
    U : int
        Iterations; may be changed at any time.
    """

    U: int = 0

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Return the estimate for pilots A, (L, N), and received signals Y, (..., L, M)."""
        raise NotImplementedError

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values with which a classical solver repeats the iterations, if there are any."""
        return {}


class GroupLassoADMM(ApproximationPart):
    """U iterations of ADMM for GROUP LASSO with trainable λ and ρ, held positive by their logarithms.

    Parameters
    ----------
    U : int
        Iterations.
    lam, rho : float
        Weight λ of the group norm and penalty ρ to start from, positive.
    """

    def __init__(self, U: int, lam: float, rho: float) -> None:
        super().__init__()
        self.U = as_count("U", U)
        self.log_lam = nn.Parameter(torch.tensor(as_scalar("lam", lam, POSITIVE)).log())
        self.log_rho = nn.Parameter(torch.tensor(as_scalar("rho", rho, POSITIVE)).log())

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Estimate X, (..., N, M), from pilots A, (L, N), and received signals Y, (..., L, M)."""
        return signals_of(
            group_lasso_admm(A, Y, positive_of(self.log_lam), rho=positive_of(self.log_rho), n_iter=self.U)
        )

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values."""
        return {"lam": positive_of(self.log_lam), "rho": positive_of(self.log_rho)}


class AMP(ApproximationPart):
    """U iterations of AMP with the MMSE denoiser and a trainable prior activity ε(n) for every device.

    Parameters
    ----------
    U : int
        Iterations.
    activity_prob : array_like of shape (N,)
        Prior activity ε(n) to start from, strictly between 0 and 1; its log-odds are the parameter.
    damping : float or "adaptive", default "adaptive"
        See `mmvsolvers_nn.functional.amp_mmse`; not trained.
    averaged : bool, default True
        Whether the iterates are averaged, see there.
    """

    def __init__(
        self, U: int, activity_prob: ArrayLike, *, damping: float | str = "adaptive", averaged: bool = True
    ) -> None:
        super().__init__()
        self.U, self.damping, self.averaged = as_count("U", U), damping, averaged
        self.log_odds = nn.Parameter(log_odds_of(activity_prob))

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Estimate X, (..., N, M), from pilots A, (L, N), and received signals Y, (..., L, M)."""
        probability = probability_of(self.log_odds)
        return signals_of(amp_mmse(A, Y, probability, damping=self.damping, averaged=self.averaged, n_iter=self.U))

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values; ``amp_mmse`` repeats the iterations with them, not their mean, ``averaged``."""
        return {"activity_prob": probability_of(self.log_odds)}


class MAP(ApproximationPart):
    """U sweeps of MAP coordinate descent with a trainable prior activity ε(n) for every device.

    Parameters
    ----------
    U : int
        Sweeps.
    noise_var : float
        Noise variance σ² per complex entry, positive; not trained.
    activity_prob : array_like of shape (N,)
        Prior activity ε(n) to start from, strictly between 0 and 1; its log-odds are the parameter.
    """

    def __init__(self, U: int, noise_var: float, activity_prob: ArrayLike) -> None:
        super().__init__()
        self.U, self.noise_var = as_count("U", U), as_scalar("noise_var", noise_var, POSITIVE)
        self.log_odds = nn.Parameter(log_odds_of(activity_prob))

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Estimate the activity α, (..., N), from pilots A, (L, N), and received signals Y, (..., L, M)."""
        return map_cd(A, Y, self.noise_var, probability_of(self.log_odds), n_iter=self.U).score

    def hyperparameters(self) -> dict[str, Tensor]:
        """Return the trained values."""
        return {"activity_prob": probability_of(self.log_odds)}


class Covariance(ApproximationPart):
    """The features of a purely data-driven detector: the sample covariance Σ̂ = YYᴴ/M."""

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Return (vec Re Σ̂, vec Im Σ̂), (..., 2L²), from received signals Y, (..., L, M); A is not looked at."""
        covariance = Y @ Y.mH / Y.shape[-1]
        return torch.cat([covariance.real.flatten(-2), covariance.imag.flatten(-2)], dim=-1)


class Received(ApproximationPart):
    """The features of a purely data-driven signal decoder: the received signals themselves."""

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Return Y, (..., L, M); A is not looked at."""
        return Y


class CorrectionPart(nn.Module):
    """V fully connected layers with ReLU between them, on the last axis of a real tensor; V = 0 passes it on.

    With a residual connection, which [1]_ leaves open, the layers learn what to add to their input. The last layer
    then starts at zero, so that an untrained decoder is the solver that it unrolls. An own network in the place of the
    layers keeps this promise only if it starts at zero, too.

    Parameters
    ----------
    n_in, n_out : int
        Sizes of the last axis; equal for a residual connection and for V = 0.
    V : int
        Layers.
    width : int
        Size of the V - 1 hidden layers.
    residual : bool, default True
        Whether the input is added to the output.
    network : callable, optional
        ``network(n_in, n_out)`` returns a module that maps (..., n_in) to (..., n_out), in the place of the V layers.

    Raises
    ------
    TypeError
        If ``network`` returns something else than a module.
    ValueError
        If the sizes have to be equal and are not.

    References
    ----------
    .. [1] Y. Cui, S. Li, W. Zhang, "Jointly sparse signal recovery and support recovery via deep learning with
       applications in MIMO-based grant-free random access", IEEE JSAC, 2021.
    """

    def __init__(
        self, n_in: int, n_out: int, V: int, width: int, *, residual: bool = True, network: Network | None = None
    ) -> None:
        super().__init__()
        is_there = as_count("V", V, at_least=0) > 0 or network is not None
        if (residual or not is_there) and n_in != n_out:
            raise ValueError(
                f"V must be positive and residual False where the correction part maps {n_in} features to {n_out}; "
                f"got V={V}, residual={residual}"
            )
        self.residual, self.n_out = residual and is_there, n_out
        if network is not None:
            self.layers = _own(network, n_in, n_out)
            return
        self.layers = _fully_connected([n_in, *[width] * (V - 1), n_out] if V else [n_in])
        if self.residual:
            for parameter in self.layers[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        corrected: Tensor = self.layers(features)
        wanted = (*features.shape[:-1], self.n_out)
        if corrected.shape != wanted:
            raise ValueError(
                f"{type(self.layers).__name__} must map {tuple(features.shape)} to {wanted} in the correction part; "
                f"got {tuple(corrected.shape)}"
            )
        return features + corrected if self.residual else corrected


class Calibration(nn.Module):
    """A trainable rising line from scores to log-odds: what the cross-entropy needs and no decision depends on.

    Parameters
    ----------
    slope, midpoint : float
        Slope, positive, and score of probability ½ to start from.
    """

    def __init__(self, slope: float, midpoint: float) -> None:
        super().__init__()
        self.log_slope = nn.Parameter(torch.tensor(as_scalar("slope", slope, POSITIVE)).log())
        self.midpoint = nn.Parameter(torch.tensor(float(midpoint)))

    def forward(self, score: Tensor) -> Tensor:
        """Return the log-odds of scores of any shape."""
        return self.log_slope.exp() * (score - self.midpoint)


class Threshold(nn.Module):
    """The threshold module: the rule "score > γ*" with the fewest wrong decisions on training scores."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(torch.nan))

    def fit(self, score: Tensor, activity: Tensor) -> None:
        """Set γ* to the exact optimum on scores, in the module's precision, and activities of any equal shape."""
        score = score.detach().to(self.value.dtype)
        self.value.fill_(best_threshold(score.cpu().numpy(), activity.cpu().numpy()))

    def forward(self, score: Tensor) -> Tensor:
        """Decide who is active, a bool tensor of the shape of ``score``.

        Raises
        ------
        RuntimeError
            Before `fit`.
        """
        if self.value.isnan():
            raise RuntimeError("the threshold must be fitted on training scores before it can decide")
        return score.to(self.value.dtype) > self.value


def _real_view(A: ArrayLike) -> Tensor:
    pilots = as_pilots("A", A)
    with np.errstate(over="ignore", under="ignore"):
        single = pilots.astype(np.complex64)
    if not np.isfinite(single).all() or not single.any(axis=0).all():
        raise ValueError(
            f"A must have columns that single precision can hold; got entries up to {np.abs(pilots).max():.2g}"
        )
    return torch.view_as_real(torch.from_numpy(single))


def _of_ordinary_size(A: NDArray[np.inexact]) -> NDArray[np.inexact]:
    """Return A with columns of extreme sizes brought near 1 by powers of two, for where directions alone count."""
    exponents = np.frexp(np.abs(A).max(axis=0))[1]
    exponents[np.abs(exponents) <= ORDINARY] = 0
    scaled: NDArray[np.inexact] = np.ldexp(A.real, -exponents) + 1j * np.ldexp(A.imag, -exponents)
    return scaled


def probability_of(log_odds: Tensor) -> Tensor:
    """Return the probabilities of log-odds, strictly between 0 and 1 in single precision too."""
    return log_odds.clamp(*LOG_ODDS).sigmoid()


def log_odds_of(activity_prob: ArrayLike) -> Tensor:
    """Return log(ε/(1-ε)) of probabilities (N,), validated, in single precision."""
    probability = torch.as_tensor(activity_prob)
    spread = as_per_device("activity_prob", probability.numpy(), probability.numel(), PROBABILITY)
    return torch.logit(torch.as_tensor(spread)).float()


def positive_of(logarithm: Tensor) -> Tensor:
    """Return the numbers of logarithms, finite and positive in single precision."""
    return logarithm.clamp(-LOGARITHM, LOGARITHM).exp()


def signals_of(recovery: Recovery) -> Tensor:
    """Return the signals that a function recovered."""
    assert recovery.X is not None, "only the functions that detect return no signals"
    return recovery.X


def _fully_connected(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.ReLU(), nn.Linear(n_in, n_out)]
    return nn.Sequential(*layers[1:])


def _own(network: Network, n_in: int, n_out: int) -> nn.Module:
    found = network(n_in, n_out)
    if not isinstance(found, nn.Module):
        raise TypeError(f"correction(n_in, n_out) must return a torch.nn.Module; got {type(found).__name__}")
    return found
