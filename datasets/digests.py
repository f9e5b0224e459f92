"""Short hashes of words, files and source code: what was made of the same is kept and used again."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from stitching.errors import InputError


def digest(*parts: str) -> str:
    """A hash of words, in their order."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """A hash of a file's content. Raises InputError where it cannot be read."""
    try:
        found = path.stat()
        return _content_digest(path, found.st_ino, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


@lru_cache(maxsize=4096)  # the same weights and code decide many runs
def _content_digest(path: Path, *_changes: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def code_digest(parts: Iterable[Path]) -> str:
    """A hash of source files, and of those in folders."""
    words: list[str] = []
    for part in parts:
        for file in sorted(part.rglob("*.py")) if part.is_dir() else [part]:
            words += [str(file.relative_to(part.parent)), file_digest(file)]
    return digest(*words)
