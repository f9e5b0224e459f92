"""Throws hostile inputs at every command of parastitch, and prints what was tried and what came of it.

    python benchmarks/attack.py [--count 1000] [--jobs 2] [--seed 0] [--only pictures/jpeg] [-o results.json]

Families of cases (`benchmarks/attacks/`, a file each): damaged pictures and masks; bombs, small files that ask for much
memory; warps; networks; data sets; outputs onto inputs and where nothing can be written; signals; limits of memory. A
case is made from generated pictures and from random numbers of its name, FAMILY/KIND/NUMBER: --only with a name makes
it again, with a part of a name it tries so many cases that begin so. A case runs `parastitch` in a process of its own;
to be cheap, most are forks of a process that has imported the program already.

What must be true of every case: exit code 0, 1, 2 or 128 + the signal that was sent; one line that says what went
wrong, and no words of a library; no more than 60 s and 2.5 GiB; all files that were there unchanged; no temporary file
and no process left; after exit code 0 the outputs can be read. What breaks this is printed, and the exit code is 1.

As many damaged pictures are read, too, and compared with the true pixels: the second table says which damage passes.

The program is the one that Python finds: PYTHONPATH=ANOTHER_CHECKOUT measures that one. Needs '.[dev,train]'. Linux.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
from attacks import bombs, data_sets, limits, outputs, pictures, signals, warps, weights
from attacks.case import Case, Family, Stock, choose
from attacks.damage import DAMAGES
from attacks.encodings import ENCODINGS
from attacks.runner import run
from attacks.table import Reading, Result, family_table, reading_table
from attacks.verdicts import judge, snapshot
from dead_leaves import make_pair
from environment import describe_environment

import apps
from apps.tables import markdown

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY for module in (pictures, bombs, warps, outputs, limits, weights, data_sets, signals)
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "MKL_NUM_THREADS")
MEGAPIXELS = 0.03  # of the generated pair
OWN_PROCESS = 25  # of so many cases one is a process of its own in any case


def main() -> int:
    """Run the cases and print the tables; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="cases, and damaged pictures that are read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a name, or its beginning: FAMILY/KIND/NUMBER")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("-o", "--output", type=Path, help="JSON file with every case and every reading")
    chosen = parser.parse_args()
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")  # for all processes: one with threads cannot be forked safely
    root = Path(apps.__file__).parents[1]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), str(Path(__file__).parent)])
    print(f"{describe_environment('onnxruntime', 'pillow', 'torch')}\nof {root}\n", flush=True)
    cases = choose(FAMILIES, chosen.count, chosen.seed, chosen.only)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        stock = make_stock(Path(name), root, cases)
        results = list(attack(cases, stock, chosen.seed, chosen.jobs))
        readings = read_all(chosen.count, chosen.seed, chosen.jobs) if not chosen.only else []
    print(markdown(family_table(results)) if results else f"no case begins with {chosen.only}")
    if readings:
        print("\n" + markdown(reading_table(readings)))
    cpu = sum(result.cpu_seconds for result in results)
    print(f"\n{time.perf_counter() - started:.0f} s with {chosen.jobs} processes, {cpu:.0f} s of CPU time in the cases")
    if chosen.output:
        content = {"cases": [asdict(r) for r in results], "readings": [asdict(r) for r in readings]}
        chosen.output.write_text(json.dumps(content, indent=1))
    return int(any(result.wrong for result in results))


def make_stock(folder: Path, root: Path, cases: Sequence[Case]) -> Stock:
    """Generate what the cases are made of; data sets only where they are asked for."""
    stock = Stock(folder, root / "stitching" / "weights")
    for path, pixels in zip((stock.first, stock.second), make_pair(MEGAPIXELS), strict=True):
        cv2.imwrite(str(path), pixels)
    commands = [[*pictures.stitch_arguments("--save-warp", str(stock.warp))]]
    if any(case.family in ("data_sets", "signals") for case in cases):
        options = ["--count", "3", "--size", "64", "64", "--jobs", "1", "--scenes", "clutter", "--quiet"]
        commands += [["generate", str(stock.data), *options]]
        commands += [["generate", str(stock.shards), *options, "--shards", "--shard-size", "2"]]
    for command in commands:
        subprocess.run([sys.executable, "-m", "apps.cli", *command], cwd=folder, check=True)
    return stock


def attack(cases: Sequence[Case], stock: Stock, seed: int, jobs: int) -> Iterator[Result]:
    """What came of every case, in their order; what breaks a promise is printed as it is found."""
    torch_families = [family.name for family in FAMILIES if family.torch]
    ordered = sorted(cases, key=lambda case: case.family in torch_families)  # light ones before torch is imported
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=import_program) as pool:
        futures = {pool.submit(run_case, case, stock, seed): case for case in ordered}
        results = {}
        for number, future in enumerate(as_completed(futures), start=1):
            if number % 100 == 0:
                print(f"{number} of {len(cases)}", file=sys.stderr)
            result = results[futures[future].name] = future.result()
            for wrong in result.wrong:
                print(f"FAILED {result.name}: {wrong}\n    parastitch {result.arguments}", flush=True)
    yield from (results[case.name] for case in cases)


def import_program() -> None:
    """Import what `parastitch stitch` needs, so that the forks need not."""
    cv2.setNumThreads(1)
    import onnxruntime  # noqa: F401
    import tyro  # noqa: F401

    import apps.cli
    import apps.stitch  # noqa: F401
    import stitching.reporting.report  # noqa: F401


def run_case(case: Case, stock: Stock, seed: int) -> Result:
    """Make a case's files, run its command, judge it, remove the files."""
    family = next(family for family in FAMILIES if family.name == case.family)
    if family.torch:
        import torch  # noqa: F401
    folder = Path(tempfile.mkdtemp(prefix="case-", dir=stock.folder))
    try:
        work = folder / "work"
        work.mkdir()
        rng = case.random(seed)
        command = family.makers[case.kind](work, stock, rng)
        if rng.randrange(OWN_PROCESS) == 0:
            command = replace(command, own_process=True)
        before = snapshot(work)
        found = run(command, folder)
        wrong = judge(command, found, before, folder)
    finally:
        remove(folder)
    line = next(iter(found.stderr.splitlines()), "")
    arguments = " ".join(command.arguments)
    return Result(case.name, found.code, found.seconds, found.cpu_seconds, found.peak, arguments, line, wrong)


def remove(folder: Path) -> None:
    """Remove a folder, with what is write-protected in it."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def read_all(count: int, seed: int, jobs: int) -> list[Reading]:
    """Read `count` damaged pictures, of every encoding and every damage in turn."""
    kinds = [(encoding, damage) for damage in DAMAGES for encoding in ENCODINGS]
    wanted = [(*kinds[i % len(kinds)], i // len(kinds), seed) for i in range(count)]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=silence) as pool:
        return list(pool.map(read_one, wanted, chunksize=8))


def silence() -> None:
    """No words of the decoders' libraries on the terminal; what they print while reading is not judged here."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def read_one(wanted: tuple[str, str, int, int]) -> Reading:
    """Damage and read one picture."""
    encoding, damage, number, seed = wanted
    rng = random.Random(f"{seed} {encoding} {damage} {number}")
    with tempfile.TemporaryDirectory() as folder:
        return Reading(encoding, damage, *pictures.read_damaged(encoding, damage, rng, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
