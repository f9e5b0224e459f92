"""The sets of pictures that `parastitch batch` stitches: of a folder, or of a CSV file."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.batching.set_record import RECORDS
from apps.pair_folders import find_counterparts, picture_at
from stitching.errors import InputError, printable, require
from stitching.input_files import expand_inputs, natural_key
from stitching.io.files import check_readable

LAYOUTS = "expected a folder of folders with pictures, or with input1/ and input2/, or a CSV file"
_CSV_FORM = "expected lines of name,picture,picture,... below a header that begins with name"


@dataclass(frozen=True)
class PictureSet:
    """Pictures that are stitched together. Of two, the first is the reference.

    Attributes:
        name: of the set, and of its files without extension.
        inputs: absolute paths of pictures; or a folder whose pictures cannot be listed.
    """

    name: str
    inputs: tuple[Path, ...]

    def __str__(self) -> str:
        return self.name


def find_sets(given: Path, output: Path) -> list[PictureSet]:
    """The sets of a folder, in natural order, or of a CSV file, in its order.

    A folder holds folders, a set each, whose pictures are taken in natural order; of a picture in two formats the
    lossless one. Or it holds `input1/NAME.*` and `input2/NAME.*`, the pairs of UDIS-D. Folders that hold the results of
    a batch are no sets.

    Args:
        given: the folder or the file.
        output: where the results go.

    Raises:
        InputError: there is no set, a file is no CSV of sets, or `output` holds something else.
    """
    if given.suffix.lower() == ".csv" and not given.is_dir():
        sets = list(_sets_of_csv(given))
    elif not given.is_dir():
        raise InputError(f"{given}: not a folder; {LAYOUTS}")
    elif pairs := find_counterparts(given):
        sets = list(_paired(pairs))
    else:
        sets = [_set_of_folder(folder) for folder in _folders(given, output)]
    if not sets:
        raise InputError(f"{given}: no set of pictures in it; {LAYOUTS} (parastitch stitch joins those of one folder)")
    return sets


def _folders(given: Path, output: Path) -> list[Path]:
    """Those in a folder that may hold pictures: not hidden ones, nor results."""
    try:
        folders = [path for path in given.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot read the folder {given}: {error.strerror}; {LAYOUTS}") from error
    results = os.path.realpath(output)
    return sorted(
        (path for path in folders if os.path.realpath(path) != results and not (path / RECORDS).exists()),
        key=lambda path: natural_key(Path(path.name)),
    )


def _set_of_folder(folder: Path) -> PictureSet:
    try:
        pictures = expand_inputs([folder])
    except InputError:  # told of this set alone, when its turn comes
        return PictureSet(folder.name, (folder.absolute(),))
    stems = Counter(path.with_suffix("") for path in pictures)
    twice = {stem: picture_at(stem) for stem, count in stems.items() if count > 1}
    kept = (path for path in pictures if twice.get(path.with_suffix("")) in (path, None))
    return PictureSet(folder.name, tuple(path.absolute() for path in kept))


def _paired(pairs: Iterable[tuple[str, Path | None, Path | None]]) -> Iterator[PictureSet]:
    for name, reference, target in pairs:
        if reference and target:
            yield PictureSet(name, (reference.absolute(), target.absolute()))
        else:
            print(printable(f"{name}: skipped, {reference or target} has no counterpart"), file=sys.stderr)


def _sets_of_csv(path: Path) -> Iterator[PictureSet]:
    check_readable(path, _CSV_FORM)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [""])
            require(header[0].strip().lower() == "name", f"{path}, line 1: {header[0]!r:.80}", _CSV_FORM[9:])
            lines: dict[str, int] = {}
            for cells in rows:
                if not any(map(str.strip, cells)):
                    continue
                found = _set_of_row(path, rows.line_num, cells)
                if found.name in lines:
                    raise InputError(
                        f"{path}, line {rows.line_num}: the set {found.name} is in line {lines[found.name]}, too; "
                        "expected each name once"
                    )
                lines[found.name] = rows.line_num
                yield found
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no CSV file in UTF-8 ({error}); {_CSV_FORM}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {_CSV_FORM}") from error


def _set_of_row(path: Path, line: int, cells: list[str]) -> PictureSet:
    name, *pictures = map(str.strip, cells)
    usable = name not in ("", ".", "..") and not name.startswith(".") and not set(name) & set("/\\\0")
    require(usable, f"{path}, line {line}: name {name!r:.80}", "a name that a file can have, without / and \\")
    pictures = [picture for picture in pictures if picture]
    require(len(pictures) > 1, f"{path}, line {line}: {len(pictures)} pictures", "at least two")
    possible = not any("\0" in picture for picture in pictures)
    require(possible, f"{path}, line {line}: a picture's name with a zero byte", "paths of files")
    return PictureSet(name, tuple((path.parent / picture).absolute() for picture in pictures))
