"""Tables of means over generated pairs, all of them and by how hard they are."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from apps.evaluation.output.result_tables import (
    PAIRS,
    Column,
    ResultTable,
    averages,
    by_class,
    class_name,
    in_class,
    of_key,
)
from apps.evaluation.scoring import Row

_DIFFICULTY = "homography error"
_LIMITS = (0.0, 3.0, 8.0, 15.0, inf)  # px, of classes of the difficulty

_OVER_3 = Column("> 3 px", of_key("over_3"), 3, min)
_SHORT = (
    PAIRS, Column("OV", of_key("ov"), best=min), Column("OV med", of_key("ov_median"), best=min), _OVER_3,
    Column("NOV", of_key("nov"), best=min), Column("PSNR", of_key("psnr"), best=max),
    Column("s", of_key("seconds"), best=min),
)  # fmt: skip
_LONG = (
    *_SHORT[:-2], Column("occl", of_key("occluded"), best=min), Column("consistent", of_key("consistent"), best=min),
    Column("epi", of_key("epipolar"), best=min), Column("line", of_key("line"), best=min),
    Column("tears", of_key("tears"), 4), Column("folds", of_key("folds"), 4), _SHORT[-2],
    Column("SSIM", of_key("ssim"), 3, max), Column("overlap", of_key("psnr_overlap"), best=max),
    Column("P NOV", of_key("psnr_nov"), best=max), Column("P occl", of_key("psnr_occlusions"), best=max),
    Column("holes", of_key("psnr_holes"), best=max), Column("gradient", of_key("gradient")),
    Column("twice", of_key("twice"), 4, min), _SHORT[-1],
)  # fmt: skip


def truth_tables(rows: Sequence[Row], *, long: bool = False) -> dict[str, ResultTable]:
    """Tables by title, of what `truth_evaluation.evaluate_truth` returned.

    One of a few means over all pairs, and one of the shares over 3 px by the error of the homography. Long: all means,
    over all pairs and for each class.
    """
    by = ("warp", "blend") if any("blend" in row for row in rows) else ("warp",)
    if not long:
        over_3 = averages(rows, by, by_class(_OVER_3, _DIFFICULTY, _LIMITS, rows))
        return {
            "Means over all pairs": averages(rows, by, _SHORT),
            "Share over 3 px, by the mean error of the homography in px (and number of pairs)": over_3,
        }
    groups = {"all pairs": rows}
    for low, high in pairwise(_LIMITS):
        groups[f"pairs whose homography is off by {class_name(low, high)} px"] = in_class(rows, _DIFFICULTY, low, high)
    return {f"Means over {title}": averages(group, by, _LONG) for title, group in groups.items() if group}
