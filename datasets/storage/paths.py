"""Names of the files of a data set; reading them within bounds, and never outside of its folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stitching.errors import InputError

MAX_COUNT = 1_000_000  # samples; names have six digits
MAX_LINE = 1 << 22  # bytes of a sample's line; those of generated scenes have less than a tenth
MEMBERS = (
    "input1.jpg",
    "input2.jpg",
    "stitched.png",
    "warp.npz",
    "mask.png",
    "mask.reference.png",
    "mask.stitched.png",
)  # of every sample; those that options add:
OPTIONAL_MEMBERS = ("clean1.png", "clean2.png", "clean_stitched.png", "geometry.npz")
FOLDERS = frozenset(member.partition(".")[0] for member in (*MEMBERS, *OPTIONAL_MEMBERS))  # of the folder layout
_MOST_BYTES = 65536, 40  # of a member: and as much for each pixel of a picture; the largest, geometry, takes 32


def sample_name(index: int) -> str:
    """The index with six digits: `000007`."""
    return f"{index:06d}"


def folder_path(name: str, member: str) -> str:
    """`mask.reference.png` of sample 000000 is the file `mask/000000.reference.png`."""
    folder, _, extension = member.partition(".")
    return f"{folder}/{name}.{extension}"


def shard_path(name: str, member: str) -> str:
    """`mask.png` of sample 000000 is the tar member `000000.mask.png`."""
    return f"{name}.{member}"


def shard_name(number: int) -> str:
    """The file name of a shard: `shard-000000.tar`."""
    return f"shard-{number:06d}.tar"


def largest_member(size: tuple[int, int]) -> int:
    """Bytes that no member of a sample exceeds whose pictures are (width, height) px."""
    return _MOST_BYTES[0] + _MOST_BYTES[1] * size[0] * size[1]


def leads_inside(folder: Path, path: Path) -> bool:
    """Whether a path directly in the folder, or in a folder of it, still lies in it with all links followed."""
    if not path.is_symlink() and not path.parent.is_symlink():
        return True
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def find_problem(folder: Path, path: str, most: int | None = None) -> str:
    """Why a file of a data set is not read, as the rest of a sentence: "is missing"; "" where it can be read.

    most: bytes that it can have.
    """
    file = folder / path
    try:
        if not leads_inside(folder, file):
            return "is a link that leads out of the data set"
        found = file.stat()
    except OSError:
        return "is missing"
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if most is not None and found.st_size > most:
        return f"has {found.st_size} bytes, at most {most} are possible"
    return ""


def open_file(folder: Path, path: str, most: int | None = None) -> BinaryIO:
    """Open a file of a data set, of at most so many bytes, for reading. Raises InputError where it cannot be read."""
    problem = find_problem(folder, path, most)
    if not problem:
        try:
            return (folder / path).open("rb")
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
    raise InputError(f"{folder / path} {problem}; expected a file that `parastitch generate` wrote")


def read_file(folder: Path, path: str, most: int) -> bytes:
    """The contents of a file of a data set. Raises as `open_file`."""
    with open_file(folder, path, most) as file:
        return file.read()


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file with their line ends; an empty one, which nobody takes for whole, for one above MAX_LINE."""
    while line := file.readline(MAX_LINE):
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)
        yield b"\n"
