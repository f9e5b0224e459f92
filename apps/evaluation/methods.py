"""The methods that `parastitch evaluate` runs on pairs of photographs: our own, and other stitchers (peers)."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from apps.evaluation.digests import (
    PROGRAMS,
    STITCHER,
    Facts,
    library_digest,
    weights_digest,
)
from apps.evaluation.programs import hugin
from apps.evaluation.warp_methods import DIS, WARPS, find_method
from datasets.digests import code_digest, digest, file_digest
from stitching.blending.registry import find_generator
from stitching.errors import InputError, did_you_mean
from stitching.io.files import expand_home
from stitching.warping.estimators.registry import find_estimator

OPENSTITCHING_VARIABLE = "PARASTITCH_OPENSTITCHING_PYTHON"

_NOT_STARTED, _JOB_FAILED = 127, 1  # exit codes: of any program; of our own, for want of memory for example

Command = Callable[[Path, Path, Path], list[str]]


@dataclass(frozen=True)
class StitchMethod:
    """One way to stitch a pair.

    Attributes:
        name: as on the command line.
        command: (reference, target, folder), absolute paths, to the command that leaves `pano.png` in the folder, and
            where it can `warp1 mask1 warp2 mask2.png`, `map.npz` and `shown.npz`.
        missing: why it cannot run here and what to do; empty = it can.
        alpha: the panorama's alpha says where it has content; otherwise black does.
        collect: called with the folder after the timed command, where a program writes other formats.
        facts: gives hashes of the program, its libraries and its weights as they are now.
        passing_failures: exit codes of failures that another run need not have.
    """

    name: str
    command: Command
    missing: str = ""
    alpha: bool = True
    collect: Callable[[Path], None] | None = None
    facts: Callable[[], Facts] = dict
    passing_failures: frozenset[int] = frozenset((_NOT_STARTED,))

    @property
    def folder(self) -> str:
        """The name as that of a folder."""
        return quote(self.name, safe=":+", errors="surrogateescape")


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
    similar = did_you_mean(name, NAMES)
    raise InputError(f"unknown method {name!r}: expected some of {' '.join(NAMES)}; warps also with {DIS}{similar}")


def _warp(name: str) -> StitchMethod:
    find_method(name)  # as above
    options = "--warp", name, "--blend", "seam"
    try:
        find_estimator(name)
    except InputError:  # `parastitch stitch` does not offer it
        return _own(name, *options, program=("apps.evaluation.programs.extra_warp", name))
    return _own(name, *options)


def _own(name: str, *options: str, program: tuple[str, ...] = ("apps.cli", "stitch", "--no-config")) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        outputs = ["-o", str(folder / "pano.png"), "--save-aligned", str(folder)]
        outputs += ["--save-warp", str(folder / "map.npz"), "--quiet"]
        return [sys.executable, "-m", *program, str(reference), str(target), *outputs, *options]

    def facts() -> Facts:
        weights = _weights_of(name)
        libraries = library_digest(networks=name.startswith("ptlflow") or ".safetensors" in name)
        return {"program": code_digest(STITCHER), "libraries": libraries, "weights": weights_digest(weights)}

    return StitchMethod(name, command, facts=facts, passing_failures=frozenset((_JOB_FAILED, _NOT_STARTED)))


def _weights_of(name: str) -> Path | None:
    """The file or the exported folder that a method's name ends in; None where there is none."""
    kind, _, rest = name.removesuffix(DIS).partition(":")
    path = rest.partition(":")[2] if kind == "ptlflow" else rest
    return expand_home(path) if path else None


def _opencv(name: str, mode: str) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        program = [sys.executable, "-m", "apps.evaluation.programs.opencv", mode]
        return [*program, str(reference), str(target), str(folder / "pano.png")]

    def facts() -> Facts:
        return {"program": code_digest([PROGRAMS]), "libraries": library_digest()}

    return StitchMethod(name, command, alpha=False, facts=facts)


def _hugin() -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        return [sys.executable, "-m", "apps.evaluation.programs.hugin", str(reference), str(target), str(folder)]

    def facts() -> Facts:
        tools = [file_digest(Path(path)) for path in map(shutil.which, hugin.TOOLS) if path]
        return {"program": digest(code_digest([PROGRAMS]), *tools)}

    absent = [tool for tool in hugin.TOOLS if shutil.which(tool) is None]
    missing = f"{absent[0]} is not on PATH; install hugin-tools and enblend" if absent else ""
    return StitchMethod("hugin", command, missing, collect=hugin.collect, facts=facts)


def _openstitching(python: str | None) -> StitchMethod:
    # -I: without the current folder and PYTHONPATH, where a package of ours has the same name. -u: the
    # exception, which says why, comes last in the log.
    program = [python or "python", "-I", "-u", "-m", "stitching.cli.stitch"]

    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        # Not cropped: cropping would count as content lost.
        return [*program, str(reference), str(target), "--no-crop", "--output", str(folder / "pano.png")]

    missing, packages = "", _packages_of(python) if python else ""
    if python is None:
        missing = f"give --openstitching-python or set {OPENSTITCHING_VARIABLE}, see docs/evaluate.md"
    elif not packages:
        missing = f"{python} does not run or has no package 'stitching'; see docs/evaluate.md"
    return StitchMethod("openstitching", command, missing, alpha=False, facts=lambda: {"program": digest(packages)})


def _packages_of(python: str) -> str:
    """The versions of all packages of an environment that has the package `stitching`; empty where it has not."""
    code = (
        "import stitching.cli, sys; from importlib.metadata import distributions as found; "
        "print(sys.version, *sorted(f'{package.name} {package.version}' for package in found()))"
    )
    try:
        done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


_BUILDERS: dict[str, Callable[[], StitchMethod]] = {
    "auto": lambda: _own("auto"),
    "opencv-pano": lambda: _opencv("opencv-pano", "panorama"),
    "opencv-scans": lambda: _opencv("opencv-scans", "scans"),
    "hugin": _hugin,
}
NAMES = (*WARPS.values(), "sigmo[:WEIGHTS]", *_BUILDERS, "openstitching")
