"""What several commands read from the command line in the same way."""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmvsolvers.pilots import PILOTS

# This package's activity models by the words for them, each with the arguments that it has unless others are said.
CASES: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "independent": ("IndependentActivity", {"ratio": 3.0}),
    "single-group": ("SingleActiveGroup", {}),
    "groups": ("GroupActivity", {"n_groups": 20}),
}
PILOT_KINDS = ", ".join(kind.replace("_", "-") for kind in PILOTS)
ACTIVITY_HELP = f"{', '.join(CASES)}, or your own: 'file.py:Class(argument=value)'."


def own_object(option: str, text: str, protocol: type) -> Any:
    """Return the object of ``Class(argument=value, ...)``, of this package or at ``file.py:`` or ``module:``.

    Arguments are literals: nothing but the class itself is run.
    """
    from mmvsolvers.codec import find_class
    from mmvsolvers.loading import load_object
    from mmvsolvers.validation import missing_methods

    where, parenthesis, arguments = text.partition("(")
    try:
        call = ast.parse(f"f({arguments}" if parenthesis else "f()", mode="eval").body
        assert isinstance(call, ast.Call)
        values = [ast.literal_eval(argument) for argument in call.args]
        named = {str(argument.arg): ast.literal_eval(argument.value) for argument in call.keywords if argument.arg}
    except (SyntaxError, ValueError, AssertionError):
        raise ValueError(f"{option} must be a name or Class(argument=value, ...); got {text!r}") from None
    if ":" in where:
        kind = load_object(where)
    else:
        try:
            kind = find_class(where, protocol)
        except ValueError:
            words = "" if option != "--activity" else f"one of {', '.join(CASES)}, or "
            raise ValueError(f"{option} must be {words}an own class at file.py:Class; got {text!r}") from None
    found = kind(*values, **named) if isinstance(kind, type) else kind
    if not isinstance(found, protocol):
        raise TypeError(f"{option} {where} is no {protocol.__name__}: it lacks {missing_methods(found, protocol)}")
    return found


def pilots_of(text: str) -> Any:
    """Return a kind of pilots, or the pilots in a variable of a file, as in ``file.mat:A``."""
    kind = text.replace("-", "_")
    if kind in PILOTS:
        return kind
    from mmvsolvers.files import load_arrays

    file, _, name = text.rpartition(":")
    if not file:
        raise ValueError(
            f"--pilots must be one of {PILOT_KINDS}, or a variable of a file such as pilots.mat:A; got {text!r}"
        )
    return load_arrays(file, [name])[name].astype(np.complex128)


def sweep_of(text: str) -> tuple[str, list[Any]]:
    """Split ``NAME=VALUE,VALUE,...`` into numbers where they are some; repeated values count once."""
    name, equals, values = text.partition("=")
    if not equals or not name or not values:
        raise ValueError(f"--sweep must be NAME=VALUE,VALUE,...; got {text!r}")
    name = name.strip()
    words = dict.fromkeys(value.strip() for value in values.split(","))
    return name, [pilots_of(word) if name == "pilots" else value_of(word) for word in words]


def value_of(text: str) -> int | float | bool | str:
    """Return a number or a truth value where the text is one, and the text itself where it is not."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
