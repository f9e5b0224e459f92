"""Do all pictures of a panorama lie where they should? Does a ring close? How does time grow with their number?

    python benchmarks/many_views.py OUT [--sets 6] [--views 5] [--ring-views 12] [--size 480 384] [--seed 0]
        [--textures DIR] [--methods auto homography] [--curve 12 25 50 100]

Generates sets of pictures with truth (`parastitch generate --views`, rows and rings; they stay in OUT: the same command
again only measures), stitches them by `stitching.mosaic.stitcher.stitch_many`, and measures where the pictures lie. A
method is a warp, as `parastitch stitch --warp` has them. Lengths are px of the panorama; medians and 90th percentiles
are those of the pixels of a picture, and of these the median over all sets.

For each number of pictures away from the reference, on both sides:

    places    distance of pixels from where the reference's camera sees their points, after the panorama's frame is
              turned so that the reference itself fits best: what bends and drifts grows with the distance
    fitted    the same, after a rotation and a focal length are fitted to all pictures
    coarse    distance between the places of one point in this picture and in its neighbour towards the reference,
              where both see it, by the joint adjustment alone
    dense     the same after the dense warps
    seam      the same as shown, along the seam between the two, where it is seen
    drift     `places` of the last picture, divided by that of the first
    gone      pictures that the panorama does not show

For rings, `ends` are the two neighbours that are farthest from the reference, where its sides meet. `worst` is the
picture with the largest median. OUT/many_views.csv has a row for each picture.

The curve cuts as many pictures from one texture, in a grid, and gives CPU seconds, and seconds that passed in each
stage.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from dead_leaves import make_pair
from environment import describe_environment
from view_errors import Placement, misregistration, place_errors, placement_of, seam

from apps.tables import MISSING, markdown, write_csv
from datasets.arrays import Doubles, Pixels
from datasets.options import SampleOptions
from datasets.view_sets.generate import SetsJob, generate_sets
from datasets.view_sets.options import ViewOptions
from datasets.view_sets.storage import read_set, read_sets_description
from datasets.view_sets.view_set import ViewSet
from stitching.errors import InputError
from stitching.mosaic.stitcher import stitch_many
from stitching.options import Options

OVERLAP = (0.4, 0.65)  # of neighbours
PARALLAX = {"row": (1.0, 8.0), "ring": (0.5, 3.0)}  # of neighbours; a ring is taken from nearly one place
TILE, TILE_OVERLAP = (240, 180), 0.35  # px, and share of a side: pictures of the curve
LEAST_POINTS = 30  # of a measure
FIGURES = ("places", "fitted", "coarse", "dense", "seam")


@dataclass(frozen=True)
class Outcome:
    """One picture of one panorama; None where it cannot be measured. Lengths are px of the panorama."""

    kind: str  # "row" or "ring"
    method: str
    number: int  # of the set
    view: int
    away: int  # pictures between it and the reference, and one
    gone: bool = False
    ends: bool = False  # instead: where the ends of a ring meet, this picture and the next one
    places: float | None = None
    places_p90: float | None = None
    fitted: float | None = None
    fitted_p90: float | None = None
    coarse: float | None = None
    coarse_p90: float | None = None
    dense: float | None = None
    dense_p90: float | None = None
    seam: float | None = None
    seam_p90: float | None = None


def main() -> None:
    """Generate what is missing, measure, print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--sets", type=int, default=6, help="of each kind; 0: only the curve")
    parser.add_argument("--views", type=int, default=5, help="pictures of a row")
    parser.add_argument("--ring-views", type=int, default=12, help="pictures of a ring; 0: no rings")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 384), metavar=("W", "H"), help="px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--textures", type=Path, help="folder of photographs; default: those of scikit-image")
    parser.add_argument("--methods", nargs="+", default=["auto", "homography"], help="warps")
    parser.add_argument("--curve", type=int, nargs="*", default=[12, 25, 50, 100], help="numbers of pictures")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{describe_environment('torch', 'onnxruntime')}, one thread", flush=True)
    samples = SampleOptions(size=tuple(chosen.size), textures=chosen.textures, overlap=OVERLAP)
    kinds = {"row": ViewOptions(chosen.views), "ring": ViewOptions(chosen.ring_views, ring=True)}
    outcomes: list[Outcome] = []
    for kind, views in kinds.items():
        if not (chosen.sets and views.views):
            continue
        folder = chosen.output / f"{kind}{views.views}"
        generate_sets(
            replace(samples, parallax=PARALLAX[kind]), views, SetsJob(folder, chosen.sets, chosen.seed, jobs=1)
        )
        found = measure_sets(kind, folder, chosen.methods)
        outcomes += found
        write_csv(chosen.output / "many_views.csv", [asdict(outcome) for outcome in outcomes])
        print(f"\n{kind} of {views.views}:\n" + markdown(table(found)), flush=True)
    if chosen.curve:
        print("\n" + markdown(curve(chosen.curve)), flush=True)


def measure_sets(kind: str, folder: Path, methods: Sequence[str]) -> list[Outcome]:
    """Outcomes of every method on every set of a folder."""
    description = read_sets_description(folder)
    outcomes: list[Outcome] = []
    for number in range(description.count):
        truth = read_set(folder, number, description)
        for method in methods:
            start = time.perf_counter()
            found = measure(kind, method, truth)
            outcomes += found
            dense = [f"{one.dense:.1f}" if one.dense is not None else MISSING for one in found]
            seconds = time.perf_counter() - start
            print(f"{kind} {number} {method}: {seconds:.0f} s, dense {' '.join(dense)}", flush=True)
    return outcomes


def measure(kind: str, method: str, truth: ViewSet) -> list[Outcome]:
    """Stitch a set and measure each of its pictures."""
    count = len(truth.pictures)
    try:
        panorama = stitch_many(truth.pictures, Options(warp=method), reference=truth.reference)
    except InputError as error:
        print(f"{kind} {truth.index} {method}: {error}")
        return [
            Outcome(kind, method, truth.index, view, abs(view - truth.reference), gone=True) for view in range(count)
        ]
    placement = placement_of(panorama)
    places = place_errors(truth, placement, placement.dense, fit_all=False)
    fitted = place_errors(truth, placement, placement.dense, fit_all=True)
    outcomes = []
    for view in range(count):
        away = steps_away(view, placement.reference, count, kind)
        if view not in places:
            outcomes.append(Outcome(kind, method, truth.index, view, abs(away), gone=True))
            continue
        figures = {"places": places[view], "fitted": fitted[view]}
        if away:
            figures |= joins(truth, placement, view, (view - int(np.sign(away))) % count)
        outcomes.append(Outcome(kind, method, truth.index, view, abs(away), **measured(figures)))
    if kind == "ring":
        last = (placement.reference + (count - 1) // 2) % count
        figures = joins(truth, placement, last, (last + 1) % count)
        outcomes.append(Outcome(kind, method, truth.index, last, count // 2, ends=True, **measured(figures)))
    return outcomes


def measured(figures: Mapping[str, Doubles]) -> dict[str, Any]:
    """Median and 90th percentile of those figures that enough points give."""
    found: dict[str, Any] = {}
    for name, errors in figures.items():
        if len(errors) >= LEAST_POINTS:
            found |= {name: float(np.median(errors)), f"{name}_p90": float(np.percentile(errors, 90))}
    return found


def steps_away(view: int, reference: int, count: int, kind: str) -> int:
    """How many pictures right of the reference a view is; negative: left. On a ring the shorter way around."""
    away = view - reference
    return (away + count // 2) % count - count // 2 if kind == "ring" else away


def joins(truth: ViewSet, placement: Placement, view: int, neighbour: int) -> dict[str, Doubles]:
    """Misregistration of a picture against its neighbour, all that are (n,) px."""
    if view not in placement.dense or neighbour not in placement.dense:
        return {}
    found = {
        name: misregistration(truth, maps, view, neighbour)
        for name, maps in (("coarse", placement.coarse), ("dense", placement.dense))
    }
    between = seam(placement.labels, view, neighbour)
    return found | {"seam": misregistration(truth, placement.shown, view, neighbour, between)}


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """A line for each method and number of pictures away from the reference, and what follows from them."""
    rows = [["method", "away", "pictures", "gone", *(f"{name} (p90)" for name in FIGURES)]]
    for method in dict.fromkeys(one.method for one in outcomes):
        of_method = [one for one in outcomes if one.method == method and not one.ends]
        ends = [one for one in outcomes if one.method == method and one.ends]
        last = max(one.away for one in of_method)
        for away in range(last + 1):
            group = [one for one in of_method if one.away == away]
            rows.append([method, str(away), str(len(group)), str(sum(one.gone for one in group)), *figures(group)])
        first_last = [value for away in (1, last) if (value := middle(of_method, "places", away)) is not None]
        if len(first_last) == 2:
            rows.append([method, "drift", "", "", f"{first_last[1] / max(first_last[0], 1e-9):.2f}", "", "", "", ""])
        if ends:
            rows.append([method, "ends", str(len(ends)), "", *figures(ends)])
        rows.append([method, "worst", "", "", *(shown(worst(of_method + ends, name)) for name in FIGURES)])
    return rows


def figures(outcomes: Sequence[Outcome]) -> list[str]:
    """Median and 90th percentile of each figure."""
    return [f"{shown(middle(outcomes, name))} ({shown(middle(outcomes, f'{name}_p90'))})" for name in FIGURES]


def values(outcomes: Sequence[Outcome], name: str, away: int | None = None) -> list[float]:
    """Those of a figure that were measured; at one distance, or None: at all."""
    chosen = (one for one in outcomes if away is None or one.away == away)
    return [float(value) for one in chosen if (value := getattr(one, name)) is not None]


def middle(outcomes: Sequence[Outcome], name: str, away: int | None = None) -> float | None:
    """Median of a figure; None where it was never measured."""
    found = values(outcomes, name, away)
    return median(found) if found else None


def worst(outcomes: Sequence[Outcome], name: str) -> float | None:
    """Largest of a figure; None where it was never measured."""
    found = values(outcomes, name)
    return max(found) if found else None


def shown(value: float | None) -> str:
    """A length of a table."""
    return MISSING if value is None else f"{value:.2f}"


def curve(counts: Sequence[int]) -> list[list[str]]:
    """Seconds by stage for numbers of pictures that are cut from one texture."""
    rows: list[list[str]] = []
    for count in counts:
        pictures = tiles(count)
        start, computed = time.perf_counter(), time.process_time()
        panorama = stitch_many(pictures, Options())
        total, computed = time.perf_counter() - start, time.process_time() - computed
        if not rows:
            rows.append(["pictures", "used", "CPU s", "a picture", "seconds", *panorama.seconds])
        stages = [f"{seconds:.1f}" for seconds in (total, *panorama.seconds.values())]
        rows.append([str(count), str(len(panorama.placed)), f"{computed:.1f}", f"{computed / count:.2f}", *stages])
        print(" ".join(rows[-1]), flush=True)
    return rows


def tiles(count: int) -> list[Pixels]:
    """Pictures in a nearly square grid, row by row, each overlapping its neighbours by TILE_OVERLAP."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    step = [round(side * (1 - TILE_OVERLAP)) for side in TILE]
    width, height = columns * step[0] + TILE[0], rows * step[1] + TILE[1]
    texture = make_pair(max(width * 3 / 4, height) ** 2 * 4 / 3 / 1e6 * 1.02)[0]
    corners = [(k % columns * step[0], k // columns * step[1]) for k in range(count)]
    return [np.ascontiguousarray(texture[y : y + TILE[1], x : x + TILE[0]]) for x, y in corners]


if __name__ == "__main__":
    main()
