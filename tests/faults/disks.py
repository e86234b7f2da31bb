"""Full disks, read-only folders and other encodings: ``python -m tests.faults.disks``.

Every command that writes is run with a limit on the size of a file, which fails its writes where a full disk would: at
the first byte, in the middle, at the last one. What must come of it is the exit status 1, one line that names the file,
the old file or none in its place, and nothing left beside it; once there is room, the same command ends well.
"""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from mmvsolvers.cli import main as mmv
from mmvsolvers.files import save_arrays

from .files import TRAINING, arrays

QUICK = ["-N", "20", "-L", "6", "--samples", "5", "--pilot-draws", "1", "-s", "ml_cd"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def commands(folder: Path, *, with_torch: bool) -> dict[str, list[str]]:
    """Return commands that write into ``folder / "out"``, by name."""
    out, found = folder / "out", {}
    for suffix in (".npz", ".h5", ".mat"):
        path = folder / f"data{suffix}"
        save_arrays(path, arrays(), overwrite=True)
        solve = ["solve", str(path), "-s", "group_lasso_bcd", "--lam", "0.1", "--overwrite"]
        found[f"solve {suffix}"] = [*solve, "--output", str(out / f"x{suffix}")]
    for suffix in ("png", "pdf", "svg"):
        few = ["--train-samples", "10", "--overwrite"]
        found[f"compare {suffix}"] = ["compare", *QUICK, *few, "--output", str(out / f"c.{suffix}")]
    found["roc"] = ["roc", *QUICK, "--overwrite", "--output", str(out / "r.png")]
    if with_torch:
        sound = folder / "sound"
        trained = CliRunner().invoke(mmv, [*TRAINING, "--out", str(sound)])
        assert trained.exit_code == 0, trained.output
        found["export"] = ["export", str(sound), str(out / "e.npz"), "--overwrite"]
        found["train"] = [*TRAINING, "--max-epochs", "2", "--out", str(out / "run")]
        table = Path(__file__).parents[2] / "examples" / "paper" / "results.csv"
        found["draw"] = ["draw", str(table), "7", "--out", str(out)]
    return found


def sizes(out: Path) -> list[int]:
    return [path.stat().st_size for path in out.rglob("*") if path.is_file()]


def fault(command: list[str], out: Path, size: int) -> str:
    """Run a command where files can have ``size`` bytes; return "refused", "done" or what went wrong."""
    with largest_file(size):
        found = CliRunner().invoke(mmv, command)
    left = [path.name for path in out.rglob(".partial-*")]
    if left:
        return f"left {left}"
    if found.exit_code == 0:
        return "done"
    if not isinstance(found.exception, SystemExit):
        return f"{found.exception!r}"
    errors = [line for line in found.stderr.splitlines() if line.startswith("Error: ")]
    if found.exit_code != 1 or len(errors) != 1 or f"{out}" not in errors[0] or "cannot be written" not in errors[0]:
        return f"exit status {found.exit_code}: {found.stderr[-300:]!r}"
    return "refused"


def full_disks(name: str, command: list[str], out: Path, shares: tuple[float, ...]) -> Counter[str]:
    """Fail a command's writes after shares of the size of each of its files, then let it end."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    assert CliRunner().invoke(mmv, command).exit_code == 0, name
    limits = sorted({int(share * size) for size in sizes(out) for share in shares})
    outcomes: Counter[str] = Counter()
    for limit in limits:
        shutil.rmtree(out)
        out.mkdir()
        outcomes[fault(command, out, limit)] += 1
        again = CliRunner().invoke(mmv, command)
        if again.exit_code:
            outcomes[f"not to be gone on with: {again.stderr[-300:]!r}"] += 1
    return outcomes


def old_file_stays(command: list[str], path: Path) -> bool:
    """Tell whether a failed write leaves the file that was there."""
    assert CliRunner().invoke(mmv, command).exit_code == 0
    before = path.read_bytes()
    fault(command, path.parent, len(before) // 2)
    return path.read_bytes() == before


def in_process(command: list[str], **variables: str) -> "subprocess.CompletedProcess[bytes]":
    start = [sys.executable, "-W", "ignore", "-c", "from mmvsolvers_command import main; main()"]
    return subprocess.run([*start, *command], capture_output=True, check=False, env=os.environ | variables)


def encodings(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Print tables, titles and errors in encodings that lack their characters."""
    found = {}
    for encoding in names:
        path = folder / f"{encoding}.png"
        done = in_process(["compare", *QUICK, "--train-samples", "10", "-o", str(path)], PYTHONIOENCODING=encoding)
        with path.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
            n_rows = len(list(csv.DictReader(stream)))
        found[f"compare in {encoding}"] = "done" if (done.returncode, n_rows) == (0, 1) else str(done.stderr[-300:])
        done = in_process(["compare", "--channel", "σ", "-o", str(folder / "e.png")], PYTHONIOENCODING=encoding)
        lines = done.stderr.splitlines()
        refused = done.returncode == 1 and len(lines) == 1 and lines[0].startswith(b"Error: ")
        found[f"an error in {encoding}"] = "done" if refused else str(done.stderr[-300:])
    return found


def read_only(command: list[str], out: Path) -> str:
    """Run a command into a folder that cannot be written; the superuser is held by no permission but by a file."""
    shutil.rmtree(out, ignore_errors=True)
    if os.geteuid():
        out.mkdir(mode=0o500)
    else:
        out.touch()
    found = CliRunner().invoke(mmv, command)
    if os.geteuid():
        out.rmdir()
    else:
        out.unlink()
    lines = [line for line in found.stderr.splitlines() if line.strip()]
    named = (
        found.exit_code == 1 and isinstance(found.exception, SystemExit) and len(lines) == 1 and str(out) in lines[0]
    )
    return "refused" if named else f"exit status {found.exit_code}: {found.stderr[-300:]!r}, {found.exception!r}"


def main() -> None:
    shares = tuple(np.linspace(0, 1, 12)[:-1])
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"
        for what, command in commands(folder, with_torch=True).items():
            found = full_disks(what, command, out, shares)
            locked = read_only(command, out)
            failed |= bool(set(found) - {"refused", "done"}) or locked != "refused"
            print(f"{what}: full disk {dict(found)}; read-only folder {locked}", flush=True)
        out.mkdir()
        stays = old_file_stays(commands(folder, with_torch=False)["solve .npz"], out / "x.npz")
        told = encodings(folder, ("cp1252", "ascii", "latin-1"))
        failed |= not stays or set(told.values()) != {"done"}
        print(f"old file stays: {stays}")
        print(told)
    sys.exit(failed)


if __name__ == "__main__":
    main()
