"""What the commands of the learned schemes share."""

from importlib.util import find_spec

import typer


def require_torch() -> None:
    """End the command with one line that says what to install, where the learned schemes' packages are missing."""
    missing = [package for package in ("torch", "safetensors") if find_spec(package) is None]
    if missing:
        needed = " and ".join(missing)
        typer.echo(f"Error: this command needs {needed}; install with: pip install 'mmvsolvers[nn]'", err=True)
        raise typer.Exit(1)
