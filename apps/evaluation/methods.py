"""The methods that `parastitch evaluate` runs on pairs of photographs: our own, and other stitchers (peers)."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from apps.evaluation.peers import hugin
from stitching.errors import InputError

OPENSTITCHING_VARIABLE = "PARASTITCH_OPENSTITCHING_PYTHON"

Command = Callable[[Path, Path, Path], list[str]]


@dataclass(frozen=True)
class StitchMethod:
    """One way to stitch a pair.

    Attributes:
        name: as on the command line.
        command: (reference, target, folder), absolute paths, to the command that leaves `pano.png` in the folder, and
            where it can `warp1 mask1 warp2 mask2.png` and `map.npz`.
        missing: why it cannot run here and what to do; empty = it can.
        alpha: the panorama's alpha says where it has content; otherwise black does.
        collect: called with the folder after the timed command, where a program writes other formats.
    """

    name: str
    command: Command
    missing: str = ""
    alpha: bool = True
    collect: Callable[[Path], None] | None = None


def find_methods(names: Iterable[str], openstitching_python: str | None) -> list[StitchMethod]:
    """The methods of these names, each once.

    openstitching_python: the interpreter of the environment that holds the package `stitching`.
    Raises InputError for a name that is none of `NAMES`.
    """
    names = list(dict.fromkeys(names))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise InputError(f"unknown method {unknown[0]!r}: expected some of {' '.join(NAMES)}")
    return [_openstitching(openstitching_python) if name == "openstitching" else _BUILDERS[name]() for name in names]


def _own(name: str, *options: str) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        outputs = ["-o", str(folder / "pano.png"), "--save-aligned", str(folder)]
        outputs += ["--save-warp", str(folder / "map.npz"), "--quiet"]
        program = [sys.executable, "-m", "apps.cli", "stitch"]
        return [*program, str(reference), str(target), *outputs, *options]

    return StitchMethod(name, command)


def _opencv(name: str, mode: str) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        program = [sys.executable, "-m", "apps.evaluation.peers.opencv", mode]
        return [*program, str(reference), str(target), str(folder / "pano.png")]

    return StitchMethod(name, command, alpha=False)


def _hugin() -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        return [sys.executable, "-m", "apps.evaluation.peers.hugin", str(reference), str(target), str(folder)]

    absent = [tool for tool in hugin.TOOLS if shutil.which(tool) is None]
    missing = f"{absent[0]} is not on PATH; install hugin-tools and enblend" if absent else ""
    return StitchMethod("hugin", command, missing, collect=hugin.collect)


def _openstitching(python: str | None) -> StitchMethod:
    # -I: without the current folder and PYTHONPATH, where a package of ours has the same name. -u: the
    # exception, which says why, comes last in the log.
    program = [python or "python", "-I", "-u", "-m", "stitching.cli.stitch"]

    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        # Not cropped: cropping would count as content lost.
        return [*program, str(reference), str(target), "--no-crop", "--output", str(folder / "pano.png")]

    missing = ""
    if python is None:
        missing = f"give --openstitching-python or set {OPENSTITCHING_VARIABLE}, see docs/evaluate.md"
    elif not _runs([python, "-I", "-c", "import stitching.cli"]):
        missing = f"{python} does not run or has no package 'stitching'; see docs/evaluate.md"
    return StitchMethod("openstitching", command, missing, alpha=False)


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


_BUILDERS: dict[str, Callable[[], StitchMethod]] = {
    "auto": lambda: _own("auto"),
    "classical": lambda: _own("classical", "--warp", "classical", "--blend", "seam"),
    "matches": lambda: _own("matches", "--warp", "matches", "--blend", "seam"),
    "sigmo": lambda: _own("sigmo", "--warp", "classical", "--blend", "network"),
    "homography": lambda: _own("homography", "--warp", "homography", "--blend", "seam"),
    "opencv-pano": lambda: _opencv("opencv-pano", "panorama"),
    "opencv-scans": lambda: _opencv("opencv-scans", "scans"),
    "hugin": _hugin,
}
NAMES = (*_BUILDERS, "openstitching")
