"""What defines a training run, to the last bit of its result: scenario, architecture, optimisation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmvsolvers.codec import check_format, decode, encode, find_object, object_name
from mmvsolvers.loading import load_object
from mmvsolvers.pilots import PILOTS
from mmvsolvers.scenario import Scenario
from mmvsolvers.validation import FRACTION, NON_NEGATIVE, POSITIVE, as_choice, as_count, as_flag, as_scalar
from mmvsolvers_nn.autoencoders import AutoEncoder
from mmvsolvers_nn.initial import GROUP_PILOTS, activity_correlation, initial_pilots
from mmvsolvers_nn.schemes import find_scheme

# Raised whenever a reader of an older format would misread a newer text. Texts of the first, some without a number, say
# all options of all schemes; those of the second are of an AMP-NN that does not average.
FORMAT = 3
# The fields of an architecture that not all schemes have.
_OPTIONS = ("U", "V", "residual", "lam", "rho", "damping", "averaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Which scheme, and how large.

    Attributes
    ----------
    scheme : str
        A name in ``SCHEMES``, or where an own `Scheme` is, ``file.py:object`` or ``module:object``.
    U, V : int
        Iterations of the approximation part and layers of the correction part. Here and below, None is the scheme's
        default, and stays where the scheme has no such option.
    width : int, optional
        Hidden layers' size; None is the scheme's default.
    residual : bool
        Residual connection around the correction part.
    pilots : {"learned", "given", "gaussian", "unit_norm", ...}
        Learned; the scenario's own, kept; or drawn once and kept, see :func:`mmvsolvers.draw_pilots`.
    start : {"low_coherence", "gaussian", "unit_norm", "qpsk", "shared", "orthogonal"}
        Pilots that learned ones start from. The last two look at the activity's groups, whose devices have one pilot or
        orthogonal ones.
    lam, rho : float
        λ and ρ that GROUP LASSO-NN starts from.
    damping : float or "adaptive"
        Damping of AMP-NN, and that coupled AMP-NN starts from.
    averaged : bool
        Whether AMP-NN averages its iterates.
    coupling : {"none", "correlation"}
        What the devices of a coupled scheme tell each other at the start: nothing, or how much their activities are
        correlated in samples of the scenario.
    prior : {"average", "true"}
        The ε(n) to start from: the average activity p for all devices, as in the paper, or each device's own.
    correction : str or callable, optional
        An own correction network in the place of the V layers, ``correction(n_in, n_out) -> torch.nn.Module``: a class
        or function at the top of a module, or its name ``module:name``, which is what is kept.

    Examples
    --------
    >>> import mmvsolvers_nn as mmvnn
    >>> mmvnn.Architecture(scheme="amp_nn").U  # the paper's
    50
    """

    scheme: str
    U: int | None = None
    V: int | None = None
    width: int | None = None
    residual: bool | None = None
    pilots: str = "learned"
    start: str = "low_coherence"
    lam: float | None = None
    rho: float | None = None
    damping: float | str | None = None
    averaged: bool | None = None
    coupling: str = "none"
    prior: str = "average"
    correction: str | Callable[[int, int], Any] | None = None

    def __post_init__(self) -> None:
        """Reject unknown schemes, options that the scheme has not, and sizes; fill in the scheme's defaults."""
        scheme = find_scheme(self.scheme)
        object.__setattr__(self, "scheme", _portable(self.scheme))
        for name in _OPTIONS:
            if getattr(self, name) is None:
                object.__setattr__(self, name, scheme.options.get(name))
            elif name not in scheme.options:
                raise ValueError(f"{name} is no option of {scheme.label}, which has {', '.join(scheme.options)}")
        for need, name, default in (("coupling", "coupling", "none"), ("activity_prob", "prior", "average")):
            if getattr(self, name) != default and need not in scheme.needs:
                raise ValueError(f"{name} must be {default!r} for {scheme.label}; got {getattr(self, name)!r}")
        as_choice("pilots", self.pilots, ("learned", "given", *PILOTS))
        as_choice("start", self.start, (*PILOTS, *GROUP_PILOTS))
        as_choice("coupling", self.coupling, ("none", "correlation"))
        as_choice("prior", self.prior, ("average", "true"))
        for name, least in (("U", 0), ("V", 0), ("width", 1)):
            if getattr(self, name) is not None:
                as_count(name, getattr(self, name), at_least=least)
        for name in ("residual", "averaged"):
            if getattr(self, name) is not None:
                as_flag(name, getattr(self, name))
        for name in ("lam", "rho"):
            if getattr(self, name) is not None:
                as_scalar(name, getattr(self, name), POSITIVE)
        if self.damping is not None and not self.damping == scheme.options["damping"] == "adaptive":
            as_scalar("damping", self.damping, FRACTION)
        if self.correction is not None:
            name = self.correction if isinstance(self.correction, str) else object_name(self.correction)
            if not callable(find_object(name)):
                raise TypeError(f"correction must be a class or a function; {name} is neither")
            object.__setattr__(self, "correction", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How a scheme is trained; the defaults are the paper's, `of_scheme` those of a scheme.

    Attributes
    ----------
    seed : int
        Of everything random.
    n_train, n_validation : int
        Samples. One epoch visits ``n_train`` of them in batches; an incomplete last batch is left out.
    fresh : bool
        Draw new training samples all the time instead of shuffling ``n_train`` fixed ones. Noise is always fresh.
    batch_size : int
        Samples a step, over all processes together.
    learning_rate : float
        Adam's learning rate, at the start.
    pilot_learning_rate, correction_learning_rate : float, optional
        Those of the pilots and of the correction part, on the same schedule; None is ``learning_rate``. A large
        correction part, from few samples, learns their noise at a rate at which a prior has hardly moved.
    schedule : {"constant", "cosine"}
        Keep the learning rate, or let it fall to 0 at ``max_epochs`` along half a cosine.
    max_epochs, patience : int
        Training ends after so many epochs, or so many without a better validation loss.
    clip_norm : float
        Largest norm of a gradient; larger ones are scaled down to it.
    curriculum : tuple of (int, int)
        Stages to begin with, each a number U of iterations and of epochs; the epochs that are left run the scheme's
        own U. Fewer iterations are faster and have smoother gradients, and the pilots they teach serve more of them.
        Patience, and the choice of the best weights, begin with the last stage; the untrained ones may be chosen, too.

    Examples
    --------
    >>> import mmvsolvers_nn as mmvnn
    >>> optimisation = mmvnn.Optimisation(n_train=640, batch_size=64, max_epochs=10)
    >>> optimisation.steps_per_epoch
    10
    """

    seed: int = 0
    n_train: int = 9000
    n_validation: int = 1000
    fresh: bool = False
    batch_size: int = 32
    learning_rate: float = 1e-4
    pilot_learning_rate: float | None = None
    correction_learning_rate: float | None = None
    schedule: str = "constant"
    max_epochs: int = 100_000
    patience: int = 5
    clip_norm: float = np.inf
    curriculum: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Reject what no training can run with."""
        object.__setattr__(self, "curriculum", tuple((U, epochs) for U, epochs in self.curriculum))
        as_count("seed", self.seed, at_least=0)
        for name in ("n_train", "n_validation", "batch_size", "max_epochs", "patience"):
            as_count(name, getattr(self, name))
        if self.n_train < self.batch_size:
            raise ValueError(f"n_train must be at least batch_size={self.batch_size}; got {self.n_train}")
        as_flag("fresh", self.fresh)
        as_choice("schedule", self.schedule, ("constant", "cosine"))
        as_scalar("learning_rate", self.learning_rate, NON_NEGATIVE)
        for name in ("pilot_learning_rate", "correction_learning_rate"):
            if getattr(self, name) is not None:
                as_scalar(name, getattr(self, name), NON_NEGATIVE)
        if not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive; got {self.clip_norm}")
        for U, epochs in self.curriculum:
            as_count("U in curriculum", U)
            as_count("epochs in curriculum", epochs)
        if self.last_stage >= self.max_epochs:
            raise ValueError(
                f"max_epochs must leave one for the last stage, after {self.last_stage} of curriculum; "
                f"got {self.max_epochs}"
            )

    @classmethod
    def of_scheme(cls, scheme: str, **options: Any) -> Optimisation:
        """Return how a scheme in ``SCHEMES`` is trained by default, with some options changed."""
        return cls(**{**find_scheme(scheme).optimisation, **options})

    @property
    def last_stage(self) -> int:
        """Epochs before the last stage."""
        return sum(epochs for _, epochs in self.curriculum)

    def iterations_at(self, epoch: int, U: int) -> int:
        """Return the iterations of the stage that an epoch, counted from 0, is in; U in the last."""
        for iterations, epochs in self.curriculum:
            if epoch < epochs:
                return iterations
            epoch -= epochs
        return U

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch."""
        return self.n_train // self.batch_size

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.learning_rate * self._share_at(step)

    def pilot_learning_rate_at(self, step: int) -> float:
        """Return the pilots' learning rate of a step, counted from 0."""
        rate = self.learning_rate if self.pilot_learning_rate is None else self.pilot_learning_rate
        return rate * self._share_at(step)

    def correction_learning_rate_at(self, step: int) -> float:
        """Return the correction part's learning rate of a step, counted from 0."""
        rate = self.learning_rate if self.correction_learning_rate is None else self.correction_learning_rate
        return rate * self._share_at(step)

    def _share_at(self, step: int) -> float:
        if self.schedule == "constant":
            return 1.0
        progress = step / (self.max_epochs * self.steps_per_epoch)
        return float((1 + np.cos(np.pi * progress)) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that a training run's result depends on.

    Attributes
    ----------
    scenario : Scenario
        Where.
    architecture : Architecture
        What.
    optimisation : Optimisation
        How.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> configuration = mmvnn.Configuration(scenario=scenario, architecture=mmvnn.Architecture(scheme="map_nn", U=3))
    >>> mmvnn.Configuration.from_json(configuration.to_json()) == configuration
    True
    """

    scenario: Scenario
    architecture: Architecture
    optimisation: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        """Reject pilots that are not there, and stages of more iterations than the scheme has."""
        if self.architecture.pilots == "given" and isinstance(self.scenario.pilots, str):
            raise ValueError(f"pilots='given' needs a scenario with pilots of its own; it has {self.scenario.pilots!r}")
        most = self.architecture.U
        longer = [U for U, _ in self.optimisation.curriculum if most is not None and most < U]
        if longer:
            raise ValueError(
                f"curriculum must have stages of at most U={most} iterations; got {', '.join(map(str, longer))}"
            )

    def to_json(self) -> str:
        """Write the configuration as JSON text; see :func:`mmvsolvers.to_json` for own activity and channel classes."""
        fields = {
            "format": FORMAT,
            "scenario": encode(self.scenario),
            "architecture": dataclasses.asdict(self.architecture),
            "optimisation": dataclasses.asdict(self.optimisation),
        }
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Read back what `to_json` wrote.

        Raises
        ------
        ValueError
            For text that is no configuration; the message says why.
        """
        try:
            fields = json.loads(text)
            number = fields.get("format", 0)
            check_format("configuration", number, FORMAT)
            if number == FORMAT:
                _check_complete(Architecture, fields["architecture"])
                _check_complete(Optimisation, fields["optimisation"])
            return cls(
                scenario=decode(fields["scenario"]),
                architecture=Architecture(**_as_of_today(fields["architecture"], number)),
                optimisation=Optimisation(**fields["optimisation"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a training configuration: {type(error).__name__} {error}") from error


def build(configuration: Configuration) -> AutoEncoder:
    """Return the untrained auto-encoder of a configuration, the same one every time.

    Its pilots are drawn from the configuration's seed.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> configuration = mmvnn.Configuration(scenario=scenario, architecture=mmvnn.Architecture(scheme="covariance_nn"))
    >>> mmvnn.build(configuration).exported()["A"].shape
    (8, 20)
    """
    scenario, architecture = configuration.scenario, configuration.architecture
    seed = configuration.optimisation.seed
    kind = architecture.start if architecture.pilots == "learned" else architecture.pilots
    rng = np.random.default_rng(seed)
    A = np.asarray(scenario.pilots) if kind == "given" else initial_pilots(rng, scenario, kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(configuration, A, noise_var_of(scenario, A, seed))


def noise_var_of(scenario: Scenario, A: NDArray[np.inexact], seed: int) -> float:
    """Return σ² of a whole training over pilots A, (L, N): of random large-scale fading one draw counts."""
    return scenario.noise_var_of(A, scenario.draw_variance(np.random.default_rng([seed, 0])))


def _build(configuration: Configuration, A: NDArray[np.inexact], noise_var: float) -> AutoEncoder:
    scenario, architecture = configuration.scenario, configuration.architecture
    scheme = find_scheme(architecture.scheme)
    marginal = scenario.activity.marginal(scenario.N)
    if architecture.prior == "average":
        marginal = np.full(scenario.N, marginal.mean())
    known: dict[str, Any] = {"activity_prob": marginal, "noise_var": noise_var}
    if architecture.coupling == "correlation":
        known["coupling"] = activity_correlation(scenario, configuration.optimisation.seed)
    own = architecture.correction
    make = load_object(scheme.model) if isinstance(scheme.model, str) else scheme.model
    model: AutoEncoder = make(
        A,
        **{need: known[need] for need in scheme.needs if need in known},
        **{option: getattr(architecture, option) for option in scheme.options},
        width=architecture.width,
        learn_pilots=architecture.pilots == "learned",
        correction=None if own is None else find_object(str(own)),
    )
    return model


def _check_complete(kind: type, found: Mapping[str, Any]) -> None:
    """Refuse fields that lack one: its default would be taken, and need not be what was meant."""
    missing = [one.name for one in dataclasses.fields(kind) if one.name not in found]
    if missing:
        raise ValueError(f"{kind.__name__.lower()} lacks {', '.join(missing)}")


def _as_of_today(architecture: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the fields of an architecture of a format, whose number is ``number``, as they are written today.

    The first format has options that the scheme has not, without effect, and those before the third average nothing.
    """
    options = find_scheme(architecture["scheme"]).options
    known = {name: value for name, value in architecture.items() if name not in _OPTIONS or name in options}
    fields = known if number < 2 else dict(architecture)
    return {"averaged": False} | fields if number < 3 and "averaged" in options else fields


def _portable(scheme: str) -> str:
    """Return what processes in other folders know a scheme by: its name, or ``module:object`` of an own one."""
    place, colon, name = scheme.rpartition(":")
    return f"{Path(place).stem if place.endswith('.py') else place}{colon}{name}"
