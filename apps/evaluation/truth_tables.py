"""Tables of means over generated pairs, all of them and by how hard they are."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from apps.evaluation.scoring import Row, Value
from apps.tables import MISSING

_DIFFICULTIES = (0.0, 3.0, 8.0, 15.0, np.inf)  # px of the homography's mean error where the reference sees the target

_HEADINGS = {  # column of the printed table: column of the rows, decimals
    "OV": ("ov", 2), "OV med": ("ov_median", 2), "> 3 px": ("over_3", 3), "occl": ("occluded", 2), "NOV": ("nov", 2),
    "consistent": ("consistent", 2), "epi": ("epipolar", 2), "line": ("line", 2), "tears": ("tears", 4),
    "folds": ("folds", 4),
    "PSNR": ("psnr", 2), "SSIM": ("ssim", 3), "overlap": ("psnr_overlap", 2), "P NOV": ("psnr_nov", 2),
    "P occl": ("psnr_occlusions", 2), "holes": ("psnr_holes", 2), "gradient": ("gradient", 2), "s": ("seconds", 2),
}  # fmt: skip


def truth_tables(rows: Sequence[Row]) -> dict[str, list[list[str]]]:
    """Tables by title, headings first, of what `truth_evaluation.evaluate_truth` returned."""
    groups = {"all pairs": list(rows)}
    for low, high in pairwise(_DIFFICULTIES):
        limits = f"{low:.0f} to {high:.0f}" if np.isfinite(high) else f"more than {low:.0f}"
        groups[f"homography off by {limits} px"] = [
            row for row in rows if low <= _number(row["homography error"]) < high
        ]
    return {title: _table(group) for title, group in groups.items() if group}


def _table(rows: Sequence[Row]) -> list[list[str]]:
    columns = {heading: column for heading, column in _HEADINGS.items() if column[0] in rows[0]}
    table = [["warp", "blend", "pairs", *columns]]
    for warp, blend in dict.fromkeys((row["warp"], row.get("blend")) for row in rows):
        group = [row for row in rows if (row["warp"], row.get("blend")) == (warp, blend)]
        cells = []
        for name, decimals in columns.values():
            values = [_number(row[name]) for row in group if row[name] is not None]
            cells.append(f"{np.mean(values):.{decimals}f}" if values else MISSING)
        table.append([_short(warp), _short(blend), str(len(group)), *cells])
    return table


def _number(value: Value) -> float:
    return np.inf if value is None else float(value)


def _short(name: Value) -> str:
    """A method with only the last two parts of its file's path."""
    kind, colon, path = str(name or MISSING).partition(":")
    return kind + colon + "/".join(Path(path).parts[-2:]) if colon else kind
