"""How often is the verdict on a stitch wrong?

    python benchmarks/verdict.py PAIRS PAIRS --unrelated 500 [--halves PICTURES] [--csv FILE]

Folders of pairs as `parastitch evaluate` takes them: their pairs are related; references of one scene with targets of
another are not. A scene is what comes before the first "_" in a pair's name, without digits at its end. --halves adds a
folder of pictures: the left half of each against its right half, which share textures, but no place. All evidence goes
into a CSV file, and pairs that are in it are not measured again. The limits were chosen on every second scene,
in the order of their names; the rates of the others tell how good they are.
"""

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from environment import describe_environment

from apps.pair_folders import SUFFIXES, PairFiles, find_pairs
from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment, align_pictures
from stitching.alignment.features import Matches
from stitching.errors import InputError
from stitching.input_pair import read_pair
from stitching.io.picture import Picture
from stitching.io.picture_reader import read_picture
from stitching.options import Options
from stitching.selection import AUTO_WARP
from stitching.verification.evidence import Evidence, gather_evidence
from stitching.verification.verdict import judge_stitch
from stitching.warping.canvas_pictures import draw_aligned_pair, draw_canvas_pair
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import place_target

Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """Two pictures, and whether they show one scene. `target` None: the halves of `reference`."""

    kind: str
    scenes: tuple[str, str]
    reference: Path
    target: Path | None

    @property
    def key(self) -> tuple[str, str]:
        """What the CSV file knows it by."""
        return str(self.reference), str(self.target or "")


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+", help="folders of pairs")
    parser.add_argument("--unrelated", type=int, default=500, help="combinations of different scenes")
    parser.add_argument("--halves", type=Path, help="folder of pictures that are halved")
    parser.add_argument("--csv", type=Path, default=Path("verdict.csv"), help="evidence, kept for the next run")
    options = parser.parse_args()
    print(describe_environment("onnxruntime"))
    related = [pair for folder in options.pairs for pair in find_pairs(folder)]
    cases = [Case("related", (scene_of(p), scene_of(p)), p.reference, p.target) for p in related]
    cases += list(unrelated_cases(related, options.unrelated))
    cases += list(halved_cases(options.halves)) if options.halves else []
    rows = measure_all(cases, options.csv)
    chosen_on = set(sorted({scene for case in cases for scene in case.scenes})[::2])
    print_rates(rows, chosen_on)


def scene_of(pair: PairFiles) -> str:
    """The scene that a pair shows."""
    return pair.name.split("_")[0].rstrip("0123456789")


def unrelated_cases(pairs: list[PairFiles], count: int) -> Iterator[Case]:
    """References of one scene with targets of another; scenes count alike, however many pairs they have."""
    chance = random.Random(0)
    scenes: dict[str, list[PairFiles]] = {}
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        scenes.setdefault(scene_of(pair), []).append(pair)
    possible = len(pairs) ** 2 - sum(len(scene) ** 2 for scene in scenes.values())
    while len(seen) < min(count, possible):
        first, second = chance.sample(sorted(scenes), 2)
        case = Case(
            "unrelated", (first, second), chance.choice(scenes[first]).reference, chance.choice(scenes[second]).target
        )
        if case.key not in seen:
            seen.add(case.key)
            yield case


def halved_cases(folder: Path) -> Iterator[Case]:
    """The pictures of a folder, to be halved."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            yield Case("halves", (path.stem, path.stem), path, None)


def measure_all(cases: list[Case], path: Path) -> list[Row]:
    """The rows of all cases; those that the file lacks are measured and added to it."""
    columns = ["kind", "reference", "target", "scene", "other_scene", "refusal", "method", "matches", "confidence"]
    columns += [field.name for field in fields(Evidence)]
    known = {}
    if path.exists():
        with path.open(newline="") as file:
            known = {(row["reference"], row["target"]): row for row in csv.DictReader(file)}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns)
        if not known:
            writer.writeheader()
        for case in cases:
            if case.key not in known:
                known[case.key] = {name: "" for name in columns} | measure(case)
                writer.writerow(known[case.key])
                file.flush()
    return [known[case.key] for case in cases]


def measure(case: Case) -> Row:
    """The row of one case."""
    row = {"kind": case.kind, "reference": case.key[0], "target": case.key[1]}
    row |= {"scene": case.scenes[0], "other_scene": case.scenes[1]}
    try:
        pictures = read_case(case)
        alignment = align_pictures(*pictures, "cpu")
    except InputError as error:
        return row | {"refusal": str(error)}
    evidence = evidence_of(alignment, *pictures)
    row |= {"method": alignment.method, "matches": str(len(alignment.matches)), "confidence": str(alignment.confidence)}
    return row | {name: "" if value is None else str(value) for name, value in asdict(evidence).items()}


def read_case(case: Case) -> tuple[Picture, Picture]:
    """Reference and target."""
    if case.target:
        return read_pair(case.reference, case.target, None, None)
    pixels = read_picture(case.reference).pixels
    middle = pixels.shape[1] // 2
    return read_pair(pixels[:, :middle], pixels[:, middle:], None, None)


def evidence_of(alignment: Alignment, reference: Picture, target: Picture) -> Evidence:
    """The evidence after the dense warp that `auto` takes, also where a stitch would give it up for the homography."""
    coarse = plan_coarse_warp(alignment, reference.size, target.size)
    scale = coarse.canvas.scale_for(Options().work_megapix)
    pair, coarse_map = draw_canvas_pair(reference, target, alignment, coarse, scale)
    warp = find_estimator(AUTO_WARP, "cpu")(pair)
    placement = place_target(warp, pair, coarse_map, target.size, scale)
    return gather_evidence(
        coarse.canvas.to_reference, placement, draw_aligned_pair(reference, target, coarse.canvas, placement)
    )


def verdict_on(row: Row) -> str:
    """The outcome, from what was measured."""
    if row["refusal"]:
        return "refused"
    none = np.zeros((int(row["matches"]), 2))
    alignment = Alignment(np.eye(3), Matches(none, none), row["method"], 0, float(row["confidence"]))
    try:
        return judge_stitch(alignment, evidence_in(row)).outcome
    except InputError:
        return "refused"


def evidence_in(row: Row) -> Evidence:
    """The evidence of a row that has some."""
    agreement = float(row["agreement"]) if row["agreement"] else None
    shares = {field.name: float(row[field.name]) for field in fields(Evidence) if field.name != "agreement"}
    return Evidence(**shares, agreement=agreement)


def half_of(row: Row, chosen_on: set[str]) -> str:
    """Whether a row's scenes are for choosing limits, for reporting rates, or one for each."""
    halves = {scene in chosen_on for scene in (row["scene"], row["other_scene"])}
    return "one of each" if len(halves) == 2 else "choosing" if halves == {True} else "reporting"


def print_rates(rows: Iterable[Row], chosen_on: set[str]) -> None:
    """How many of each kind and half got which verdict."""
    counts = Counter((row["kind"], half_of(row, chosen_on), verdict_on(row)) for row in rows)
    print(f"{'pairs':10} {'scenes for':12} {'right':>6} {'doubtful':>9} {'refused':>8}")
    for kind, half in sorted({key[:2] for key in counts}):
        right, doubtful, refused = (counts[kind, half, outcome] for outcome in ("right", "doubtful", "refused"))
        print(f"{kind:10} {half:12} {right:6} {doubtful:9} {refused:8}")
    aligned = Counter(row["kind"] for row in rows if not row["refusal"])
    print("aligned, so that the evidence decided: " + ", ".join(f"{kind} {n}" for kind, n in sorted(aligned.items())))


if __name__ == "__main__":
    main()
