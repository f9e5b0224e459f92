"""Does what would be published install and run in an environment that holds nothing else?

    python benchmarks/fresh_install.py python3.11 python3.12 python3.13 [--newest]

Builds the source distribution, and the wheel from it. Then, for each interpreter: a virtual environment in a temporary
folder, the wheel and what it asks for (the versions of constraints.txt; --newest: the newest that pyproject.toml
allows), and in it the seconds until the help is printed (best of five), the version, the stitch of two made pictures,
and the size of all that was installed. Needs the package index, setuptools and 1 GB of disk. Linux and macOS.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from time import perf_counter
from zipfile import ZipFile

from dead_leaves import write_pair
from environment import describe_environment

ROOT = Path(__file__).parent.parent
NOT_OURS = "pip", "setuptools"  # that venv brings
MEGAPIXELS = 0.3  # of each made picture
RUNS = 5
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


@dataclass(frozen=True)
class Install:
    """What one interpreter's environment showed: MB of files, s and CPU s of the help, what the stitch took."""

    python: str
    version: str
    megabytes: float
    help_seconds: float
    help_cpu: float
    stitched: str


def main() -> None:
    """Print a row for each interpreter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interpreters", nargs="+", metavar="PYTHON")
    parser.add_argument("--newest", action="store_true")
    options = parser.parse_args()
    print(describe_environment())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_repository(folder / "repository")
        sdist = build("sdist", folder / "repository", folder / "dist")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        wheel = build("wheel", folder / sdist.name.removesuffix(".tar.gz"), folder / "dist")
        direct = build("wheel", folder / "repository", folder / "direct")
        print(f"{sdist.name} {sdist.stat().st_size / 1e6:.1f} MB, {wheel.name} {wheel.stat().st_size / 1e6:.1f} MB")
        same = hashes_in(wheel) == hashes_in(direct)
        print(f"the wheel from the source distribution {'equals' if same else 'DIFFERS FROM'} that from the repository")
        pair = write_pair(folder / "pictures", MEGAPIXELS)
        print("\n| Python | version | installed, MB | help, s | CPU s | stitch |\n|---|---|---|---|---|---|")
        for python in options.interpreters:
            row = install(python, wheel, (pair.reference, pair.target), newest=options.newest)
            times = f"{row.help_seconds:.2f}", f"{row.help_cpu:.2f}"
            cells = row.python, row.version, f"{row.megabytes:.0f}", *times, row.stitched
            print(f"| {' | '.join(cells)} |", flush=True)


def copy_repository(target: Path) -> None:
    """Copy the files that git knows, or would: a build in the repository itself would leave its own folders there."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", folder=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, target / name)


def build(kind: str, source: Path, target: Path) -> Path:
    """Build the "sdist" or "wheel" of a project folder into another folder, with the setuptools that is installed."""
    target.mkdir(exist_ok=True)
    said = run(sys.executable, "-c", BUILD, kind, str(target.resolve()), folder=source)
    return target / said.splitlines()[-1]


def hashes_in(wheel: Path) -> dict[str, str]:
    """Of every file in a wheel."""
    with ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def install(python: str, wheel: Path, pictures: tuple[Path, Path], *, newest: bool) -> Install:
    """Install a wheel into a fresh environment, try it there, and delete the environment."""
    with tempfile.TemporaryDirectory() as name:
        environment = Path(name)
        run(python, "-m", "venv", name)
        pinned = [] if newest else ["--constraint", str(ROOT / "constraints.txt")]
        pip = str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"
        run(*pip, *pinned, str(wheel))
        command = str(environment / "bin" / "parastitch")
        help_seconds = min(timed(command, "--help") for _ in range(RUNS))
        output = environment / "panorama.png"
        started = perf_counter()
        run(command, "stitch", *map(str, pictures), "--output", str(output), "--quiet")
        stitched = f"{output.stat().st_size / 1e6:.1f} MB in {perf_counter() - started:.1f} s"
        version = run(str(environment / "bin" / "python"), "--version").removeprefix("Python ")
        return Install(version, run(command, "-V"), size_of(environment), *help_seconds, stitched)


def timed(*command: str) -> tuple[float, float]:
    """Seconds and CPU seconds that a command takes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    run(*command)
    seconds, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size_of(environment: Path) -> float:
    """MB of the files of an environment, without what venv itself brings."""
    (packages,) = environment.glob("lib/python*/site-packages")
    brought = [path for name in NOT_OURS for path in packages.glob(f"{name}*")]
    files = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    ours = [path for path in files if not any(path.is_relative_to(folder) for folder in brought)]
    return sum(path.stat().st_size for path in ours) / 1e6


def run(*command: str, folder: Path | None = None) -> str:
    """Standard output; ends the benchmark with what was said where a command fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # or that would be tried
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr or done.stdout}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
