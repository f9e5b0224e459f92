"""Folders of picture pairs, as `parastitch evaluate` and `parastitch train` take them."""

import sys
from dataclasses import dataclass
from pathlib import Path

from datasets.digests import digest, file_digest
from stitching.errors import InputError, printable

# Lossless first: of a picture in two formats, that one is taken.
SUFFIXES = (".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")
TRUTHS = ("gt.npz", "matches.npz")  # the first that a pair has is taken


@dataclass(frozen=True)
class PairFiles:
    """The files of a pair. `truth`: its ground truth, `gt.npz` or `matches.npz`; None without one."""

    name: str
    reference: Path
    target: Path
    truth: Path | None = None

    def digest(self) -> str:
        """A hash of the two pictures' contents. Raises InputError where one cannot be read."""
        return digest(file_digest(self.reference), file_digest(self.target))


def find_pairs(folder: Path, limit: int | None = None) -> list[PairFiles]:
    """The pairs of a folder in the order of their names, at most `limit`.

    Two layouts are known: `NAME/1.*` and `NAME/2.*`, with one of `TRUTHS` where there is ground truth; and that of
    UDIS-D, `input1/NAME.*` and `input2/NAME.*`. A picture without its counterpart is skipped with a line on stderr.
    Raises InputError where there is no pair.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; expected one that holds picture pairs")
    candidates = find_counterparts(folder)
    layout = "input1/NAME.* with its input2/NAME.*" if candidates else "NAME/1.* with its NAME/2.*"
    if not candidates:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        candidates = [(name, picture_at(folder / name / "1"), picture_at(folder / name / "2")) for name in names]
    pairs = []
    for name, reference, target in candidates:
        if reference and target:
            truths = (folder / name / truth for truth in TRUTHS)
            pairs.append(PairFiles(name, reference, target, next(filter(Path.is_file, truths), None)))
        elif reference or target:
            print(printable(f"{name}: skipped, {reference or target} has no counterpart"), file=sys.stderr)
    if not pairs:
        raise InputError(f"{folder}: no picture pair found; expected {layout} ({' '.join(SUFFIXES)})")
    return pairs[:limit]


def find_counterparts(folder: Path) -> list[tuple[str, Path | None, Path | None]]:
    """Name, reference and target of UDIS-D's layout, `input1/NAME.*` and `input2/NAME.*`, in the order of the names.

    The target is None where there is none; [] where the folder has another layout.
    """
    if not ((folder / "input1").is_dir() and (folder / "input2").is_dir()):
        return []
    names = sorted({path.stem for path in (folder / "input1").iterdir() if path.suffix.lower() in SUFFIXES})
    return [(name, picture_at(folder / "input1" / name), picture_at(folder / "input2" / name)) for name in names]


def picture_at(stem: Path) -> Path | None:
    """The picture whose path without suffix is `stem`; None where there is none."""
    paths = [Path(f"{stem}{suffix}") for suffix in (*SUFFIXES, *map(str.upper, SUFFIXES))]
    return next((path for path in paths if path.is_file()), None)
