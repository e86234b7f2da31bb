"""Commands that installed packages bring, `mmvsolvers_nn` among them: entry points of ``mmvsolvers.commands``."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import typer

ENTRY_POINTS = "mmvsolvers.commands"


def add_installed(app: typer.Typer) -> None:
    """Add every command that is installed; one that cannot be loaded says why when it is called."""
    own = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for entry in sorted(entry_points(group=ENTRY_POINTS)):
        if entry.name in own:
            continue
        try:
            app.command(entry.name)(entry.load())
        except Exception as error:  # one broken package must not take all commands away
            anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
            app.command(entry.name, context_settings=anything)(_unavailable(entry, error))


def _unavailable(entry: EntryPoint, error: Exception) -> Callable[[], None]:
    def command() -> None:
        if isinstance(error, ModuleNotFoundError):
            raise error
        raise ImportError(f"the command {entry.name} of {entry.value} cannot be loaded: {error}") from error

    command.__doc__ = f"Cannot be loaded: {type(error).__name__}."
    return command
