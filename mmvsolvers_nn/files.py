"""Weights and checkpoints on disk, written whole or not at all, read without ever unpickling an object."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from mmvsolvers_nn.autoencoders import AutoEncoder
from mmvsolvers_nn.configuration import Configuration, build

WEIGHTS, CONFIGURATION, CHECKPOINT, LOG = "weights.safetensors", "configuration.json", "checkpoint.pt", "log.jsonl"


def save_weights(directory: Path, model: AutoEncoder, configuration: Configuration) -> None:
    """Write a trained model's parameters, and the configuration that they belong to beside them."""
    write_configuration(directory, configuration)
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomically(directory / WEIGHTS, lambda path: path.write_bytes(save(tensors)))


def load_weights(directory: Path) -> tuple[AutoEncoder, Configuration]:
    """Read what `save_weights` wrote.

    Raises
    ------
    FileNotFoundError
        If one of the two files is missing.
    ValueError
        If they do not belong together or are no such files.
    """
    configuration = read_configuration(directory)
    path = directory / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"no trained weights: {path} is missing")
    model = build(configuration)
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of {directory / CONFIGURATION}: {error}") from error
    return model.eval(), configuration


def write_configuration(directory: Path, configuration: Configuration) -> None:
    """Write a configuration as JSON."""
    write_atomically(directory / CONFIGURATION, lambda path: path.write_text(configuration.to_json()))


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
    return Configuration.from_json(path.read_text())


def save_checkpoint(directory: Path, state: dict[str, Any]) -> None:
    """Write a run's state; one interrupted in the middle leaves the one before."""
    write_atomically(directory / CHECKPOINT, lambda path: torch.save(state, path))


def load_checkpoint(directory: Path, device: torch.device) -> dict[str, Any] | None:
    """Read a run's state, or None where there is none yet."""
    path = directory / CHECKPOINT
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, bring it to the disk, and only then rename it to ``path``."""
    partial = path.with_name(path.name + ".partial")
    write(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
