"""Differentiable torch counterparts of the mmvsolvers references, and the learned decoders built on them."""

from typing import Never

from mmvsolvers_nn.autoencoders import AMPNN, MAPNN, AutoEncoder, CovarianceNN, GroupLassoNN
from mmvsolvers_nn.configuration import SCHEMES, Architecture, Configuration, Optimisation, build
from mmvsolvers_nn.files import load_weights, save_weights
from mmvsolvers_nn.training import TrainingError, train

__all__ = [
    "AMPNN",
    "MAPNN",
    "SCHEMES",
    "Architecture",
    "AutoEncoder",
    "Configuration",
    "CovarianceNN",
    "GroupLassoNN",
    "Optimisation",
    "TrainingError",
    "build",
    "load_weights",
    "save_weights",
    "train",
]


def __getattr__(name: str) -> Never:
    if name == "Scenario":
        raise AttributeError("mmvsolvers_nn.Scenario is mmvsolvers.Scenario now")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
