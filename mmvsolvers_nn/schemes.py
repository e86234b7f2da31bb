"""What there is to know of a learned scheme, said once: configuration, evaluation, command line and figures read it.

Reading it loads no torch; the networks themselves are found when one is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mmvsolvers.codec import find_object
from mmvsolvers.loading import load_object
from mmvsolvers.validation import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scheme:
    """A learned scheme and what there is to know of it.

    Attributes
    ----------
    name : str
        What it is called on the command line and in a configuration.
    label : str
        What figures and tables call it.
    model : str or callable
        Its auto-encoder, or where that is, ``module:class``; called with the pilots, ``needs``, ``options`` and how
        pilots and correction part are made: ``learn_pilots``, ``width`` and ``correction``.
    options : mapping of str to Any
        The fields of an ``Architecture`` that shape it, with its defaults.
    optimisation : mapping of str to Any
        How it is trained by default: fields of an ``Optimisation``, whose own defaults are the paper's.
    needs : tuple of str
        What its start takes from the scenario: "activity_prob", "noise_var" and "coupling".
    unrolls : str
        The solver whose iterations its approximation part makes; "" for none.
    compared_with : tuple of str
        The classical solvers that it unrolls, or replaces.
    recovers_signal : bool
        Whether it estimates X, or scores devices only.

    Examples
    --------
    >>> import mmvsolvers_nn as mmvnn
    >>> scheme = mmvnn.SCHEMES["amp_nn"]
    >>> scheme.label, scheme.unrolls
    ('AMP-NN', 'amp_mmse')
    """

    name: str
    label: str
    model: str | Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    optimisation: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    unrolls: str = ""
    compared_with: tuple[str, ...] = ()
    recovers_signal: bool = False


def short_training(
    n_steps: int, batch_size: int, learning_rate: float, *, U: int = 0, **options: Any
) -> dict[str, Any]:
    """Return a training of so many steps on fresh samples, at a learning rate that falls to zero.

    Parameters
    ----------
    n_steps, batch_size : int
        Steps, and samples of each.
    learning_rate : float
        At the start.
    U : int
        Iterations of all epochs but the last; 0 for the scheme's own.
    **options
        Other fields of an ``Optimisation``.
    """
    n_epochs = min(n_steps, 20)
    return {
        "curriculum": ((U, n_epochs - 1),) if U else (),
        "fresh": True,
        "batch_size": batch_size,
        "n_train": batch_size * (n_steps // n_epochs),
        "max_epochs": n_epochs,
        "patience": n_epochs,
        "learning_rate": learning_rate,
        "schedule": "cosine",
        "clip_norm": 1.0,
        **options,
    }


_ALL = (
    Scheme(
        name="group_lasso_nn",
        label="GROUP LASSO-NN",
        model="mmvsolvers_nn.autoencoders:GroupLassoNN",
        options={"U": 200, "V": 3, "residual": True, "lam": 2.0, "rho": 1.0},
        unrolls="group_lasso_admm",
        compared_with=("group_lasso_bcd",),
        recovers_signal=True,
    ),
    Scheme(
        name="amp_nn",
        label="AMP-NN",
        model="mmvsolvers_nn.autoencoders:AMPNN",
        options={"U": 50, "V": 3, "residual": True, "damping": "adaptive", "averaged": True},
        needs=("activity_prob",),
        unrolls="amp_mmse",
        compared_with=("amp_mmse",),
        recovers_signal=True,
    ),
    Scheme(
        name="covariance_nn",
        label="NN",
        model="mmvsolvers_nn.autoencoders:CovarianceNN",
        options={"V": 3},
        compared_with=("covariance_lasso",),
    ),
    Scheme(
        name="map_nn",
        label="MAP-NN",
        model="mmvsolvers_nn.autoencoders:MAPNN",
        options={"U": 55, "V": 3, "residual": True},
        needs=("noise_var", "activity_prob"),
        unrolls="map_cd",
        compared_with=("ml_cd", "map_cd"),
    ),
    Scheme(
        name="coupled_amp_nn",
        label="coupled AMP-NN",
        model="mmvsolvers_nn.coupled:CoupledAMPNN",
        options={"U": 12, "V": 0, "residual": True, "damping": 0.9},
        optimisation=short_training(2000, 128, 1e-2),
        needs=("activity_prob", "coupling"),
        unrolls="amp_mmse",
        compared_with=("amp_mmse",),
        recovers_signal=True,
    ),
    Scheme(
        name="coupled_map_nn",
        label="coupled MAP-NN",
        model="mmvsolvers_nn.coupled:CoupledMAPNN",
        options={"U": 3, "V": 0, "residual": True},
        optimisation=short_training(2500, 64, 3e-3, pilot_learning_rate=1e-2),
        needs=("noise_var", "activity_prob", "coupling"),
        unrolls="map_cd",
        compared_with=("ml_cd", "map_cd"),
    ),
    Scheme(
        name="psca_nn",
        label="PSCA-NN",
        model="mmvsolvers_nn.parallel:PSCANN",
        options={"U": 15, "V": 3, "residual": True},
        needs=("noise_var", "activity_prob"),
        unrolls="map_psca",
        compared_with=("ml_cd", "map_cd", "map_psca"),
    ),
    Scheme(
        name="coupled_mmse_nn",
        label="coupled MMSE-NN",
        model="mmvsolvers_nn.coupled:CoupledMMSENN",
        options={"U": 3, "V": 0, "residual": True},
        optimisation=short_training(2500, 64, 3e-3, pilot_learning_rate=1e-2),
        needs=("noise_var", "activity_prob", "coupling"),
        unrolls="map_cd",
        compared_with=("amp_mmse", "ml_mmse"),
        recovers_signal=True,
    ),
    Scheme(
        name="transformer_nn",
        label="transformer",
        model="mmvsolvers_nn.transformer:TransformerNN",
        options={"U": 5, "V": 0, "residual": True},
        # at 1e-3 all scores are at their bounds after 50 steps, where they have no gradient, and stay there
        optimisation=short_training(8000, 64, 3e-4),
        compared_with=("ml_cd", "map_cd"),
    ),
)
SCHEMES: Mapping[str, Scheme] = MappingProxyType({scheme.name: scheme for scheme in _ALL})


def find_scheme(name: str) -> Scheme:
    """Return the scheme of that name, or a user's own at ``file.py:object`` or ``module:object``.

    Raises
    ------
    TypeError
        If what is there is no `Scheme`.
    ValueError
        If there is none; the message suggests one.
    """
    if ":" in str(name):
        found = load_object(name) if ".py:" in name else find_object(name)
        if not isinstance(found, Scheme):
            raise TypeError(f"an own scheme must be a mmvsolvers_nn.Scheme; {name} is a {type(found).__name__}")
        return found
    if name not in SCHEMES:
        hint = did_you_mean(name, SCHEMES) or f"there are {', '.join(SCHEMES)}, and own ones at file.py:object"
        raise ValueError(f"no scheme is called {name!r}; {hint}")
    return SCHEMES[name]
