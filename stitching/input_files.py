"""The picture files that folders, patterns and names on a command line stand for."""

import glob
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import AnyPath
from stitching.io.metadata.formats import HEAD_BYTES, READ_FORMATS, detect_format

RAW_SUFFIXES = frozenset((
    ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".rwl", ".pef",
    ".srw", ".x3f", ".mrw", ".3fr", ".fff", ".erf", ".mef", ".mos", ".kdc", ".dcr",
))  # fmt: skip
PICTURE_SUFFIXES = RAW_SUFFIXES | frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp",
    ".heic", ".heif", ".hif", ".avif", ".gif", ".bmp",
))  # fmt: skip
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv",
    ".3gp", ".insv", ".360",
))  # fmt: skip
# Matroska and WebM, Flash, Ogg, Windows Media, MPEG programme streams
_VIDEO_STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")


def expand_inputs(given: Sequence[AnyPath]) -> list[Path]:
    """Put in place of folders and patterns the picture files that they stand for.

    Args:
        given: files, which stay where they are; folders, whose pictures are taken in natural order ("9" before "10"),
            without those of the folders in them; and patterns with *, ? or [ ] that name no file. Where these hold a
            camera's RAW file and a picture of the same name, as cameras and developing programs write them, the
            picture is taken: it is the same shot.

    Raises:
        InputError: a folder holds no picture, a pattern fits none, or a file is a video.
    """
    found: list[Path] = []
    for one in given:
        path = Path(one)
        if _holds(path.exists):
            found += _some_pictures_of(path) if path.is_dir() else [path]
        elif glob.has_magic(os.fspath(one)):
            found += _matching(os.fspath(one))
        else:
            found.append(path)  # whoever reads it says that it is not there
    for path in found:
        _refuse_video(path)
    return found


def find_reference_by_name(name: str, paths: Sequence[str]) -> str | None:
    """The path whose file name, or else whose stem, a user calls the reference; None: there is none.

    Raises:
        InputError: there are several.
    """
    for part in ("name", "stem"):
        found = list(dict.fromkeys(path for path in paths if getattr(Path(path), part) == name))
        if len(found) > 1:
            raise InputError(f"--reference {name}: expected one picture, fits {found[0]} and {found[1]}")
        if found:
            return found[0]
    return None


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorts paths as people do: numbers in them by their value."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return (*((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part), (2, 0, str(path)))


def _holds(question: Callable[[], bool]) -> bool:
    """The answer; False where the file system refuses one: a name too long, a loop of links, no permission."""
    try:
        return question()
    except OSError:
        return False


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order, without those of the folders in it; InputError: it cannot be read."""
    try:
        return _shots(sorted(_only_pictures(folder.iterdir()), key=natural_key))
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}; expected one with pictures") from error


def _some_pictures_of(folder: Path) -> list[Path]:
    pictures = pictures_in(folder)
    if not pictures:
        raise InputError(f"{folder}: no picture in this folder; expected {READ_FORMATS} files")
    return pictures


def _matching(pattern: str) -> list[Path]:
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    pictures = _shots(_once(sorted(_only_pictures(map(Path, found)), key=natural_key)))
    if not pictures:
        raise InputError(f"{pattern}: fits no picture file; expected one that fits {READ_FORMATS} files")
    return pictures


def _once(paths: Sequence[Path]) -> list[Path]:
    """Each file by its shortest path: a link to a folder leads `**` to the same files again and again."""
    shortest = sorted(paths, key=lambda path: len(path.parts))
    kept = set({path.resolve(): path for path in reversed(shortest)}.values())
    return [path for path in paths if path in kept]


def _shots(paths: Sequence[Path]) -> list[Path]:
    """Without RAW files that stand beside a picture of the same shot."""
    developed = {path.with_suffix("") for path in paths if path.suffix.lower() not in RAW_SUFFIXES}
    return [path for path in paths if path.suffix.lower() not in RAW_SUFFIXES or path.with_suffix("") not in developed]


def _only_pictures(paths: Iterator[Path]) -> Iterator[Path]:
    """The files that are pictures by their names or by what they hold, without hidden ones."""
    for path in paths:
        if path.name.startswith(".") or not _holds(path.is_file):
            continue
        if path.suffix.lower() in PICTURE_SUFFIXES or _is_picture(_head(path)):
            yield path


def _head(path: Path) -> bytes:
    """The first bytes of a file, for `detect_format`; none where it is no file or cannot be read."""
    try:
        if not path.is_file():  # a pipe may never end
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _is_picture(head: bytes) -> bool:
    try:
        detect_format(head, "")
    except InputError:
        return False
    return True


def _refuse_video(path: Path) -> None:
    """Raise InputError where a file is a video."""
    head = _head(path)
    film = head.startswith(_VIDEO_STARTS) or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
    film |= head[4:8] == b"ftyp"
    named = bool(head) and path.suffix.lower() in VIDEO_SUFFIXES
    if (film or named) and not _is_picture(head):
        raise InputError(
            f"{path} is a video; expected pictures, take frames of it: "
            f"ffmpeg -i {shlex.quote(str(path))} -vf fps=2 frames/%04d.png"
        )
