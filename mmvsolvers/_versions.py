"""What computes, for the record of what was measured."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_FOLDER = Path(__file__).parent


def versions(*others: str) -> str:
    """Return the versions of Python, of this package with its commit where that is known, and of ``others``."""
    found = {name: _version(name) for name in ("mmvsolvers", "numpy", "numba", *others)}
    if at := commit():
        found["mmvsolvers"] += f" ({at})"
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {value}" for name, value in found.items())])


@cache
def commit() -> str | None:
    """Return the commit of the checkout that this package is used from, or None where it is used from none.

    "-dirty" follows where Python files are not as they were committed.
    """
    # A package installed into a folder that some other repository holds is none of that repository's files.
    if _git("ls-files", "--", "__init__.py") != "__init__.py":
        return None
    found = _git("describe", "--always", "--tags")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":(top)*.py")
    return f"{found}-dirty" if found and changed else found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=_FOLDER)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
