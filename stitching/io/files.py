"""Atomic writing of files, and checks beforehand whether a path can be read or written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stitching.errors import InputError, JobError

AnyPath = str | os.PathLike[str]
TEMPORARY = ".parastitch-"  # begins the names of files that are being written


def expand_home(path: str) -> Path:
    """The path with ~ or ~NAME in front replaced by a home folder; as it is where nobody has that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises RuntimeError for unknown names


def check_readable(path: AnyPath, expected: str) -> None:
    """Raise InputError if `path` is no regular file: missing, a folder, a device, or a pipe, which may never end.

    expected: what kind of file it should be, for the message.
    """
    path = Path(path)
    try:
        regular, exists = path.is_file(), path.exists()
    except OSError as error:  # a name too long, a loop of links
        raise InputError(f"cannot read {path}: {error.strerror}; expected {expected}") from error
    if not regular:
        found = "a folder" if path.is_dir() else "a pipe or a device" if exists else "no such file"
        raise InputError(f"cannot read {path}: {found}; expected {expected}")


def check_writable(path: AnyPath) -> None:
    """Raise InputError if no file can be written at `path`: folder missing, or no permission."""
    path = Path(path)
    try:
        folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            raise InputError(f"cannot write {path}: the folder {folder} does not exist; create it first")
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; name a file")
        if path.exists() and not path.is_file():
            raise InputError(f"cannot write {path}: it is a pipe or a device; name a file")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"cannot write {path}: the file there is write-protected; choose another name")
    except OSError as error:  # a name too long, a loop of links
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: no permission to write to {folder}; choose another folder")


def check_folder(path: AnyPath) -> None:
    """Raise InputError if `path` is no folder that can be written to and cannot be created."""
    path = Path(path)
    try:
        nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        usable = nearest.is_dir() and os.access(nearest, os.W_OK)
    except OSError as error:  # a name too long, a loop of links
        raise InputError(f"cannot write to {path}: {error.strerror}; choose another folder") from error
    if not usable:
        raise InputError(f"cannot write to {path}: {nearest} is no folder that can be written to; choose another")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        InputError: it cannot be made, or something else has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; name one that can be written") from error


@contextmanager
def atomic_write(path: AnyPath) -> Iterator[Path]:
    """Write a file atomically: yields a temporary path beside `path`, with its extension, that is renamed to `path`.

    On any exception, Ctrl-C too, the temporary file is deleted and `path` is unchanged. Symbolic links are followed.

    Raises:
        JobError: an OSError inside, a full disk for example.
    """
    final = Path(os.path.realpath(path))
    temporary = final.with_name(f"{TEMPORARY}{os.urandom(8).hex()}{final.suffix}")
    try:
        yield temporary
        temporary.replace(final)
    except OSError as error:
        raise JobError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
