"""Differentiable torch counterparts of the mmvsolvers references, and the learned decoders built on them.

What is named here is imported when it is first asked for: the names of the schemes and the commands need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvsolvers_nn.autoencoders import AMPNN, MAPNN, AutoEncoder, CovarianceNN, GroupLassoNN
    from mmvsolvers_nn.configuration import Architecture, Configuration, Optimisation, build
    from mmvsolvers_nn.coupled import CoupledAMPNN, CoupledMAPNN, CoupledMMSENN
    from mmvsolvers_nn.files import load_weights, save_weights
    from mmvsolvers_nn.learned_prior import LearnedPrior, read_prior
    from mmvsolvers_nn.parallel import PSCANN
    from mmvsolvers_nn.schemes import SCHEMES, Scheme
    from mmvsolvers_nn.training import TrainingError, train
    from mmvsolvers_nn.transformer import TransformerNN

_HOMES = {
    "autoencoders": ("AMPNN", "MAPNN", "AutoEncoder", "CovarianceNN", "GroupLassoNN"),
    "configuration": ("Architecture", "Configuration", "Optimisation", "build"),
    "coupled": ("CoupledAMPNN", "CoupledMAPNN", "CoupledMMSENN"),
    "files": ("load_weights", "save_weights"),
    "learned_prior": ("LearnedPrior", "read_prior"),
    "parallel": ("PSCANN",),
    "schemes": ("SCHEMES", "Scheme"),
    "training": ("TrainingError", "train"),
    "transformer": ("TransformerNN",),
}
__all__ = [
    "AMPNN",
    "MAPNN",
    "PSCANN",
    "SCHEMES",
    "Architecture",
    "AutoEncoder",
    "Configuration",
    "CoupledAMPNN",
    "CoupledMAPNN",
    "CoupledMMSENN",
    "CovarianceNN",
    "GroupLassoNN",
    "LearnedPrior",
    "Optimisation",
    "Scheme",
    "TrainingError",
    "TransformerNN",
    "build",
    "load_weights",
    "read_prior",
    "save_weights",
    "train",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"mmvsolvers_nn.{home}"), name)
    if name == "functional":
        return import_module("mmvsolvers_nn.functional")
    if name == "Scenario":
        raise AttributeError("mmvsolvers_nn.Scenario is mmvsolvers.Scenario now")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
