"""The problems of a call: checked, in one precision and layout, and in units in which their numbers are ordinary."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmvsolvers.prepared_pilots import Pilots, as_prepared
from mmvsolvers.result import SolverResult, row_scores
from mmvsolvers.units import ORDINARY, Units, are_ordinary, exponents, fits, largest, power_exponents, rescaled
from mmvsolvers.validation import Range, as_array, as_per_device, as_precise, as_real, refuse_infinite

# AᴴY is computed for as many problems at a time as have this many entries together.
MATCHED_ENTRIES = 2**18
# Amplitudes may be so many times the noise's: kernels multiply up to four of them in double precision.
LARGEST_TO_NOISE = 2.0**232


@dataclass(frozen=True, slots=True)
class WhitenedPart:
    """Problems of a batch in double precision, in units of 2 to the power ``unit`` in which their noise is ordinary.

    Attributes
    ----------
    which : slice or ndarray of int
        Which problems of the batch they are.
    unit : int
        Exponent of the unit of A, Y and the root of the noise variance.
    rows, Y, noise_var : ndarray
        √g_n·a_nᵀ (N, L), Y (T, L, M) and σ² (T,).
    """

    which: slice | NDArray[np.int64]
    unit: int
    rows: NDArray[np.complex128]
    Y: NDArray[np.complex128]
    noise_var: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batch:
    """A validated batch of problems that share one A, leading axes flattened into one.

    Attributes
    ----------
    pilots : Pilots
        In the common precision of A and Y.
    Y : ndarray of shape (T, L, M)
        C-contiguous, same dtype as the pilots.
    leading : tuple of int
        The leading axes ``...`` that Y came with; T is their product.
    sizes : ndarray of shape (T,)
        The largest magnitude of a real or imaginary part of each problem's Y, in the user's units.
    units : Units
        The units that A and Y are in; see `in_units`.
    """

    pilots: Pilots
    Y: NDArray[np.inexact]
    leading: tuple[int, ...]
    sizes: NDArray[np.floating]
    units: Units

    @classmethod
    def of(cls, A: ArrayLike, Y: ArrayLike) -> "Batch":
        """Validate A (L, N) and Y (..., L, M) and bring them to one dtype and layout; copies only what it must."""
        pilots, received = as_prepared("A", A), as_precise("Y", Y)
        L = pilots.shape[0]
        if received.ndim < 2 or received.shape[-2] != L or 0 in received.shape:
            raise ValueError(
                f"Y must have shape (..., {L}, M) to match A of shape {pilots.shape}, with no empty axis; "
                f"got {received.shape}"
            )
        dtype = np.result_type(pilots.dtype, received.dtype.newbyteorder("="))
        *leading, L, M = received.shape
        # Read-only arrays are another type to numba: compiled for once more, and rounded in another order.
        flat = np.require(received, dtype, ("C", "W")).reshape(-1, L, M)
        sizes = largest(flat.reshape(len(flat), -1), axis=1)
        if not sizes.max() < np.inf:
            refuse_infinite("Y", received)
        return cls(pilots.astype(dtype), flat, tuple(leading), sizes, Units.of_user(len(flat)))

    def in_units(
        self,
        *,
        objective: int,
        spread: int = 2,
        noise_var: NDArray[np.float64] | None = None,
        channel_var: NDArray[np.floating] | None = None,
    ) -> "Batch":
        """Return the same problems in units in which their numbers are ordinary; ordinary problems stay as they are.

        Parameters
        ----------
        objective : int
            The power of Y's unit that the solver's objective is in.
        spread : {2, 4}
            The power of the pilots' norms that the solver computes with.
        noise_var : ndarray of shape (T,), optional
            σ², which gives the unit of Y. By default the largest entry of Y does.
        channel_var : ndarray of shape (N,), optional
            Variances g to be put into the pilots: A becomes A·√g.

        Raises
        ------
        ValueError
            Where numbers of one problem differ by more than the exponents of the precision hold.
        """
        if channel_var is not None and (channel_var == 1.0).all():
            channel_var = None
        if channel_var is None and self.is_ordinary(noise_var):
            return self
        exponent, received = self.pilots.exponent, self.sizes
        units = exponents(received) if noise_var is None else power_exponents(noise_var)
        pilots = self.pilots.in_unit(exponent)
        # those of A itself, unlike those in its unit, are never lost
        sizes = self.pilots.sizes
        if channel_var is not None:
            gain = int(power_exponents(channel_var.max()))
            pilots = pilots.weighted(np.sqrt(np.ldexp(channel_var, -2 * gain)).astype(self.real_dtype))
            exponent += gain
            sizes = pilots.sizes
        problem = replace(self, pilots=pilots, Y=rescaled(self.Y, -units), units=Units(exponent, units))
        self._check_spread(sizes, spread, channel_var is not None)
        if noise_var is not None:
            self._check_ratio(received, units, noise_var, float(np.log2(sizes.max()) - np.log2(sizes.min())))
        self._check_outcome(problem.units, received, objective)
        return problem

    def is_ordinary(self, noise_var: NDArray[np.float64] | None) -> bool:
        """Tell whether the problems are in ordinary units for certain.

        None of the checks of ``in_units`` can fail then. Columns of A differ by 2²⁴ at most, their fourth powers by
        less than the 2¹⁰³ that single precision has; Y exceeds the noise by 2²⁴ at most, less than the least bound on
        their ratio, 2⁴⁰; and all units are 1, which any precision holds.
        """
        if not are_ordinary(*self.pilots.extremes):
            return False
        powers = self.sizes if noise_var is None else np.sqrt(noise_var)
        return are_ordinary(float(powers.min()), float(max(powers.max(), self.sizes.max())))

    def _check_spread(self, sizes: NDArray[np.floating], spread: int, weighted: bool) -> None:
        least, most = float(sizes.min()), float(sizes.max())
        limits = np.finfo(self.real_dtype)
        if least > 0 and spread * (np.log2(most) - np.log2(least)) < -limits.minexp - limits.nmant:
            return
        raise ValueError(
            f"A must have columns{' times the roots of channel_var' * weighted} whose sizes differ by less than the "
            f"exponents of {self.real_dtype.name} hold; got largest entries from {least:.2g} to {most:.2g}"
        )

    def _check_ratio(
        self,
        received: NDArray[np.floating],
        units: NDArray[np.int64],
        noise_var: NDArray[np.float64],
        pilots_spread: float,
    ) -> None:
        # Where the ratio is large, kernels compute in double precision, fourth powers of it and of the pilots.
        most = min(np.finfo(self.real_dtype).maxexp // 2, np.finfo(np.float64).maxexp // 4 - pilots_spread)
        far = np.frexp(received)[1] - units > most - 2 * ORDINARY
        if far.any():
            t = int(np.argmax(far))
            raise ValueError(
                f"noise_var must not be so small beside Y that their ratio leaves the exponents of "
                f"{self.real_dtype.name}; got {noise_var[t]:.2g} for entries of Y up to {received[t]:.2g}"
            )

    def _check_outcome(self, units: Units, received: NDArray[np.floating], objective: int) -> None:
        for what, unit in (("powers of X", (-2, 2)), ("an objective", (0, objective))):
            bad = ~fits(units.exponents(unit), self.real_dtype)
            if bad.any():
                t = int(np.argmax(bad))
                raise ValueError(
                    f"A and Y must be in units whose answers {self.real_dtype.name} holds; got entries of Y up to "
                    f"{received[t]:.2g}, for {what} of the size 2**{units.exponents(unit)[t]}: "
                    "choose other units or double precision"
                )

    def in_noise_units(self, gain: NDArray[np.floating], noise_var: NDArray[np.float64]) -> Iterator[WhitenedPart]:
        """Yield the problems in double precision and in units of their noise, those of one unit at a time.

        Where devices are active or not there is but one unit, since their channels' variances g (N,) are known: they
        are put into the pilots, √g_n·a_nᵀ.

        Raises
        ------
        ValueError
            Where numbers of one problem differ by more than the exponents hold.
        """
        units = power_exponents(noise_var)
        with np.errstate(over="ignore"):
            rows = (self.A.T * np.sqrt(gain.astype(np.float64))[:, None]).astype(np.complex128)
        for unit in np.unique(units):
            members = np.flatnonzero(units == unit)
            which = slice(None) if members.size == self.T else members
            part = WhitenedPart(
                which,
                int(unit),
                rescaled(rows, -unit),
                rescaled(self.Y[which].astype(np.complex128, copy=False), -unit),
                rescaled(noise_var[which], -2 * unit),
            )
            for name, array in (("A times the root of channel_var", part.rows), ("Y", part.Y)):
                if not np.abs(array.real).max() + np.abs(array.imag).max() < LARGEST_TO_NOISE:
                    raise ValueError(
                        f"noise_var must not be so small beside {name} that their ratio leaves the exponents of "
                        f"float64; got {noise_var[which].min():.2g}"
                    )
            yield part

    @property
    def A(self) -> NDArray[np.inexact]:
        """Pilots of shape (L, N), C-contiguous."""
        return self.pilots.array

    @property
    def T(self) -> int:
        """Number of problems."""
        return int(self.Y.shape[0])

    @property
    def N(self) -> int:
        """Number of devices."""
        return int(self.A.shape[1])

    @property
    def M(self) -> int:
        """Number of antennas."""
        return int(self.Y.shape[2])

    @property
    def complex_dtype(self) -> np.dtype[np.complexfloating]:
        """The complex dtype of the same precision: real problems are solved by the same formulas."""
        return np.result_type(self.A.dtype, np.complex64)

    @property
    def real_dtype(self) -> np.dtype[np.floating]:
        """The real dtype of the same precision."""
        return np.dtype(self.A.real.dtype)

    def numbers(self, name: str, value: ArrayLike, admissible: Range) -> NDArray[np.float64]:
        """Spread a scalar or an array of shape ``leading`` over the problems: (T,), as the user gave it."""
        array = as_real(name, value, admissible)
        if array.shape not in ((), self.leading):
            raise ValueError(
                f"{name} must be a scalar or have shape {self.leading}, one per problem; got {array.shape}"
            )
        return np.full(self.T, array.reshape(-1))

    def per_problem(
        self, name: str, value: ArrayLike, admissible: Range, unit: tuple[int, int] = (0, 0)
    ) -> NDArray[np.floating]:
        """Spread a scalar or an array of shape ``leading`` over the problems: (T,), real, in the given unit."""
        return self.entered(name, self.numbers(name, value, admissible), unit)

    def entered(self, name: str, numbers: NDArray[np.floating], unit: tuple[int, int]) -> NDArray[np.floating]:
        """Express numbers of the problems, (T,), in the given unit and the common precision, which must hold them."""
        return self._fitting(name, numbers, self.units.enter(numbers, unit))

    def per_device(self, name: str, value: ArrayLike, admissible: Range) -> NDArray[np.floating]:
        """Spread a scalar or an array of shape (N,) over the devices: (N,), real."""
        array = as_per_device(name, value, self.N, admissible)
        spread = self._fitting(name, array, array)
        if spread.dtype != array.dtype and not admissible.contains(spread).all():
            raise ValueError(
                f"{name} must be {admissible.words}, in {self.real_dtype.name} too; got {array.max():.17g}"
            )
        return spread

    def _fitting(self, name: str, given: NDArray[np.floating], wanted: NDArray[np.floating]) -> NDArray[np.floating]:
        """Cast ``wanted`` to the precision, unless its exponents cannot hold it."""
        cast: NDArray[np.floating]
        if wanted.dtype == np.float64 == self.real_dtype:
            cast = wanted
        else:
            with np.errstate(over="ignore", under="ignore"):
                cast = wanted.astype(self.real_dtype)
        size = np.abs(cast)
        if are_ordinary(float(size.min()), float(size.max())):
            return cast
        bad = (size < np.finfo(self.real_dtype).tiny) & (given != 0) | np.isinf(cast) & ~np.isinf(given)
        if bad.any():
            raise ValueError(
                f"{name} must not leave the exponents of {self.real_dtype.name} beside A and Y; got {given[bad][0]:g}"
            )
        return cast

    def start(self, name: str, value: ArrayLike | None) -> NDArray[np.inexact]:
        """Return a start point (T, N, M) of the solver's own: zeros, or a copy of the user's (..., N, M)."""
        shape = (*self.leading, self.N, self.M)
        if value is None:
            return np.zeros((self.T, self.N, self.M), self.A.dtype)
        array = as_array(name, value)
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
        if array.dtype.kind == "c" and self.A.dtype.kind != "c":
            raise TypeError(f"{name} must be real where A and Y are; got {array.dtype.name}")
        start = self.units.enter(np.array(array, order="C").reshape(self.T, self.N, self.M), (-1, 1))
        start = np.array(start, dtype=self.A.dtype)
        if not np.isfinite(start).all():
            raise ValueError(
                f"{name} must not leave the exponents of {self.real_dtype.name} beside A and Y; "
                f"got entries up to {np.abs(array).max():.2g}"
            )
        return start

    def mean_power(self) -> NDArray[np.float64]:
        """Return the mean power of an entry of Y, (T,), in double precision: the noise variance if nobody is active."""
        parts = self.Y.reshape(self.T, -1).view(self.real_dtype).astype(np.float64)
        power: NDArray[np.float64] = np.sum(parts**2, axis=1) / self.Y[0].size
        return power

    def matched_powers(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        """Yield ‖(AᴴY)_n‖²/M of a few problems at a time: which they are, and their powers (..., N)."""
        adjoint = self.pilots.adjoint
        few = max(1, MATCHED_ENTRIES // (self.N * self.M))
        for start in range(0, self.T, few):
            part = slice(start, start + few)
            yield part, row_scores(adjoint @ self.Y[part])

    def result(
        self,
        *,
        X: NDArray[np.inexact] | None,
        score: NDArray[np.floating] | None = None,
        objective: NDArray[np.floating],
        optimality: NDArray[np.floating],
        n_iter: NDArray[np.int64],
        tol: float,
        diverged: NDArray[np.bool_] | None = None,
        noise_var: NDArray[np.floating] | None = None,
        score_unit: tuple[int, int] = (-2, 2),
        objective_unit: tuple[int, int] = (0, 0),
    ) -> SolverResult:
        """Give the flat arrays of a kernel their types, units and leading axes; the score is X's by default."""
        if diverged is None:
            diverged = np.zeros(self.T, np.bool_)
        if score is None:
            assert X is not None, "the score is given or follows from X"
            X = self.typed(X)
            score = row_scores(X)
        score = self.units.leave(self._real(score), score_unit)
        objective = self.units.leave(self._real(objective), objective_unit)
        optimality = self._real(optimality)
        finite = np.isfinite(objective) & np.isfinite(score).all(axis=1)
        return SolverResult(
            X=None if X is None else self.signal(X),
            score=score.reshape(*self.leading, self.N),
            objective=objective.reshape(self.leading),
            optimality=optimality.reshape(self.leading),
            n_iter=n_iter.reshape(self.leading),
            converged=((optimality <= tol) & finite & ~diverged).reshape(self.leading),
            diverged=diverged.reshape(self.leading),
            noise_var=None
            if noise_var is None
            else self.units.leave(self._real(noise_var), (0, 2)).reshape(self.leading),
        )

    def typed(self, X: NDArray[np.inexact]) -> NDArray[np.inexact]:
        """Return estimates (T, N, M) in the type of A and Y; those of real problems have no imaginary parts."""
        return np.ascontiguousarray(X if self.A.dtype.kind == "c" else X.real, self.A.dtype)

    def signal(self, X: NDArray[np.inexact]) -> NDArray[np.inexact]:
        """Give the estimates of a kernel, (T, N, M), their type, units and leading axes."""
        return self.units.leave(self.typed(X), (-1, 1)).reshape(*self.leading, self.N, self.M)

    def _real(self, numbers: NDArray[np.floating]) -> NDArray[np.floating]:
        return numbers.astype(self.real_dtype, copy=False)
