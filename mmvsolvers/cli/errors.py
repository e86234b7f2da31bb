"""What the user sees when something is wrong: one line on stderr and a non-zero exit, never a traceback."""

import io
import os
import sys
from typing import Any, cast

import typer
from typer.core import TyperGroup

from mmvsolvers.cli.packages import needs

# Of click or, in newer versions, of typer's own copy of it: the base of all usage errors.
_TYPER_ERROR = cast(type[Exception], typer.BadParameter.mro()[2])
_USER_ERRORS = (_TYPER_ERROR, ValueError, TypeError, OSError, MemoryError, ImportError, FloatingPointError)
_INTERRUPTED = 130

# Spellings of options that were given up, and what they are called.
RENAMED = {
    "--N": "-N (--devices)", "--L": "-L", "--M": "-M (--antennas)", "--p": "-p (--activity-prob)",
    "--case": "--activity", "--n-test": "--samples",
    "--n-train": "--train-samples", "--n-validation": "--validation-samples", "--draws": "--pilot-draws",
}  # fmt: skip


class OneLineErrors(TyperGroup):
    """A group of commands that ends with one line about a user's error.

    The exit status is 0 for success, 1 for an error in the data or the machine, 2 for one in the command line and 130
    after Ctrl-C.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit, or return what it returned outside standalone mode."""
        standalone, extra["standalone_mode"] = extra.get("standalone_mode", True), False
        if not standalone:
            return super().main(*args, **extra)
        _print_what_can_be()
        try:
            status = super().main(*args, **extra)
            sys.stdout.flush()  # here, where an error has a handler
            if status == _INTERRUPTED:  # typer makes it of Ctrl-C, without a word
                _interrupted()
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does; nothing must be flushed to it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1
        except (typer.Abort, KeyboardInterrupt):
            status = _interrupted()
        except Exception as error:
            # Ctrl-C while a module is loaded may come out as an error of that.
            if _was_interrupted(error):
                status = _interrupted()
            elif isinstance(error, _USER_ERRORS):
                typer.echo(f"Error: {_in_words(error)}", err=True)
                status = getattr(error, "exit_code", 1)
            else:
                raise
        sys.exit(status)


def _print_what_can_be() -> None:
    """Have characters that the output's encoding lacks, such as σ, replaced: no result is lost to them."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _interrupted() -> int:
    typer.echo("Interrupted", err=True)
    return _INTERRUPTED


def _was_interrupted(error: BaseException | None) -> bool:
    """Tell whether an interrupt lies at the bottom of an error."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _in_words(error: Exception) -> str:
    """Return a message on one line."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return needs((error.name.partition(".")[0],))
    moved = RENAMED.get(str(getattr(error, "option_name", "")))
    if moved:
        return f"{getattr(error, 'option_name', '')} is now {moved}"
    message = str(getattr(error, "format_message", error.__str__)())
    return " ".join(message.split()) or type(error).__name__
