"""Tables of results on photographs: panoramas, and warps at true places."""

from collections.abc import Sequence
from math import inf
from statistics import median

from apps.evaluation.measures.photographed_warp import STANDARD_WIDTH
from apps.evaluation.output.result_tables import PAIRS, Best, Column, ResultTable, averages, by_class, of_key
from apps.evaluation.scoring import Row

_PARALLAX = (0.0, 25.0, 60.0, inf)  # px of a width of 512 px, limits of classes
_OVERLAP = (0.0, 0.6, 0.8, inf)

_COUNTS = (
    PAIRS,
    Column("failed", lambda row: not row["ok"] or bool(row["blown_up"]), 0, min, sum),
    Column("good", of_key("good"), 0, max, sum),
)


def _median(heading: str, key: str, decimals: int, best: Best | None = None) -> Column:
    """Over the pairs that a method stitched."""
    return Column(heading, lambda row: row[key] if row["ok"] else None, decimals, best, median)


_PANORAMAS = (
    *_COUNTS, _median("kept ref", "kept_reference", 3, max), _median("kept tgt", "kept_target", 3, max),
    _median("ghost", "ghost", 3, min), _median("rim", "rim", 2, min), _median("stretch", "stretch_target", 2, min),
    _median("s", "seconds", 1, min),
)  # fmt: skip
_PANORAMAS_LONG = (
    *_PANORAMAS[:5], _median("kept new", "kept_new", 3, max), _median("ghost", "ghost", 3, min),
    _median("seam", "seam", 3, min), _median("rim", "rim", 2, min), _median("rim share", "rim_share", 3, min),
    _median("stretch", "stretch_target", 2, min), _median("overlap", "overlap", 2),
    _median("PSNR", "psnr_fitted", 2, max), _median("SSIM", "ssim_fitted", 3, max),
    _median("UDIS PSNR", "udis_psnr", 2, max), _median("UDIS SSIM", "udis_ssim", 3, max),
    _median("s", "seconds", 1, min), _median("cpu s", "cpu_seconds", 1, min), _median("MB", "peak_mb", 0, min),
)  # fmt: skip

_WITHIN_3 = Column("3 px", of_key("within_3"), 3, max)
_WARPS = (
    PAIRS, Column("1 px", of_key("within_1"), 3, max), _WITHIN_3, Column("5 px", of_key("within_5"), 3, max),
    Column("error", of_key("error"), 2, min),
    Column("below half", lambda row: float(row["within_3"] or 0) < 0.5, 0, min, sum),
)  # fmt: skip
_WARPS_LONG = (
    *_WARPS, Column("epe", of_key("epe"), 2, min), Column("epe median", of_key("epe_median"), 2, min),
    Column("epe > 3 px", of_key("epe_over_3"), 3, min), Column("twice", of_key("twice"), 4, min),
)  # fmt: skip


def photograph_tables(rows: Sequence[Row], *, long: bool = False) -> dict[str, ResultTable]:
    """Tables by title, of what `comparison.compare_methods` returned; of warps only where a truth was measured."""
    by = ("method",)
    panoramas = averages(rows, by, _PANORAMAS_LONG if long else _PANORAMAS)
    tables = {"Panoramas, medians over the pairs that each method stitched": panoramas}
    if known := [row for row in rows if row["within_3"] is not None]:
        title = f"Warps, means: share of the true places within 1, 3 and 5 px at a width of {STANDARD_WIDTH} px"
        tables[title] = averages(known, by, _WARPS_LONG if long else _WARPS)
        parallax = by_class(_WITHIN_3, "true_parallax", _PARALLAX, known)
        overlap = by_class(_WITHIN_3, "true_overlap", _OVERLAP, known)
        tables["Share within 3 px, by parallax in px (and number of pairs)"] = averages(known, by, parallax)
        tables["Share within 3 px, by overlap (and number of pairs)"] = averages(known, by, overlap)
    return tables
