"""Files that are written whole or not at all, and folders that one process at a time works in."""

import csv
import io
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

if sys.platform != "win32":
    import fcntl

# What an ending process may leave behind is told by it from all else.
_PARTIAL = ".partial-"
_LOCK = ".lock"


@contextmanager
def atomically(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose contents take the place of the file ``path`` when all went well.

    They are on the disk before they do: a crash or a power failure leaves the old file or the new one.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    OSError
        If it cannot be written; the message names the file and says why.
    """
    _require_folder(path)
    target = path.resolve()  # a link goes on pointing to its file
    temporary = target.with_name(f"{_PARTIAL}{secrets.token_hex(8)}{target.suffix}")
    try:
        with names_the_file(path):
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def names_the_file(path: Path) -> Iterator[None]:
    """Let an error in writing say which file cannot be written; a full disk itself does not."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, as `atomically` does."""
    with atomically(path) as stream:
        stream.write(text.encode())


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, as `atomically` does."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, table.getvalue())


def check_output(path: Path, overwrite: bool) -> None:
    """Find out before a computation whether its result can be written to ``path``.

    Raises
    ------
    FileExistsError
        If there is such a file and it may not be replaced, or something that is no file.
    FileNotFoundError
        If there is no such folder.
    OSError
        If nothing can be written into the folder.
    """
    _require_folder(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} is there already; choose another name, or allow to overwrite it: --overwrite, in Python "
            "overwrite=True"
        )
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is there and no file; choose another name")
    probe = path.resolve().with_name(f"{_PARTIAL}{secrets.token_hex(8)}")
    with names_the_file(path):
        probe.touch(exist_ok=False)
        probe.unlink()


@contextmanager
def sole_user(directory: Path) -> Iterator[None]:
    """Hold a directory, made where there is none, against all other processes that want to hold it.

    The system lets go of it when a process ends, however it ends.

    Raises
    ------
    OSError
        If another process holds it, or it cannot be written.
    """
    with names_the_file(directory):
        directory.mkdir(parents=True, exist_ok=True)
        stream = (directory / _LOCK).open("a+b", buffering=0)
    with stream:
        _lock(stream, directory)
        for left in directory.glob(f"{_PARTIAL}*"):
            left.unlink(missing_ok=True)
        yield


def _lock(stream: IO[bytes], directory: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        holder = stream.read().decode(errors="replace").strip() or "another process"
        raise OSError(f"{directory} is in use by {holder}; wait for its end, or choose another directory") from None
    except OSError:
        return  # a file system without locks
    with suppress(OSError):  # who holds it is worth no failure
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, on systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
