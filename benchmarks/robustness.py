"""When does a stitch fail, when is it wrong, and does it warn?

    python benchmarks/robustness.py OUT --count 40 --textures DIR [--methods classical homography] [--size 640 512]

Stitches generated pairs of the same scenes under several conditions by the whole of `stitching.stitch`, and measures
the warp against the exact truth where both pictures see the same (OV). The peer is a single homography. A method is
WARP+BLEND, as `parastitch stitch` has them; without +BLEND the blend is seam, of auto it is auto. The pairs stay in
OUT/NAME: the same command again only measures.

    base           the clean pairs: overlap 30 to 85 %, parallax 1 to 20 px at 512 px width, roll up to 8 degrees
    rotation       the target rolled by 10 to 30 degrees
    scale          the target shows things 1 / 1.5 to 1.5 times as large
    exposure-1, -2 exposures one and two stops apart
    small-overlap  10 to 20 % of the target are seen by the reference
    low-light      both three stops too dark, noise of 6 grey levels
    repeated       all surfaces but leaves and sky repeat a few patterns: bricks, tiles, windows, stripes
    people         two to four people who stand elsewhere when the target is taken

Printed for each condition and method:

    failed         no panorama: InputError
    wrong          of all pairs: a panorama whose median error on OV is above 5 % of the picture's width
    warned         of the wrong ones: those with a warning
    false alarms   the same of the right ones
    OV mean, med   px, the mean and the median over a pair's pixels; of the stitched pairs the median
    > 3 px         share of OV that is off by more; mean over the stitched pairs, as the following
    stretch        95th percentile of the ratio of singular values over the target; the median of the stitched pairs
    tears, folds   shares of the overlap, as the summary says
    s              seconds of a stitch, median
OUT/robustness.csv has a row for each pair, OUT/pairs.jpg shows the first ones: reference, target, what is measured.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median

import cv2
import numpy as np
import torch
from dead_leaves import make_pair
from environment import describe_environment
from robustness_conditions import CONDITIONS, Case, cases

from apps.evaluation.measures.generated_warp import BAD_ERROR, MAX_ERROR
from apps.tables import MISSING, markdown, write_csv
from datasets.arrays import Doubles, Pixels
from datasets.options import SampleOptions
from datasets.overview.charts import side_by_side
from stitching.errors import InputError
from stitching.geometry.pixel_maps import Field, remap, rescale
from stitching.io.picture_writer import write_picture
from stitching.options import Options, check_options
from stitching.result import Stitched
from stitching.stitcher import stitch

MAX_RIGHT_ERROR = 0.05  # of the picture's width: with a larger median error on OV a stitch is wrong
GRID = 8  # px of the forward map between which stretch is measured
SHOWN = 3  # pairs of a condition on the sheet
HEADINGS = (
    "condition", "method", "pairs", "failed", "wrong", "warned", "false alarms", "OV mean", "med", "> 3 px", "stretch",
    "tears", "folds", "s",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a method made of a pair; None where it made nothing. Lengths are px of the reference."""

    condition: str
    method: str
    pair: str
    seconds: float
    failed: str = ""  # why; empty: it did not
    wrong: bool | None = None
    warned: bool | None = None
    confidence: float | None = None
    ov: float | None = None
    ov_median: float | None = None
    over_3: float | None = None
    stretch: float | None = None
    tears: float | None = None
    folds: float | None = None


def main() -> None:
    """Generate what is missing, measure, print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=40, help="pairs of a condition")
    parser.add_argument("--textures", type=Path, help="folder of photographs; default: those of scikit-image")
    parser.add_argument("--methods", nargs="+", default=["classical", "homography"], help="WARP or WARP+BLEND")
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=CONDITIONS)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 512), metavar=("W", "H"), help="px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of OpenCV and torch")
    chosen = parser.parse_args()
    methods = {name: options_of(name) for name in chosen.methods}
    try:
        for options in methods.values():
            check_options(options, estimates_warp=True)
    except InputError as error:
        parser.error(f"--methods: {error}")
    cv2.setNumThreads(chosen.threads)
    torch.set_num_threads(chosen.threads)
    print(f"{describe_environment('torch', 'onnxruntime')}, {chosen.threads} threads", flush=True)
    for options in methods.values():
        stitch(*make_pair(0.1), options)  # loads networks before the clock runs
    samples = SampleOptions(size=tuple(chosen.size), textures=chosen.textures)
    outcomes: list[Outcome] = []
    thumbnails: list[Pixels] = []
    for condition in chosen.conditions:
        pairs = cases(condition, chosen.output, samples, chosen.count, chosen.seed)
        found, shown = measure_condition(condition, pairs, methods)
        outcomes += found
        thumbnails += shown
        write_picture(chosen.output / "pairs.jpg", side_by_side(thumbnails, SHOWN))
        write_csv(chosen.output / "robustness.csv", [asdict(outcome) for outcome in outcomes])
        print(markdown(table(found)), flush=True)
    print("\n" + markdown(table(outcomes)))


def options_of(method: str) -> Options:
    """The options that WARP or WARP+BLEND stands for."""
    warp, _, blend = method.partition("+")
    return Options(warp=warp, blend=blend or ("auto" if warp == "auto" else "seam"))


def measure_condition(
    condition: str, pairs: Iterator[tuple[str, Case]], methods: Mapping[str, Options]
) -> tuple[list[Outcome], list[Pixels]]:
    """Outcomes of every method on every pair, and thumbnails of the first pairs."""
    outcomes: list[Outcome] = []
    thumbnails: list[Pixels] = []
    for name, case in pairs:
        if len(thumbnails) < SHOWN:
            thumbnails.append(thumbnail(f"{condition} {name}", case))
        outcomes += [measure(condition, method, name, case, options) for method, options in methods.items()]
    return outcomes, thumbnails


def measure(condition: str, method: str, name: str, case: Case, options: Options) -> Outcome:
    """Stitch a pair and measure it."""
    start = time.perf_counter()
    try:
        stitched = stitch(case.reference, case.target, options)
    except InputError as error:
        return Outcome(condition, method, name, time.perf_counter() - start, str(error))
    seconds = time.perf_counter() - start
    summary, errors = stitched.summary, ov_errors(stitched, case)
    ov_median = float(np.median(errors))
    return Outcome(
        condition, method, name, seconds, wrong=ov_median > MAX_RIGHT_ERROR * case.reference.shape[1],
        warned=bool(summary.warnings), confidence=summary.confidence,
        ov=float(errors.mean()), ov_median=ov_median, over_3=float((errors > BAD_ERROR).mean()),
        stretch=stretch(stitched.warp.forward), tears=summary.tears, folds=summary.folds,
    )  # fmt: skip


def ov_errors(stitched: Stitched, case: Case) -> Doubles:
    """(n,) px of the reference's plane, at most MAX_ERROR: the warp's errors where both pictures see the same."""
    warp = stitched.warp
    on_canvas = remap(warp.forward, rescale(case.target_xy, warp.forward_scale))
    found = stitched.canvas.to_reference(on_canvas.astype(np.float64))
    errors = np.linalg.norm(found - case.reference_xy, axis=-1)[case.known]
    return np.asarray(np.minimum(np.nan_to_num(errors, nan=MAX_ERROR), MAX_ERROR))


def stretch(forward: Field) -> float:
    """95th percentile of the ratio of the singular values of a map (h, w, 2), 1 = none."""
    nodes = forward[::GRID, ::GRID].astype(np.float64)
    right, down = np.diff(nodes, axis=1)[:-1], np.diff(nodes, axis=0)[:, :-1]
    values = np.linalg.svd(np.stack([right, down], axis=-1), compute_uv=False)
    return float(np.percentile(values[..., 0] / np.maximum(values[..., 1], 1e-6), 95))


def thumbnail(caption: str, case: Case) -> Pixels:
    """Reference, target, and the pixels of the target that are measured."""
    measured = np.zeros_like(case.target)
    x, y = np.rint(case.target_xy[case.known]).astype(int).T
    measured[y, x] = case.target[y, x]
    row = np.hstack([case.reference, case.target, measured])
    small = cv2.resize(row, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    cv2.putText(small, caption, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """HEADINGS, and a line for each condition and method."""
    rows = [list(HEADINGS)]
    for condition, method in dict.fromkeys((one.condition, one.method) for one in outcomes):
        group = [one for one in outcomes if (one.condition, one.method) == (condition, method)]
        rows.append([condition, method, *figures(group)])
    return rows


def figures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The cells of a line but its first two."""
    stitched = [one for one in outcomes if not one.failed]
    wrong, right = ([one for one in stitched if one.wrong is which] for which in (True, False))
    yield str(len(outcomes))
    yield f"{1 - len(stitched) / len(outcomes):.0%}"
    yield f"{len(wrong) / len(outcomes):.0%}"
    for group in (wrong, right):
        yield f"{sum(bool(one.warned) for one in group)} of {len(group)}"
    formats = {"ov": ".2f", "ov_median": ".2f", "over_3": ".1%", "stretch": ".2f", "tears": ".2%", "folds": ".2%"}
    for name, form in (formats | {"seconds": ".2f"}).items():
        values = [float(getattr(one, name)) for one in stitched]
        average = fmean if form.endswith("%") else median
        yield format(average(values), form) if values else MISSING


if __name__ == "__main__":
    main()
