"""All that random problems depend on, in one object: activity, pilots, channel, noise."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mmvsolvers.activity import ActivityModel
from mmvsolvers.channels import ChannelModel, Rayleigh
from mmvsolvers.data import MMVData
from mmvsolvers.normal import complex_normal
from mmvsolvers.pilots import PILOTS, draw_pilots
from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.validation import (
    DECIBELS,
    NON_NEGATIVE,
    POSITIVE,
    UNIT_INTERVAL,
    Range,
    as_choice,
    as_count,
    as_generator,
    as_real,
    as_scalar,
    missing_methods,
)

_RAYLEIGH = Rayleigh()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Scenario:
    """All that the data depend on but the seed; ``dataclasses.replace(scenario, L=16)`` makes variants.

    Attributes
    ----------
    N, L, M : int
        Devices, pilot length, antennas.
    activity : ActivityModel
        Who is active: a model of this package, or an own class with ``draw(rng, N, T)`` and ``marginal(N)``.
    channel : ChannelModel, default Rayleigh()
        How signals reach the antennas: a model of this package, or an own class with ``variance(rng, N)`` and
        ``draw(rng, active, variance, M)``.
    noise_var : float, optional
        σ² > 0, the variance of a complex entry of Z. Give either this or ``snr_db``.
    snr_db : float, optional
        Signal-to-noise ratio in dB: the mean power that one active device, averaged over the devices, adds to a
        complex entry of Y, over σ². That is SNR = (1/N) Σ_n g_n ‖a_n‖²/L / σ², with the pilots and the channel
        variances g at hand; 10 dB is σ² = 0.1 for unit-norm pilots and g = 1.
    pilots : str or array_like of shape (L, N), default "gaussian"
        The kind that :func:`draw_pilots` draws, or the pilots themselves.

    Raises
    ------
    TypeError
        For counts that are not integers, and models that lack a method.
    ValueError
        For values outside their range, an activity that does not fit N, pilots of another shape, and unless exactly
        one of ``noise_var`` and ``snr_db`` is given.

    Examples
    --------
    >>> import numpy as np
    >>> import mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=100, L=12, M=4, activity=mmv.IndependentActivity(0.1, ratio=3), noise_var=0.1)
    >>> rng = np.random.default_rng(0)
    >>> train = scenario.draw(rng, 500)
    >>> scenario.draw(rng, 200, pilots=train.A)
    MMVData(N=100, L=12, M=4, T=200, noise_var=0.1, dtype=complex128)
    >>> print(scenario)
    N=100, L=12, M=4, independent activity p=0.1, p1/p2=3, σ²=0.1
    """

    N: int
    L: int
    M: int
    activity: ActivityModel
    channel: ChannelModel = _RAYLEIGH
    noise_var: float | None = None
    snr_db: float | None = None
    pilots: str | ArrayLike = "gaussian"

    def __post_init__(self) -> None:
        """Reject what gives no data; keep the pilots as a read-only copy."""
        for name in ("N", "L", "M"):
            object.__setattr__(self, name, as_count(name, getattr(self, name)))
        self._check_model("activity", ActivityModel, "an activity model such as IndependentActivity(0.1)")
        self._check_model("channel", ChannelModel, "a channel model such as Rayleigh()")
        if (self.noise_var is None) == (self.snr_db is None):
            raise ValueError(
                f"give exactly one of noise_var and snr_db; got noise_var={self.noise_var}, snr_db={self.snr_db}"
            )
        if self.noise_var is not None:
            object.__setattr__(self, "noise_var", as_scalar("noise_var", self.noise_var, POSITIVE))
        if self.snr_db is not None:
            object.__setattr__(self, "snr_db", as_scalar("snr_db", self.snr_db, DECIBELS))
        object.__setattr__(self, "pilots", self._as_kind_or_array(self.pilots))
        self._marginal()

    def _check_model(self, name: str, protocol: type, words: str) -> None:
        model = getattr(self, name)
        if isinstance(model, type):
            raise TypeError(f"{name} must be {words}, not a class; got {model!r}")
        if not isinstance(model, protocol):
            raise TypeError(f"{name} must be {words}; got {model!r}, which lacks {missing_methods(model, protocol)}")

    def draw(
        self,
        rng: np.random.Generator,
        T: int,
        pilots: ArrayLike | None = None,
        dtype: DTypeLike = np.complex128,
    ) -> MMVData:
        """Draw T problems Y = A X + Z.

        To draw training and test samples on the same pilots, pass the first draw's ``A`` as ``pilots`` of the second.

        Parameters
        ----------
        rng : numpy.random.Generator
            The only source of randomness: the same state and arguments give the same data. Drawn are, in this order,
            the pilots, the channel variances, the activity, the channels and the noise.
        T : int
            Samples.
        pilots : array_like of shape (L, N), optional
            In the place of the scenario's.
        dtype : dtype, default complex128
            complex64 or complex128; it only rounds what is drawn.

        Returns
        -------
        MMVData

        Raises
        ------
        TypeError, ValueError
            For an ``rng`` that is not a Generator, a T that is no positive integer, other dtypes and other shapes;
            and where an own model returns something else than it should.
        """
        rng, T, precision = as_generator(rng), as_count("T", T), _as_complex_dtype(dtype)
        A = self._pilots(rng, pilots).astype(precision)
        variance = self.draw_variance(rng)
        noise_var = self.noise_var_of(A, variance)
        X, active = self.draw_signals(rng, T, variance)
        X = X.astype(precision, copy=False)
        Z = complex_normal(rng, (T, self.L, self.M))
        Z *= np.sqrt(noise_var)
        Y = A @ X
        Y += Z.astype(precision, copy=False)
        told = getattr(self.channel, "told", None)
        known_variance = variance if told is None else self._checked("channel.told(variance)", told(variance), POSITIVE)
        return MMVData(A, Y, X, active, noise_var, self._marginal(), known_variance, self._groups())

    def draw_variance(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the channel variances g of the devices, (N,)."""
        return self._checked("channel.variance(rng, N)", self.channel.variance(rng, self.N), NON_NEGATIVE)

    def draw_signals(
        self, rng: np.random.Generator, T: int, channel_var: NDArray[np.float64]
    ) -> tuple[NDArray[np.complexfloating], NDArray[np.bool_]]:
        """Draw who is active in T samples, (T, N), and, first in the result, the signals X (T, N, M)."""
        active = self._active(rng, T)
        return self._signals(rng, active, channel_var), active

    def noise_var_of(self, A: NDArray[np.inexact], channel_var: NDArray[np.float64]) -> float:
        """Return σ² for pilots A (L, N) and channel variances (N,); see ``snr_db`` for the definition."""
        if self.noise_var is not None:
            return self.noise_var
        assert self.snr_db is not None, "one of the two is given"
        power = channel_var @ np.mean(np.abs(A) ** 2, axis=0, dtype=np.float64) / channel_var.size
        return float(power / 10 ** (self.snr_db / 10))

    def describe(self, without: tuple[str, ...] = ()) -> str:
        """Return the scenario in the field's words, as titles of figures have it.

        Parameters
        ----------
        without : tuple of str
            What to leave out, such as an abscissa: "N", "L", "M", "noise", "pilots", "channel", "activity", or a field
            of a model as "activity.p".
        """
        words = [f"{name}={getattr(self, name)}" for name in ("N", "L", "M") if name not in without]
        if "activity" not in without:
            words.append(describe_model(self.activity, _under("activity", without)))
        if "channel" not in without and self.channel != _RAYLEIGH:
            words.append(describe_model(self.channel, _under("channel", without)))
        if "pilots" not in without and not (isinstance(self.pilots, str) and self.pilots == "gaussian"):
            words.append(f"{self.pilots.replace('_', '-')} pilots" if isinstance(self.pilots, str) else "own pilots")
        if "noise" not in without:
            words.append(f"σ²={self.noise_var:g}" if self.snr_db is None else f"SNR={self.snr_db:g} dB")
        return ", ".join(words)

    def __str__(self) -> str:
        """Return the scenario in the field's words."""
        return self.describe()

    def __repr__(self) -> str:
        """Return what makes the scenario; of an array of pilots, its shape."""
        pilots = repr(self.pilots) if isinstance(self.pilots, str) else f"<array of shape {(self.L, self.N)}>"
        noise = f"noise_var={self.noise_var!r}" if self.snr_db is None else f"snr_db={self.snr_db!r}"
        return (
            f"Scenario(N={self.N}, L={self.L}, M={self.M}, activity={self.activity!r}, channel={self.channel!r}, "
            f"{noise}, pilots={pilots})"
        )

    def __eq__(self, other: object) -> bool:
        """Compare all fields, arrays of pilots entry by entry; an own class with nothing to remember is one model."""
        if not isinstance(other, Scenario):
            return NotImplemented
        mine, others = self.pilots, other.pilots
        same_kind = isinstance(mine, str) == isinstance(others, str)
        return (
            self._plain() == other._plain()
            and _same_model(self.activity, other.activity)
            and _same_model(self.channel, other.channel)
            and same_kind
            and (mine == others if isinstance(mine, str) else np.array_equal(np.asarray(mine), np.asarray(others)))
        )

    def __hash__(self) -> int:
        """Hash what is sure to be hashable: own models need not be."""
        return hash((self._plain(), self.pilots if isinstance(self.pilots, str) else ""))

    def _plain(self) -> tuple[Any, ...]:
        return self.N, self.L, self.M, self.noise_var, self.snr_db

    def _as_kind_or_array(self, pilots: str | ArrayLike) -> str | NDArray[np.inexact]:
        if isinstance(pilots, str):
            return as_choice("pilots", pilots, PILOTS)
        A = as_pilots("pilots", pilots).copy()
        if A.shape != (self.L, self.N):
            raise ValueError(f"pilots must have shape (L, N) = {(self.L, self.N)}; got {A.shape}")
        A.flags.writeable = False
        return A

    def _pilots(self, rng: np.random.Generator, given: ArrayLike | None) -> NDArray[np.inexact]:
        pilots = self.pilots if given is None else self._as_kind_or_array(given)
        return draw_pilots(rng, self.L, self.N, pilots) if isinstance(pilots, str) else np.asarray(pilots)

    def _active(self, rng: np.random.Generator, T: int) -> NDArray[np.bool_]:
        active = np.asarray(self.activity.draw(rng, self.N, T))
        if active.shape != (T, self.N) or active.dtype != np.bool_:
            raise ValueError(
                f"{type(self.activity).__name__}.draw(rng, N, T) must return booleans of shape (T, N) = {(T, self.N)}; "
                f"got {active.dtype.name} of shape {active.shape}"
            )
        return active

    def _signals(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64]
    ) -> NDArray[np.complexfloating]:
        X = np.asarray(self.channel.draw(rng, active, variance, self.M))
        if X.shape != (*active.shape, self.M) or X.dtype.kind != "c":
            raise ValueError(
                f"{type(self.channel).__name__}.draw(rng, active, variance, M) must return complex numbers of shape "
                f"(T, N, M) = {(*active.shape, self.M)}; got {X.dtype.name} of shape {X.shape}"
            )
        return X

    def _marginal(self) -> NDArray[np.float64]:
        return self._checked("activity.marginal(N)", self.activity.marginal(self.N), UNIT_INTERVAL)

    def _groups(self) -> NDArray[np.int64] | None:
        """Return the labels of an activity model that has some."""
        groups = getattr(self.activity, "groups", None)
        if groups is None:
            return None
        labels = np.asarray(groups(self.N))
        if labels.shape != (self.N,) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{type(self.activity).__name__}.groups(N) must return integers of shape (N,) = {(self.N,)}; "
                f"got {labels.dtype.name} of shape {labels.shape}"
            )
        return labels.astype(np.int64)

    def _checked(self, what: str, values: ArrayLike, admissible: Range) -> NDArray[np.float64]:
        array = as_real(what, values, admissible)
        if array.shape != (self.N,):
            raise ValueError(f"{what} must return shape (N,) = {(self.N,)}; got {array.shape}")
        return array


def generate(
    rng: np.random.Generator,
    *,
    N: int,
    L: int,
    M: int,
    T: int,
    activity: ActivityModel,
    noise_var: float | None = None,
    snr_db: float | None = None,
    pilots: str | ArrayLike = "gaussian",
    channel_var: ArrayLike = 1.0,
    antenna_correlation: float = 0.0,
    dtype: DTypeLike = np.complex128,
) -> MMVData:
    """Draw T problems Y = A X + Z with Rayleigh fading: a :class:`Scenario` that is used once.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness: the same state and arguments give the same data.
    N, L, M, T : int
        Devices, pilot length, antennas, samples.
    activity : ActivityModel
        Who is active.
    noise_var, snr_db : float, optional
        The noise, said in one of the two ways; see :class:`Scenario`.
    pilots : str or array_like of shape (L, N), default "gaussian"
        The kind that :func:`draw_pilots` draws, or the pilots themselves.
    channel_var : float or array_like of shape (N,), default 1
        g_n > 0, the large-scale fading; see :class:`Rayleigh`.
    antenna_correlation : float, default 0
        r of the exponential correlation across antennas, 0 ≤ r < 1.
    dtype : dtype, default complex128
        complex64 or complex128.

    Returns
    -------
    MMVData

    Raises
    ------
    TypeError, ValueError
        As :class:`Scenario` and its ``draw`` do.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> rng = np.random.default_rng(0)
    >>> activity = mmv.IndependentActivity(0.1, ratio=3)
    >>> train = mmv.generate(rng, N=100, L=12, M=4, T=500, activity=activity, noise_var=0.1)
    >>> mmv.generate(rng, N=100, L=12, M=4, T=200, activity=activity, noise_var=0.1, pilots=train.A)
    MMVData(N=100, L=12, M=4, T=200, noise_var=0.1, dtype=complex128)
    """
    gains: Any = channel_var  # of any array, the model makes a tuple
    scenario = Scenario(
        N=N,
        L=L,
        M=M,
        activity=activity,
        channel=Rayleigh(gains, antenna_correlation),
        noise_var=noise_var,
        snr_db=snr_db,
        pilots=pilots,
    )
    return scenario.draw(rng, T, dtype=dtype)


def describe_model(model: object, without: tuple[str, ...] = ()) -> str:
    """Return an activity or channel model in words: its name and the fields that are not at their defaults.

    A class may say ``words``, what it is called, and ``symbols``, what its fields are called, by their names.
    """
    kind = type(model)
    symbols = getattr(kind, "symbols", {})
    shown = [
        f"{symbols.get(name, name)}={_short(getattr(model, name))}"
        for name, default in model_fields(model).items()
        if name not in without and getattr(model, name) != default
    ]
    return " ".join([getattr(kind, "words", kind.__name__), ", ".join(shown)]).strip()


def model_fields(model: Any) -> dict[str, Any]:
    """Return the arguments of an activity or channel model, or of its class, by their names, with their defaults."""
    return {field.name: field.default for field in fields(model) if field.init} if is_dataclass(model) else {}


def _same_model(one: Any, other: Any) -> bool:
    plain = not is_dataclass(one) and not getattr(one, "__dict__", None) and not getattr(other, "__dict__", None)
    return bool(one == other) or (type(one) is type(other) and plain)


def _short(value: object) -> str:
    if isinstance(value, tuple | list | np.ndarray):
        return f"<{len(value)} values>"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _under(model: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of fields of a model, "activity.p" as "p"."""
    return tuple(name.removeprefix(f"{model}.") for name in names if name.startswith(f"{model}."))


def _as_complex_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    if np.dtype(dtype) not in (np.dtype(np.complex64), np.dtype(np.complex128)):
        raise TypeError(f"dtype must be complex64 or complex128; got {np.dtype(dtype).name}")
    return np.dtype(dtype)
