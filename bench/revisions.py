"""Another revision of the project on the disk, to be measured beside this one."""

import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tree_of(revision: str) -> Path:
    """Return the folder of a revision's files, the same each time, so that what is compiled there is found again."""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", revision], capture_output=True, text=True, check=True)
    tree = Path(tempfile.gettempdir()) / f"mmvsolvers-{found.stdout.strip()[:12]}"
    if not tree.exists():
        subprocess.run([*git, "worktree", "add", "--detach", str(tree), revision], check=True)
    return tree
