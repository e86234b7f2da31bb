"""Scenarios as JSON text and back, own classes included."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvsolvers.activity import ActivityModel
from mmvsolvers.channels import ChannelModel
from mmvsolvers.loading import import_here
from mmvsolvers.scenario import Scenario, model_fields

# Raised whenever a reader of an older format would misread a newer text.
FORMAT = 1
_FIELDS = tuple(field.name for field in fields(Scenario))


def to_json(scenario: Scenario) -> str:
    """Return a scenario as JSON text, which :func:`from_json` reads back as an equal scenario.

    Classes of this package are written by their name, own ones as ``module:name``, with their fields. Arrays of pilots
    are written as lists of their real and imaginary parts, to the last bit.

    Raises
    ------
    TypeError
        For an own class that has something to remember and is no dataclass, that is local to a function, or whose
        fields JSON does not know.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> scenario = mmv.Scenario(N=10, L=4, M=2, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> text = mmv.to_json(scenario)
    >>> mmv.from_json(text) == scenario
    True
    """
    return json.dumps(encode(scenario), indent=2) + "\n"


def from_json(text: str) -> Scenario:
    """Read what :func:`to_json` wrote.

    A class is taken from this package or from a module that Python can import, and only if it is a model; sequences in
    its fields come back as tuples.

    Raises
    ------
    ValueError
        For other text; the message says why.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> scenario = mmv.named_scenario("cui2021").scenario
    >>> print(mmv.from_json(mmv.to_json(scenario)))
    N=100, L=12, M=4, independent activity p=0.1, p1/p2=3, σ²=0.1
    """
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not a scenario: {error}") from error
    return decode(found)


def encode(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as what JSON knows."""
    return {
        "format": FORMAT,
        "N": scenario.N,
        "L": scenario.L,
        "M": scenario.M,
        "activity": _encode_model(scenario.activity),
        "channel": _encode_model(scenario.channel),
        "noise_var": scenario.noise_var,
        "snr_db": scenario.snr_db,
        "pilots": _encode_value("pilots", scenario.pilots),
    }


def decode(found: Any) -> Scenario:
    """Return the scenario that :func:`encode` described; one without a format number is of the first version.

    Raises
    ------
    ValueError
        For anything else; the message says why.
    """
    try:
        values = dict(found)
        check_format("scenario", values.pop("format", 0), FORMAT)
        for name, kind in (("activity", ActivityModel), ("channel", ChannelModel)):
            if name in values:
                values[name] = _decode_model(name, values[name], kind)
        unknown = [name for name in values if name not in _FIELDS]
        if unknown:
            raise ValueError(f"it has unknown fields: {', '.join(map(str, unknown))}")
        return Scenario(**{name: _decode_value(value) for name, value in values.items()})
    except (KeyError, TypeError, ValueError, AttributeError, ImportError, RecursionError) as error:
        raise ValueError(f"not a scenario: {error if str(error) else type(error).__name__}") from error


def check_format(what: str, number: Any, newest: int) -> None:
    """Refuse a text of a later format than this version knows."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= newest:
        raise ValueError(f"the {what} is of format {number!r}; this version reads up to {newest}")


def class_name(kind: type) -> str:
    """Return the name that a class is written by: its own for one of this package, ``module:name`` for others.

    Raises
    ------
    TypeError
        For a class that no other process could find.
    """
    import mmvsolvers

    return str(kind.__name__) if getattr(mmvsolvers, kind.__name__, None) is kind else object_name(kind)


def model_name(model: Any) -> str:
    """Return what tables call a model: the name that its class is written by, where it can be."""
    try:
        return class_name(type(model))
    except TypeError:
        return type(model).__name__


def object_name(value: Any) -> str:
    """Return ``module:name`` of a class or a function.

    Raises
    ------
    TypeError
        For one that no other process could find.
    """
    name = getattr(value, "__qualname__", None)
    if not isinstance(name, str):
        raise TypeError(f"a {type(value).__name__} cannot be written: it must be a class or a function")
    if "." in name:
        raise TypeError(f"{name} cannot be written: define it at the top of a module")
    module = value.__module__
    if module == "__main__":
        module = _main_module()
        if not module:
            raise TypeError(f"{name} cannot be written: define it in a file, not at the prompt")
    return f"{module}:{name}"


def find_class(name: str, protocol: type) -> type:
    """Return the class that :func:`class_name` named.

    Raises
    ------
    ValueError
        If there is none, or if it lacks the methods of ``protocol``.
    """
    import mmvsolvers

    module, _, attribute = name.rpartition(":")
    found = getattr(_module(module) if module else mmvsolvers, attribute, None)
    if not isinstance(found, type) or not issubclass(found, protocol) or found is protocol:
        where = f"module {module}" if module else "mmvsolvers"
        raise ValueError(f"{where} has no {protocol.__name__} of the name {attribute!r}")
    return found


def find_object(name: str) -> Any:
    """Return what is at ``module:name``, such as the class or function that :func:`object_name` named.

    Raises
    ------
    ValueError
        If there is none.
    """
    module, _, attribute = name.rpartition(":")
    found = getattr(_module(module), attribute, None) if module else None
    if found is None:
        raise ValueError(f"an own object is written module:name; there is no {name!r}")
    return found


def _module(name: str) -> Any:
    """Return a module, looked for in the current folder too, where own files are."""
    if name in sys.modules:
        return sys.modules[name]
    if name == _main_module():
        return sys.modules["__main__"]
    try:
        return import_here(name)
    except ImportError as error:
        raise ValueError(
            f"the module {name!r} of an own class cannot be imported, here or from PYTHONPATH: {error}"
        ) from error


def _main_module() -> str:
    """Return the name that the running script could be imported by."""
    return Path(getattr(sys.modules["__main__"], "__file__", None) or "").stem


def _encode_model(model: Any) -> dict[str, Any]:
    name = class_name(type(model))
    if not is_dataclass(model):
        if getattr(model, "__dict__", None):
            raise TypeError(f"{name} cannot be written: make it a dataclass, so that its fields are known")
        return {"model": name}
    return {"model": name} | {
        field: _encode_value(f"{name}.{field}", getattr(model, field)) for field in model_fields(model)
    }


def _decode_model(what: str, found: Any, protocol: type) -> Any:
    if not isinstance(found, Mapping) or not isinstance(found.get("model"), str):
        raise ValueError(f"{what} must have a 'model'; got {found!r}")
    values = dict(found)
    kind = find_class(values.pop("model"), protocol)
    return kind(**{name: _decode_value(value) for name, value in values.items()})


def _encode_value(what: str, value: Any) -> Any:
    """Return numbers, words, and sequences and arrays of them as JSON knows them."""
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_encode_value(what, entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{what} cannot be written: JSON does not know a {type(value).__name__}")


def _encode_array(array: NDArray[Any]) -> dict[str, Any]:
    if array.dtype.kind == "c":
        return {"dtype": array.dtype.name, "real": array.real.tolist(), "imag": array.imag.tolist()}
    return {"dtype": array.dtype.name, "values": array.tolist()}


def _decode_value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode_value(entry) for entry in value)
    if not isinstance(value, Mapping) or "dtype" not in value:
        return value
    if "values" in value:
        return np.array(value["values"], dtype=str(value["dtype"]))
    array = np.empty(np.shape(value["real"]), dtype=str(value["dtype"]))
    array.real, array.imag = value["real"], value["imag"]
    return array
