"""Weights and checkpoints on disk, written whole or not at all, read without ever unpickling an object."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from mmvsolvers.writing import atomically, write_text
from mmvsolvers_nn.autoencoders import AutoEncoder
from mmvsolvers_nn.configuration import Configuration, build

WEIGHTS, CONFIGURATION, CHECKPOINT, LOG = "weights.safetensors", "configuration.json", "checkpoint.pt", "log.jsonl"
TENSORBOARD = "tensorboard"


def save_weights(directory: Path | str, model: AutoEncoder, configuration: Configuration) -> None:
    """Write a trained model's parameters, and the configuration that they belong to beside them.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> configuration = mmvnn.Configuration(scenario=scenario, architecture=mmvnn.Architecture(scheme="covariance_nn"))
    >>> with TemporaryDirectory() as folder:
    ...     mmvnn.save_weights(folder, mmvnn.build(configuration), configuration)
    ...     print(sorted(path.name for path in Path(folder).iterdir()))
    ...
    ['configuration.json', 'weights.safetensors']
    """
    directory = Path(directory)
    write_configuration(directory, configuration)
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with atomically(directory / WEIGHTS) as stream:
        stream.write(save(tensors))


def load_weights(directory: Path | str) -> tuple[AutoEncoder, Configuration]:
    """Read what `save_weights` wrote.

    Raises
    ------
    FileNotFoundError
        If one of the two files is missing.
    ValueError
        If they do not belong together or are no such files.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> from tempfile import TemporaryDirectory
    >>> configuration = mmvnn.Configuration(scenario=scenario, architecture=mmvnn.Architecture(scheme="covariance_nn"))
    >>> with TemporaryDirectory() as folder:
    ...     mmvnn.save_weights(folder, mmvnn.build(configuration), configuration)
    ...     model, found = mmvnn.load_weights(folder)
    ...
    >>> found == configuration
    True
    """
    directory = Path(directory)
    configuration = read_configuration(directory)
    path = directory / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"no trained weights: {path} is missing")
    model = build(configuration)
    try:
        tensors = load_file(path)
        _check_tensors(tensors, model.state_dict())
        model.load_state_dict(tensors)
    except Exception as error:
        # From a header that is no JSON to tensors of other shapes.
        wanted = directory / CONFIGURATION
        raise ValueError(f"{path} does not hold the weights of {wanted}: {_first_line(error)}") from error
    return model.eval(), configuration


def _check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse what torch would cast or broadcast, and numbers that are none; names are torch's to check."""
    for name in found.keys() & wanted.keys():
        if found[name].dtype != wanted[name].dtype or found[name].shape != wanted[name].shape:
            kinds = (f"{one.dtype} of shape {tuple(one.shape)}" for one in (wanted[name], found[name]))
            raise ValueError("{} must be {}; got {}".format(name, *kinds))
        if torch.isnan(found[name]).any() and not torch.isnan(wanted[name]).any():
            raise ValueError(f"{name} must be numbers; got NaN")


def write_configuration(directory: Path, configuration: Configuration) -> None:
    """Write a configuration as JSON."""
    write_text(directory / CONFIGURATION, configuration.to_json())


def read_configuration(directory: Path) -> Configuration:
    """Read a configuration.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the file is not one.
    """
    path = directory / CONFIGURATION
    if not path.is_file():
        raise FileNotFoundError(f"no training run: {path} is missing")
    try:
        return Configuration.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def save_checkpoint(directory: Path, state: dict[str, Any]) -> None:
    """Write a run's state; one interrupted in the middle leaves the one before."""
    buffer = BytesIO()  # torch itself is at a loss where a disk is full
    torch.save(state, buffer)
    with atomically(directory / CHECKPOINT) as stream:
        stream.write(buffer.getbuffer())


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """Read a run's state to the CPU, or None where there is none yet.

    Raises
    ------
    ValueError
        If the file is no checkpoint.
    """
    path = directory / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        # torch would advise to unpickle whatever it is
        raise foreign_checkpoint(directory, UnpicklingError("it is damaged, or holds more than tensors")) from error
    except Exception as error:
        # From EOFError to what the unpickler says of objects that are no tensors.
        raise foreign_checkpoint(directory, error) from error
    if not isinstance(state, dict):
        raise foreign_checkpoint(directory, TypeError(f"it holds a {type(state).__name__}"))
    return state


def foreign_checkpoint(directory: Path, error: Exception) -> ValueError:
    """Return the error to raise where the state of a run cannot be gone on with."""
    path = directory / CHECKPOINT
    return ValueError(f"{path} is no checkpoint of this run; remove it to begin anew: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    """Return the kind and the first line of an error that goes on for a page."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
