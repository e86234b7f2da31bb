"""Training samples, each a pure function of the seed and the step: a resumed run needs no generator's state."""

from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from mmvsolvers.normal import complex_normal
from mmvsolvers.scenario import Scenario
from mmvsolvers_nn.configuration import Optimisation, noise_var_of


class Samples(NamedTuple):
    """T samples of what goes through an auto-encoder.

    Attributes
    ----------
    X : Tensor of shape (T, N, M), complex64
        Jointly sparse signals.
    Z : Tensor of shape (T, L, M), complex64
        Noise.
    activity : Tensor of shape (T, N), bool
        Who is active.
    """

    X: Tensor
    Z: Tensor
    activity: Tensor

    def share(self, rank: int, n_processes: int) -> "Samples":
        """Return every ``n_processes``-th sample, from number ``rank``."""
        return Samples(*(part[rank::n_processes] for part in self))

    def to(self, device: torch.device) -> "Samples":
        """Move all parts to a device."""
        return Samples(*(part.to(device) for part in self))


class Stream(IntEnum):
    """Streams of random numbers that must not depend on each other."""

    TRAINING, ORDER, NOISE, VALIDATION, THRESHOLD = range(1, 6)


class Sampler:
    """The samples of one training run.

    Parameters
    ----------
    scenario : Scenario
        What to draw.
    optimisation : Optimisation
        How much of it, from which seed.
    pilots : array_like of shape (L, N), optional
        What a signal-to-noise ratio of the scenario refers to; by default pilots with columns of norm √L, as learned
        ones have.
    """

    def __init__(self, scenario: Scenario, optimisation: Optimisation, pilots: ArrayLike | None = None) -> None:
        self.scenario, self.optimisation = scenario, optimisation
        A = np.ones((scenario.L, scenario.N)) if pilots is None else np.asarray(pilots)
        self.noise_var = noise_var_of(scenario, A, optimisation.seed)

    def batch(self, step: int) -> Samples:
        """Return the training batch of an optimiser step, counted from 0."""
        options = self.optimisation
        if options.fresh:
            return self._draw(options.batch_size, Stream.TRAINING, step)
        epoch, position = divmod(step, options.steps_per_epoch)
        order = self._rng(Stream.ORDER, epoch).permutation(options.n_train)
        chosen = order[position * options.batch_size : (position + 1) * options.batch_size]
        X, activity = (part[chosen] for part in self._fixed)
        return Samples(X, self._noise(options.batch_size, Stream.NOISE, step), activity)

    def validation(self) -> Samples:
        """Return the validation samples, whose noise is fixed too: epochs are compared on the same ground."""
        return self._draw(self.optimisation.n_validation, Stream.VALIDATION)

    def for_threshold(self) -> Samples:
        """Return as many samples as there are for training, to fit the threshold on."""
        return self._draw(self.optimisation.n_train, Stream.THRESHOLD)

    @cached_property
    def _fixed(self) -> tuple[Tensor, Tensor]:
        samples = self._draw(self.optimisation.n_train, Stream.TRAINING)
        return samples.X, samples.activity

    def _draw(self, T: int, *stream: int) -> Samples:
        rng = self._rng(*stream)
        X, activity = self.scenario.draw_signals(rng, T, self.scenario.draw_variance(rng))
        return Samples(_complex64(X), self._noise(T, *stream), torch.from_numpy(activity))

    def _noise(self, T: int, *stream: int) -> Tensor:
        scenario = self.scenario
        rng = self._rng(Stream.NOISE, *stream)
        return _complex64(np.sqrt(self.noise_var) * complex_normal(rng, (T, scenario.L, scenario.M)))

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.optimisation.seed, *stream])


def _complex64(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.complex64))
