"""Checks that no output is one of the inputs or another output, by what the files are and not by how they are spelled.

A file is known by its device and inode: links count as the file that they lead to, hard links as one file. One that
does not exist yet is known by its folder and its name; names that differ in case alone count as one, as many file
systems hold them.
"""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import AnyPath, expand_home

NamedPath = tuple[str, AnyPath]  # what the user calls it, such as "--mask-target"; where it is

_Identity = tuple[int | str, ...]  # device, inode; and the names of what does not exist yet below them


def check_outputs(outputs: Sequence[NamedPath], inputs: Iterable[NamedPath]) -> None:
    """Raise InputError where an output is also an input, or two outputs need one path; ask before anything is read.

    Folders may be given, too: one is only ever the same as itself, not as what it holds.
    """
    written: dict[_Identity, NamedPath] = {}
    for output in outputs:
        other = written.setdefault(_identity(output[1]), output)
        if other is not output:
            raise InputError(f"{_words(output)} would overwrite {_words(other)}; choose another name for one of them")
    for identity, output in written.items():
        for end in range(2, len(identity)):  # the folders above it that do not exist yet, from the highest one
            if identity[:end] in written:
                holder = _words(written[identity[:end]])
                raise InputError(f"{_words(output)} needs a folder where {holder} is to be; choose another name")
    for given in inputs:
        if output_there := written.get(_identity(given[1])):
            words = f"{_words(output_there)} would overwrite the input {_words(given)}"
            raise InputError(f"{words}; choose another name for the output")


def check_apart(output: NamedPath, inputs: Iterable[NamedPath]) -> None:
    """Raise InputError where an output folder is one of the inputs, holds one, or lies inside one."""
    for given in inputs:
        if _identity(given[1]) in _ancestry(output[1]) or _identity(output[1]) in _ancestry(given[1]):
            raise InputError(
                f"{_words(output)} is the input {_words(given)}, holds it or lies inside it; choose another folder"
            )


def check_links(output: NamedPath, files: Iterable[str], inputs: Sequence[NamedPath]) -> None:
    """Raise InputError where one of the files to write in an output folder leads into an input folder, through a link.

    A hard link is not told of: writing replaces it and leaves the file that it shares.
    """
    name, folder = output
    for file in files:
        path = Path(folder, file)
        if os.path.realpath(path) != str(Path(os.path.realpath(folder), file)):
            check_apart((name, path), inputs)


def named_weights(option: str, value: str) -> list[NamedPath]:
    """The files of weights in values such as `matches:FOLDER` or `ptlflow:MODEL:FILE`; [] where it names none."""
    named: list[NamedPath] = []
    while ":" in value:  # what follows may be a path
        value = value.partition(":")[2]
        path = expand_home(value)
        files = [*path.glob("*.onnx"), *path.glob("*SUMS")] if path.is_dir() else [path]
        named += [(option, file) for file in files if file.is_file()]
    return named


def _words(path: NamedPath) -> str:
    return f"{path[0]} {os.fspath(path[1])}"


def _identity(path: AnyPath) -> _Identity:
    real = Path(os.path.realpath(path))
    names: list[str] = []
    for place in (real, *real.parents):
        try:
            found = place.stat()
        except OSError:  # not there yet, or not to be seen
            names.append(unicodedata.normalize("NFC", place.name).casefold())
        else:
            return found.st_dev, found.st_ino, *reversed(names)
    return tuple(reversed(names))


def _ancestry(path: AnyPath) -> set[_Identity]:
    """The identities of a path and of all folders that it lies in."""
    real = Path(os.path.realpath(path))
    return {_identity(place) for place in (real, *real.parents)}
