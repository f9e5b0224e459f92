"""When does a stitch fail, when is it wrong, and does it say so?

    python benchmarks/robustness.py OUT --count 40 --textures DIR [--methods classical homography] [--size 640 512]

Stitches generated pairs of the same scenes under several conditions by the whole of `stitching.stitch`, and measures
the warp against the exact truth where both pictures see the same (OV). A method is WARP+BLEND, as `parastitch stitch`
has them; without +BLEND the blend is seam, of auto it is auto. The pairs stay in OUT/NAME: the same command again only
measures.

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
    told           of the wrong ones: those with a warning or a confidence below .3
    false alarms   the same of the right ones
    OV mean, med   px, the mean and the median over a pair's pixels; of the stitched pairs the median
    > 3 px         share of OV that is off by more; mean over the stitched pairs, as the following
    stretch        95th percentile of the ratio of singular values over the target; the median of the stitched pairs
    tears, folds   shares of the overlap, as the summary says
    s              seconds of a stitch, median
OUT/robustness.csv has a row for each pair, OUT/pairs.jpg shows the first ones: reference, target, what is measured.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path
from statistics import fmean, median

import cv2
import numpy as np
import torch
from robust_conditions import CONDITIONS, Case, cases
from scene import make_pair
from stitch_process import describe_machine

from apps.evaluation.measures.warp_truth import BAD_ERROR, MAX_ERROR
from datasets.engines import usable_cores
from datasets.options import SampleOptions
from datasets.sample import Doubles, Pixels
from datasets.storage.charts import side_by_side
from stitching.errors import InputError
from stitching.geometry.pixel_maps import Field, remap, rescale
from stitching.io.files import replacing
from stitching.io.picture_writer import write_picture
from stitching.options import Options
from stitching.result import Stitched
from stitching.stitcher import stitch
from stitching.summary import MIN_CONFIDENCE

WRONG = 0.05  # of the picture's width: a larger median error on OV is no stitch of these pictures
STEP = 8  # px of the forward map between which stretch is measured
SHOWN = 3  # pairs of a condition on the sheet


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
    cv2.setNumThreads(chosen.threads)
    torch.set_num_threads(chosen.threads)
    packages = [f"{name} {version(name)}" for name in ("torch", "onnxruntime") if find_spec(name)]
    print(", ".join([describe_machine(usable_cores()), *packages, f"{chosen.threads} threads"]), flush=True)
    methods = {name: options_of(name) for name in chosen.methods}
    for options in methods.values():
        stitch(*make_pair(0.1), options)  # what happens once; says what cannot be used
    sample = SampleOptions(size=tuple(chosen.size), textures=chosen.textures)
    outcomes: list[Outcome] = []
    cells: list[Pixels] = []
    for condition in chosen.conditions:
        cells += [
            cell(f"{condition} {name}", case)
            for name, case in islice(cases(condition, chosen.output, sample, chosen.count, chosen.seed), SHOWN)
        ]
        write_picture(chosen.output / "pairs.jpg", side_by_side(cells, SHOWN))
        pairs = cases(condition, chosen.output, sample, chosen.count, chosen.seed)
        for (name, case), method in product(pairs, methods):
            outcomes.append(outcome(condition, method, name, case, methods[method]))
        write_outcomes(outcomes, chosen.output / "robustness.csv")
        print("\n".join(table([one for one in outcomes if one.condition == condition])[2:]), flush=True)
    print("\n" + "\n".join(table(outcomes)))


def options_of(method: str) -> Options:
    """The options that WARP or WARP+BLEND stands for."""
    warp, _, blend = method.partition("+")
    return Options(warp=warp, blend=blend or ("auto" if warp == "auto" else "seam"))


def outcome(condition: str, method: str, name: str, case: Case, options: Options) -> Outcome:
    """Stitch a pair and measure it."""
    begun = time.perf_counter()
    try:
        stitched = stitch(case.reference, case.target, options)
    except InputError as error:
        return Outcome(condition, method, name, time.perf_counter() - begun, str(error))
    seconds = time.perf_counter() - begun
    summary, errors = stitched.summary, ov_errors(stitched, case)
    middle = float(np.median(errors))
    return Outcome(
        condition, method, name, seconds, wrong=middle > WRONG * case.reference.shape[1],
        warned=bool(summary.warnings) or summary.confidence < MIN_CONFIDENCE, confidence=summary.confidence,
        ov=float(errors.mean()), ov_median=middle, over_3=float((errors > BAD_ERROR).mean()),
        stretch=stretch(stitched.warp.forward), tears=summary.tears, folds=summary.folds,
    )  # fmt: skip


def ov_errors(stitched: Stitched, case: Case) -> Doubles:
    """(n,) px of the reference's plane, at most MAX_ERROR: how far what both see is from its place."""
    warp = stitched.warp
    on_canvas = remap(warp.forward, rescale(case.points, warp.forward_scale))
    places = stitched.canvas.to_reference(on_canvas.astype(np.float64))
    errors = np.linalg.norm(places - case.places, axis=-1)[case.known]
    return np.asarray(np.minimum(np.nan_to_num(errors, nan=MAX_ERROR), MAX_ERROR))


def stretch(forward: Field) -> float:
    """95th percentile of the ratio of the singular values of a map (h, w, 2), 1 = none."""
    nodes = forward[::STEP, ::STEP].astype(np.float64)
    right, down = np.diff(nodes, axis=1)[:-1], np.diff(nodes, axis=0)[:, :-1]
    values = np.linalg.svd(np.stack([right, down], axis=-1), compute_uv=False)
    return float(np.percentile(values[..., 0] / np.maximum(values[..., 1], 1e-6), 95))


def cell(words: str, case: Case) -> Pixels:
    """A pair on the sheet, and of the target what is measured."""
    measured = np.zeros_like(case.target)
    x, y = np.rint(case.points[case.known]).astype(int).T
    measured[y, x] = case.target[y, x]
    row = np.hstack([case.reference, case.target, measured])
    small = cv2.resize(row, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    cv2.putText(small, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def write_outcomes(outcomes: Sequence[Outcome], path: Path) -> None:
    """A row each."""
    rows = [asdict(one) for one in outcomes]
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


COLUMNS = (
    "pairs", "failed", "wrong", "told", "false alarms", "OV mean", "med", "> 3 px", "stretch", "tears", "folds", "s",
)  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines of Markdown: heading, rule, a line for each condition and method."""
    lines = [f"| condition | method | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for condition, method in dict.fromkeys((one.condition, one.method) for one in outcomes):
        mine = [one for one in outcomes if (one.condition, one.method) == (condition, method)]
        lines.append(f"| {condition} | {method} | {' | '.join(figures(mine))} |")
    return lines


def figures(mine: Sequence[Outcome]) -> Iterator[str]:
    """The cells of COLUMNS."""
    done = [one for one in mine if not one.failed]
    wrong, right = ([one for one in done if one.wrong is which] for which in (True, False))
    yield str(len(mine))
    yield f"{1 - len(done) / len(mine):.0%}"
    yield f"{len(wrong) / len(mine):.0%}"
    yield f"{sum(bool(one.warned) for one in wrong)} of {len(wrong)}"
    yield f"{sum(bool(one.warned) for one in right)} of {len(right)}"
    for name, form in (("ov", ".2f"), ("ov_median", ".2f"), ("over_3", ".1%"), ("stretch", ".2f"),
                       ("tears", ".2%"), ("folds", ".2%"), ("seconds", ".2f")):  # fmt: skip
        values = [float(getattr(one, name)) for one in done]
        middle = fmean if form.endswith("%") else median
        yield format(middle(values), form) if values else "-"


if __name__ == "__main__":
    main()
