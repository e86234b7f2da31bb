"""Everything that looks at the arguments of the differentiable functions, and what they return."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmvsolvers.validation import FINITE, POSITIVE, POSITIVE_OR_INF, PROBABILITY, Range, as_real

REAL_DTYPES = {torch.complex64: torch.float32, torch.complex128: torch.float64}
# Σ is formed with a rounding error of its power times the machine precision. Where that is more than this share of σ²,
# scores are off by a percent, and by anything where it is more than σ² itself.
LOST_NOISE = 0.3
NUMPY_DTYPES: dict[torch.dtype, type[np.floating]] = {torch.float32: np.float32, torch.float64: np.float64}


class Recovery(NamedTuple):
    """The estimates of an unrolled solver for a batch of problems with leading axes ``...``.

    Attributes
    ----------
    X : Tensor of shape (..., N, M) or None
        Estimated jointly sparse signals; None from the functions that only detect.
    score : Tensor of shape (..., N), real
        Evidence that each device is active: the larger, the likelier.
    state : tuple of Tensor
        What the iteration goes on from: ``f(..., n_iter=3, start=f(..., n_iter=2).state)`` is ``f(..., n_iter=5)``.

    Examples
    --------
    >>> import torch
    >>> from mmvsolvers_nn import functional as F
    >>> A = torch.eye(3, dtype=torch.complex128) + 0.1
    >>> Y = A @ torch.tensor([[2, -2], [0, 0], [0, 0]], dtype=torch.complex128)
    >>> five = F.ml_cd(A, Y, 0.01, n_iter=5)
    >>> two = F.ml_cd(A, Y, 0.01, n_iter=2)
    >>> torch.equal(five.score, F.ml_cd(A, Y, 0.01, n_iter=3, start=two.state).score)
    True
    """

    X: Tensor | None
    score: Tensor
    state: tuple[Tensor, ...]


@dataclass(frozen=True)
class Problems:
    """A batch of problems that share one A, leading axes flattened into one.

    Attributes
    ----------
    A : Tensor of shape (L, N)
        Pilots, complex64 or complex128.
    Y : Tensor of shape (T, L, M)
        Received signals, in the dtype and on the device of A.
    leading : tuple of int
        The leading axes ``...`` that Y came with; T is their product.
    """

    A: Tensor
    Y: Tensor
    leading: tuple[int, ...]

    @classmethod
    def of(cls, A: Tensor, Y: Tensor) -> Problems:
        """Check A (L, N) and Y (..., L, M); values are looked at only where that is free, see `_check_values`.

        Raises
        ------
        TypeError
            For anything but complex64 and complex128 tensors, and for two different dtypes.
        ValueError
            For shapes that do not fit, two devices, NaN or inf, and zero columns of A.
        """
        for name, value in (("A", A), ("Y", Y)):
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} must be a torch.Tensor; got {type(value).__name__}")
            if value.dtype not in REAL_DTYPES:
                raise TypeError(f"{name} must be complex64 or complex128; got {value.dtype}")
        if A.dtype != Y.dtype:
            raise TypeError(f"Y must have the dtype of A, {A.dtype}; got {Y.dtype}")
        if A.device != Y.device:
            raise ValueError(f"Y must be on the device of A, {A.device}; got {Y.device}")
        if A.ndim != 2 or 0 in A.shape:
            raise ValueError(f"A must have shape (L, N) with L, N >= 1; got {tuple(A.shape)}")
        if Y.ndim < 2 or Y.shape[-2] != A.shape[0] or 0 in Y.shape:
            raise ValueError(
                f"Y must have shape (..., {A.shape[0]}, M) to match A of shape {tuple(A.shape)}, with no empty axis; "
                f"got {tuple(Y.shape)}"
            )
        if _values_are_free(A):
            _check_values("A", A)
            _check_values("Y", Y)
            zero = (A.detach() == 0).all(dim=0).nonzero().flatten()
            if len(zero):
                raise ValueError(f"A must have no zero column; got zero column(s) {zero[:5].tolist()}")
        return cls(A, Y.reshape(-1, *Y.shape[-2:]), tuple(Y.shape[:-2]))

    @property
    def T(self) -> int:
        """Number of problems."""
        return self.Y.shape[0]

    @property
    def N(self) -> int:
        """Number of devices."""
        return self.A.shape[1]

    @property
    def L(self) -> int:
        """Pilot length."""
        return self.A.shape[0]

    @property
    def M(self) -> int:
        """Number of antennas."""
        return self.Y.shape[2]

    def per_problem(self, name: str, value: Tensor | float, admissible: Range) -> Tensor:
        """Spread a scalar or a tensor of shape ``leading`` over the problems: (T,), real."""
        return self._spread(name, value, admissible, self.leading, "problem").reshape(self.T)

    def noise(self, noise_var: Tensor | float) -> Tensor:
        """Spread σ² over the problems, (T,), and warn where it is lost in the rounding errors of Σ."""
        noise = self.per_problem("noise_var", noise_var, POSITIVE)
        if _values_are_free(noise):
            power = torch.view_as_real(self.Y.detach().resolve_conj()).double().square().sum(dim=(1, 2, 3)) / self.M
            share = torch.finfo(noise.dtype).eps * power / noise.detach()
            worst = int(share.argmax())
            if share[worst] > LOST_NOISE:
                warnings.warn(
                    f"noise_var={float(noise[worst]):.2g} is lost in the rounding errors of {self.A.dtype} where the "
                    f"received power is {float(power[worst]):.2g} an antenna: results are not reliable"
                    + ("; use complex128" if self.A.dtype == torch.complex64 else ""),
                    RuntimeWarning,
                    stacklevel=3,
                )
        return noise

    def per_device(self, name: str, value: Tensor | float, admissible: Range) -> Tensor:
        """Spread a scalar or a tensor of shape (N,) over the devices: (N,), real."""
        return self._spread(name, value, admissible, (self.N,), "device")

    def per_entry(self, name: str, value: Tensor | float, admissible: Range) -> Tensor:
        """Spread a scalar or a tensor of shape (N,) or (*leading, N) over problems and devices: (T, N), real."""
        if not isinstance(value, Tensor) or value.ndim < 2:
            return self.per_device(name, value, admissible).expand(self.T, -1)
        shape = (*self.leading, self.N)
        return self._spread(name, value, admissible, shape, "problem and device").reshape(self.T, self.N)

    def pairs(self, name: str, value: Tensor) -> Tensor:
        """Check a tensor of shape (N, N), one number for every ordered pair of devices: real, as precise as A."""
        if not isinstance(value, Tensor) or tuple(value.shape) != (self.N, self.N):
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{name} must be a tensor of shape {(self.N, self.N)}; got {found}")
        return self._spread(name, value, FINITE, (self.N, self.N), "pair")

    def per_iteration(self, name: str, value: Tensor | float, admissible: Range, n_iter: int) -> Tensor:
        """Spread a scalar or a tensor of shape (n_iter,) over the iterations: (n_iter,), real."""
        return self._spread(name, value, admissible, (n_iter,), "iteration")

    def start(
        self, start: tuple[Tensor, ...] | None, *parts: tuple[tuple[int, ...], Range | None]
    ) -> list[Tensor] | None:
        """Flatten the leading axes of a start point's tensors, as precise as A and where it is.

        ``parts`` has the shape behind the leading axes of each, and what it may hold: None for a complex one.
        """
        if start is None:
            return None
        wanted = [(*self.leading, *shape) for shape, _ in parts]
        given = start if isinstance(start, tuple) and all(isinstance(part, Tensor) for part in start) else ()
        if [tuple(part.shape) for part in given] != wanted:
            raise ValueError(f"start must be the state of an earlier call: a tuple of tensors of shapes {wanted}")
        for part, (_, admissible) in zip(given, parts, strict=True):
            dtype = self.A.dtype if admissible is None else REAL_DTYPES[self.A.dtype]
            if part.dtype != dtype:
                raise TypeError(f"start must be {dtype} where A is {self.A.dtype}; got {part.dtype}")
            if part.device != self.A.device:
                raise ValueError(f"start must be on the device of A, {self.A.device}; got {part.device}")
            if admissible is not None and _values_are_free(part):
                as_real("start", part.detach().numpy(), admissible)
        return [part.reshape(self.T, *shape) for part, (shape, _) in zip(given, parts, strict=True)]

    def batched(self, flat: Tensor) -> Tensor:
        """Give (T, ...) its leading axes back."""
        return flat.reshape(*self.leading, *flat.shape[1:])

    def _spread(self, name: str, value: Tensor | float, admissible: Range, shape: tuple[int, ...], each: str) -> Tensor:
        real = REAL_DTYPES[self.A.dtype]
        if not isinstance(value, Tensor):
            number = as_real(name, value, admissible)
            if number.ndim:
                raise TypeError(f"{name} must be a number or a tensor; got {type(value).__name__}")
            if not torch.compiler.is_compiling():
                _check_cast(name, number, admissible, real)
            # A fill, unlike a copy from the host, can be captured in a CUDA graph.
            return torch.full(shape, float(number), dtype=real, device=self.A.device)
        if value.dtype.is_complex or not value.dtype.is_floating_point:
            raise TypeError(f"{name} must be real; got {value.dtype}")
        if tuple(value.shape) not in ((), shape):
            raise ValueError(f"{name} must be a scalar or have shape {shape}, one per {each}; got {tuple(value.shape)}")
        if _values_are_free(value):
            _check_cast(name, as_real(name, value.detach().double().numpy(), admissible), admissible, real)
        return value.to(device=self.A.device, dtype=real).expand(shape)


def _values_are_free(value: Tensor) -> bool:
    """Tell whether values may be read: on a GPU it would stall the stream and break the capture of a CUDA graph."""
    return value.device.type == "cpu" and not torch.compiler.is_compiling()


def _check_values(name: str, value: Tensor) -> None:
    finite = torch.isfinite(value.detach())
    if not finite.all():
        raise ValueError(f"{name} must be finite; got {int((~finite).sum())} NaN or infinite entries")


def _check_cast(name: str, value: NDArray[np.float64], admissible: Range, real: torch.dtype) -> None:
    """Refuse what is admissible only in double precision where it will be single."""
    with np.errstate(over="ignore", under="ignore"):
        cast = np.asarray(value).astype(NUMPY_DTYPES[real])
    good = admissible.contains(cast) & (np.isfinite(cast) | np.isinf(value))
    if not good.all():
        raise ValueError(
            f"{name} must be {admissible.words}, in {cast.dtype.name} too; got {np.asarray(value)[~good].flat[0]:.17g}"
        )


def check_scores(Y: Tensor, score: Tensor) -> None:
    """Refuse Y of a size whose scores the precision cannot hold, where values are free to be looked at."""
    if _values_are_free(score) and not torch.isfinite(score).all():
        raise ValueError(
            f"Y must be of a size at which {Y.dtype} holds the scores; got NaN or infinite ones from entries up to "
            f"{float(Y.detach().abs().max()):.2g}"
        )


def shrinkage(squared_norm: Tensor, threshold: Tensor) -> Tensor:
    """Return max(1 - threshold/‖t‖, 0), the factor of the group soft threshold, with gradient 0 where it is 0.

    Parameters
    ----------
    squared_norm : Tensor of shape (...)
        ‖t‖² of every group.
    threshold : Tensor
        Non-negative, broadcasts against ``squared_norm``.
    """
    passes = squared_norm > threshold.square()
    norm = torch.where(passes, squared_norm, 1.0).sqrt()
    return torch.where(passes, 1.0 - threshold / norm, 0.0)


def posterior(
    A: Tensor,
    Y: Tensor,
    noise_var: Tensor | float,
    activity_prob: Tensor | float,
    channel_var: Tensor | float,
    upper: Tensor | float | None,
) -> tuple[Problems, Tensor, Tensor, Tensor]:
    """Check what maximum a posteriori estimation is told; arguments as in `map_cd`.

    Returns the problems with √g_n·a_n in A's place, whose coefficients are the activities, σ² (T,), and
    log(ε/(1-ε))/M and the largest activities, (T, N).
    """
    problems = Problems.of(A, Y)
    noise = problems.noise(noise_var)
    probability = problems.per_entry("activity_prob", activity_prob, PROBABILITY)
    variance = problems.per_device("channel_var", channel_var, POSITIVE)
    if upper is None:
        bound = torch.where(probability.detach() > 0.5, 1.0, torch.inf)
    else:
        bound = problems.per_device("upper", upper, POSITIVE_OR_INF).expand(problems.T, -1)
        if _values_are_free(probability) and ((probability > 0.5) & bound.isinf()).any():
            raise ValueError("upper must be finite where activity_prob > 0.5, where there is no minimum; got inf")
    scaled = Problems(A * variance.sqrt(), problems.Y, problems.leading)
    return scaled, noise, torch.logit(probability) / problems.M, bound


def squared_rows(X: Tensor, dim: int) -> Tensor:
    """Return the sum of |X|² over one axis of a complex tensor, counted from the front.

    The square of the real view, since ``abs`` of a complex tensor is slow and has no gradient at 0.
    """
    return torch.view_as_real(X.resolve_conj()).square().sum(dim=(dim, -1))


def real_rows(X: Tensor) -> Tensor:
    """Return complex rows (..., n) as real ones, (..., 2n), their real parts first.

    Where real weights meet complex numbers, torch takes several times as long, above all backwards.
    """
    return torch.cat([X.real, X.imag], dim=-1)


def complex_rows(X: Tensor) -> Tensor:
    """Return what `real_rows` made real."""
    return torch.complex(*X.chunk(2, dim=-1))


def real_product(A: Tensor) -> Tensor:
    """Return B, (2L, 2N), with real_rows(R) B = real_rows(R A*) and real_rows(X) Bᵀ = real_rows(X Aᵀ)."""
    return torch.cat([torch.cat([A.real, -A.imag], dim=1), torch.cat([A.imag, A.real], dim=1)], dim=0)
