"""The methods that `parastitch evaluate` runs on pairs of photographs: our own, and other stitchers (peers)."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from apps.evaluation.programs import hugin
from apps.evaluation.warp_methods import DIS, WARPS, find_method
from stitching.blending.registry import find_generator
from stitching.errors import InputError
from stitching.network.runtime.checked_file import CHECKSUMS
from stitching.warping.estimators.registry import find_estimator

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
        weights: a hash of the weights that the name holds; empty = none.
    """

    name: str
    command: Command
    missing: str = ""
    alpha: bool = True
    collect: Callable[[Path], None] | None = None
    weights: str = ""

    @property
    def folder(self) -> str:
        """The name as that of a folder."""
        return quote(self.name, safe=":+")


def find_methods(names: Iterable[str], openstitching_python: str | None) -> list[StitchMethod]:
    """The methods of these names, each once.

    openstitching_python: the interpreter of the environment that holds the package `stitching`.
    Raises InputError for a name that is none of `NAMES`, and where weights or a package are missing.
    """
    return [_find(name, openstitching_python) for name in dict.fromkeys(names)]


def _find(name: str, openstitching_python: str | None) -> StitchMethod:
    kind, colon, weights = name.removesuffix(DIS).partition(":")
    if name == "openstitching":
        return _openstitching(openstitching_python)
    if name in _BUILDERS:
        return _BUILDERS[name]()
    if kind in WARPS:
        return _warp(name)
    if kind == "sigmo" and not name.endswith(DIS):
        find_generator(f"network{colon}{weights}")  # missing weights are reported before any work is done
        return _own(name, "--warp", "classical", "--blend", f"network{colon}{weights}")
    raise InputError(f"unknown method {name!r}: expected some of {' '.join(NAMES)}; warps also with {DIS}")


def _warp(name: str) -> StitchMethod:
    find_method(name)  # as above
    options = "--warp", name, "--blend", "seam"
    try:
        find_estimator(name)
    except InputError:  # `parastitch stitch` does not offer it
        return _own(name, *options, program=("apps.evaluation.programs.extra_warp", name))
    return _own(name, *options)


def _own(name: str, *options: str, program: tuple[str, ...] = ("apps.cli", "stitch")) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        outputs = ["-o", str(folder / "pano.png"), "--save-aligned", str(folder)]
        outputs += ["--save-warp", str(folder / "map.npz"), "--quiet"]
        return [sys.executable, "-m", *program, str(reference), str(target), *outputs, *options]

    return StitchMethod(name, command, weights=_hash_of_weights(name))


def _hash_of_weights(name: str) -> str:
    """Of the file or the exported folder after the last colon of a name; empty where there is none."""
    _, colon, path = name.removesuffix(DIS).rpartition(":")
    file = Path(path).expanduser()
    file = file / CHECKSUMS if file.is_dir() else file
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if colon and file.is_file() else ""


def _opencv(name: str, mode: str) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        program = [sys.executable, "-m", "apps.evaluation.programs.opencv", mode]
        return [*program, str(reference), str(target), str(folder / "pano.png")]

    return StitchMethod(name, command, alpha=False)


def _hugin() -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        return [sys.executable, "-m", "apps.evaluation.programs.hugin", str(reference), str(target), str(folder)]

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
    "opencv-pano": lambda: _opencv("opencv-pano", "panorama"),
    "opencv-scans": lambda: _opencv("opencv-scans", "scans"),
    "hugin": _hugin,
}
NAMES = (*WARPS.values(), "sigmo[:WEIGHTS]", *_BUILDERS, "openstitching")
