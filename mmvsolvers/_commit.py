"""Which commit of this package computes, for the record of what was measured."""

import subprocess
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


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
