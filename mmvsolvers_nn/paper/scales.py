"""How carefully the figures are measured: samples, pilot draws and training recipes at each scale."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mmvsolvers.comparison import Samples
from mmvsolvers.stopping import UntilErrors
from mmvsolvers_nn.schemes import short_training


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a scheme is trained: arguments of `mmvsolvers_nn`'s Architecture and Optimisation; the paper's by default."""

    architecture: Mapping[str, Any] = field(default_factory=dict)
    optimisation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale:
    """One level of care.

    Attributes
    ----------
    name : str
        Its name on the command line.
    samples : mapping of int to Samples
        By the number of devices.
    largest_trained : int
        Schemes are trained up to so many devices; points with more stay missing.
    recipes : mapping of int to mapping of str to Recipe
        By the number of devices, then by the learned scheme; the paper's where there is none.
    timing_rounds, timing_samples : int
        Runs that a median time is taken of, and samples in a run.
    n_errors : int
        Samples with an error, on all draws of its pilots together, without which a point goes on.
    most_samples : mapping of int to int
        Where it ends nevertheless, on all draws together, by the number of devices.
    """

    name: str
    samples: Mapping[int, Samples]
    largest_trained: int
    recipes: Mapping[int, Mapping[str, Recipe]]
    timing_rounds: int
    timing_samples: int
    n_errors: int
    most_samples: Mapping[int, int]

    def recipe(self, scheme: str, N: int) -> Recipe:
        """Return the recipe of a learned scheme for a number of devices."""
        return self.recipes.get(N, {}).get(scheme, Recipe())

    def with_samples(self, **drawn: int) -> "Scale":
        """Return the scale with other fields of `Samples`, for any number of devices."""
        return replace(self, samples={N: replace(samples, **drawn) for N, samples in self.samples.items()})

    def rule(self, N: int, n_draws: int | None = None) -> UntilErrors:
        """Return when the sampling on one of ``n_draws`` draws of the pilots ends; all of the scale's by default."""
        n_draws = n_draws or self.samples[N].n_draws
        n_errors = max(-(-self.n_errors // n_draws), 2)
        return UntilErrors(
            n_errors=n_errors, max_samples=max(-(-self.most_samples[N] // n_draws), self.samples[N].n_test)
        )


# With a thousand devices fifty iterations are just enough, and the mean of the last ones lags behind.
_LAST = {"averaged": False}
_TINY = short_training(4, 8, 1e-3) | {"n_validation": 20}

# A thousand devices in minutes of one core: steps of few samples, and a narrow correction part that moves slowly.
_LARGE = {"start": "unit_norm", "width": 256}
_FEW = {"n_validation": 16, "correction_learning_rate": 1e-4}

SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        scale.name: scale
        for scale in (
            Scale(
                "smoke",
                {100: Samples(20, 20, 2), 1000: Samples(2, 2, 2)},
                100,
                {
                    100: {
                        "group_lasso_nn": Recipe({"U": 5}, _TINY),
                        "amp_nn": Recipe({"U": 5}, _TINY),
                        "covariance_nn": Recipe({}, _TINY),
                        "map_nn": Recipe({"U": 2}, _TINY),
                    }
                },
                3,
                2,
                4,
                {100: 60, 1000: 4},
            ),
            Scale(
                "quick",
                {100: Samples(250, 250, 5), 1000: Samples(20, 20, 3)},
                1000,
                {
                    100: {
                        "group_lasso_nn": Recipe({"U": 100, "rho": 1.5}, short_training(1500, 64, 0.01, U=30)),
                        "amp_nn": Recipe(
                            {"U": 50, "averaged": True},
                            short_training(1800, 64, 0.03, U=10, correction_learning_rate=1e-3),
                        ),
                        "covariance_nn": Recipe({}, short_training(12000, 64, 0.003)),
                        "map_nn": Recipe({"U": 20}, short_training(1200, 64, 0.004, U=8)),
                    },
                    1000: {
                        "group_lasso_nn": Recipe(
                            # after 200 iterations ADMM has not converged, and pilots that move fast serve it less
                            _LARGE | {"U": 300, "lam": 8.0, "rho": 0.5},
                            short_training(40, 8, 0.02, U=120, pilot_learning_rate=3e-3, **_FEW),
                        ),
                        "amp_nn": Recipe(_LARGE | {"U": 50} | _LAST, short_training(160, 8, 0.02, U=12, **_FEW)),
                        "covariance_nn": Recipe(_LARGE, short_training(1000, 32, 1e-3, n_validation=64)),
                        "map_nn": Recipe(_LARGE | {"U": 15}, short_training(120, 8, 0.02, U=4, **_FEW)),
                    },
                },
                3,
                4,
                100,
                {100: 20_000, 1000: 600},
            ),
            Scale(
                "paper",
                {100: Samples(1000, 1000, 10), 1000: Samples(1000, 1000, 10)},
                1000,
                {N: {"amp_nn": Recipe(_LAST)} for N in (100, 1000)},
                10,
                100,
                100,
                {100: 100_000, 1000: 100_000},
            ),
        )
    }
)
