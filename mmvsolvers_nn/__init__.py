"""Differentiable torch counterparts of the mmvsolvers references, and the learned decoders built on them."""

from mmvsolvers_nn.autoencoders import AMPNN, MAPNN, AutoEncoder, CovarianceNN, GroupLassoNN
from mmvsolvers_nn.configuration import SCHEMES, Architecture, Configuration, Optimisation, Scenario, build
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
    "Scenario",
    "TrainingError",
    "build",
    "load_weights",
    "save_weights",
    "train",
]
