"""Variants of a scenario: anything in it can vary, arguments of own models included."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from mmvsolvers.codec import model_name
from mmvsolvers.scenario import Scenario, model_fields

_OF_SCENARIO = ("N", "L", "M", "noise_var", "snr_db", "pilots", "activity", "channel")
# What the command line calls them.
_ALIASES = {
    "devices": "N",
    "antennas": "M",
    "activity_prob": "p",
    "groups": "n_groups",
    "G": "n_groups",
    "K": "n_active",
}
_LABELS = {
    "N": "devices N", "L": "pilot length L", "M": "antennas M", "noise_var": "σ²", "snr_db": "SNR (dB)",
    "p": "activity probability p", "ratio": "p1/p2", "n_groups": "groups G", "n_active": "active devices K",
}  # fmt: skip


def vary(scenario: Scenario, name: str, value: Any) -> Scenario:
    """Return a scenario that differs in one thing.

    Parameters
    ----------
    scenario : Scenario
        What is varied.
    name : str
        A field of the scenario, or of its activity or channel model, such as "p", "activity.p" or
        "antenna-correlation". Giving one of ``noise_var`` and ``snr_db`` takes the other away, and an array of
        ``pilots`` brings its own L and N.
    value : object
        Its new value.

    Raises
    ------
    ValueError
        If nothing is called so, or two things are.
    """
    model, field = find_field(scenario, name)
    if model:
        return replace(scenario, **{model: replace(getattr(scenario, model), **{field: value})})
    changes = {field: value}
    if field == "pilots" and not isinstance(value, str):
        changes |= dict(zip("LN", np.shape(value), strict=True))
    if field in ("noise_var", "snr_db"):
        changes = {"noise_var": None, "snr_db": None} | changes
    return replace(scenario, **changes)


def grid(scenario: Scenario, values: Mapping[str, Sequence[Any]]) -> list[Scenario]:
    """Return the variants of a scenario over the product of several lists of values, the last varying fastest."""
    variants = []
    for point in product(*values.values()):
        variant = scenario
        for name, value in zip(values, point, strict=True):
            variant = vary(variant, name, value)
        variants.append(variant)
    return variants


def value_at(scenario: Scenario, name: str) -> Any:
    """Return what :func:`vary` would change."""
    model, field = find_field(scenario, name)
    return getattr(getattr(scenario, model) if model else scenario, field)


def label_of(name: str) -> str:
    """Return what an axis over this is called."""
    field = _spelled(name).rpartition(".")[2]
    return _LABELS.get(field, field)


def find_field(scenario: Scenario, name: str) -> tuple[str, str]:
    """Return the model, "" for the scenario itself, and the field that a name stands for."""
    spelled = _spelled(name)
    if spelled in _OF_SCENARIO:
        return "", spelled
    model, _, field = spelled.rpartition(".")
    models = {part: model_fields(getattr(scenario, part)) for part in ("activity", "channel") if model in ("", part)}
    found = [(part, field) for part, names in models.items() if field in names]
    if len(found) == 1:
        return found[0]
    known = [*_OF_SCENARIO[:6], *(f"{part}.{one}" for part, names in models.items() for one in names)]
    said = "stands for two things in" if found else "is nothing in"
    raise ValueError(f"{name!r} {said} the scenario; there are {', '.join(known)}")


def columns_of(scenario: Scenario) -> dict[str, Any]:
    """Return all of a scenario as the columns of a table: the models' arguments as "activity.p" and the like."""
    columns: dict[str, Any] = {"N": scenario.N, "L": scenario.L, "M": scenario.M}
    for part in ("activity", "channel"):
        model = getattr(scenario, part)
        columns[part] = model_name(model)
        columns |= {f"{part}.{field}": getattr(model, field) for field in model_fields(model)}
    pilots = scenario.pilots if isinstance(scenario.pilots, str) else "own"
    return columns | {"noise_var": scenario.noise_var, "snr_db": scenario.snr_db, "pilots": pilots}


def _spelled(name: str) -> str:
    spelled = name.strip().replace("-", "_")
    return _ALIASES.get(spelled, spelled)
