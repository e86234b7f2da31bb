"""Packages that only some commands need."""

from collections.abc import Sequence
from importlib.util import find_spec

import typer

# Of what is named otherwise on the index, or needed with more than its core.
_REQUIREMENTS = {"dask": "'dask[distributed]'"}


def require(*packages: str) -> None:
    """End the command with one line that says what to install, where packages are missing."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        typer.echo(f"Error: {needs(missing)}", err=True)
        raise typer.Exit(1)


def needs(packages: Sequence[str]) -> str:
    """Say what to install."""
    wanted = " ".join(_REQUIREMENTS.get(package, package) for package in packages)
    return f"this command needs {' and '.join(packages)}; install with: pip install {wanted}"
