"""Scores that papers print, to be shown below those that were measured here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Row = tuple[str, ...]


@dataclass(frozen=True)
class PublishedScores:
    """A table of a paper, reduced to the scores that its delta_m averages over.

    Attributes:
        source: the paper and the table.
        setting: network and whatever else tells what was measured.
        headings: of the scores.
        rows: method, delta_m, scores; as printed.
        remark: what a reader must know about the numbers; may be empty.
        names_here: by method as the paper calls it, what `--methods` calls it.
    """

    source: str
    setting: str
    headings: Row
    rows: tuple[Row, ...]
    remark: str = ""
    names_here: Mapping[str, str] = field(default_factory=dict)


_NAMES = {
    "GD": "equal", "MGDA": "mgda", "GradDrop": "graddrop", "PCGrad": "pcgrad", "CAGrad": "cagrad",
    "Aligned-MTL": "aligned-mtl", "connection strength": "task-priority",
}  # fmt: skip
_PAPER = "Jeong & Yoon, Quantifying Task Priority for Multi-Task Optimization, CVPR 2024, table"

NYUD_SCORES = PublishedScores(
    f"{_PAPER} 1", "MTI-Net with HRNet-18, manual loss weights, 3 seeds",
    ("segmentation: mIoU %", "depth: rms error", "normals: mean angle"),
    (
        ("single tasks", "0", "33.18", ".667", "20.75"),
        ("GD", "+9.53", "38.67", ".594", "20.52"),
        ("MGDA", "+9.21", "38.89", ".603", "20.58"),
        ("PCGrad", "+9.40", "38.61", ".596", "20.50"),
        ("CAGrad", "+9.84", "38.80", ".595", "20.38"),
        ("Aligned-MTL", "+10.17", "39.02", ".592", "20.40"),
        ("connection strength", "+15.00", "41.10", ".565", "19.54"),
    ),
    names_here=_NAMES,
)  # fmt: skip

PASCAL_SCORES = PublishedScores(
    f"{_PAPER} 2", "MTI-Net with HRNet-18, manual loss weights, 3 seeds",
    ("segmentation: mIoU %", "parts: mIoU %", "saliency: mIoU %", "normals: mean angle"),
    (
        ("single tasks", "0", "60.30", "60.56", "67.05", "14.76"),
        ("GD", "+1.47", "62.17", "61.15", "67.99", "14.70"),
        ("MGDA", "+1.15", "61.75", "61.69", "67.32", "14.77"),
        ("PCGrad", "+1.86", "62.47", "61.46", "67.86", "14.59"),
        ("CAGrad", "+1.14", "62.22", "61.89", "67.46", "14.97"),
        ("Aligned-MTL", "+1.83", "62.43", "62.05", "67.94", "14.76"),
        ("connection strength", "+3.70", "63.86", "63.05", "68.30", "14.33"),
    ),
    names_here=_NAMES,
)  # fmt: skip

CITYSCAPES_SCORES = PublishedScores(
    f"{_PAPER} 3", "SegNet, 3 seeds",
    ("segmentation: mIoU %", "segmentation: pixel accuracy %", "depth: absolute error", "depth: relative error"),
    (
        ("single tasks", "0", "74.36", "93.22", ".0128", "29.98"),
        ("Cross-Stitch", "-79.04", "74.05", "93.17", ".0162", "116.66"),
        ("RotoGrad", "-47.81", "73.38", "92.97", ".0147", "82.31"),
        ("GD", "-79.32", "74.13", "93.13", ".0166", "116.00"),
        ("GD with Recon", "-12.63", "71.17", "93.21", ".0136", "43.18"),
        ("MGDA", "-16.22", "70.74", "92.19", ".0130", "47.09"),
        ("MGDA with Recon", "-4.46", "71.01", "92.17", ".0129", "33.41"),
        ("GradDrop", "-80.48", "74.08", "93.08", ".0173", "115.79"),
        ("GradDrop with Recon", "-10.69", "74.17", "93.11", ".0134", "41.37"),
        ("PCGrad", "-78.39", "73.98", "93.08", ".02", "114.50"),
        ("PCGrad with Recon", "-14.92", "74.18", "93.14", ".0136", "46.02"),
        ("CAGrad", "-53.81", "73.81", "93.02", ".0153", "88.29"),
        ("CAGrad with Recon", "-7.38", "74.22", "93.10", ".0130", "38.27"),
        ("connection strength", "-10.08", "74.75", "93.39", ".0125", "41.60"),
    ),
    "The scores printed for connection strength give -8.93 instead of the printed -10.08, those of GD with Recon "
    "-13.65, those of PCGrad, whose absolute error is rounded, -84.7.",
    _NAMES,
)  # fmt: skip

SURREAL_SCORES = PublishedScores(
    "Vasu, Saxena & Tuzel, Instance-Level Task Parameters, 2021, abstract", "body shape and pose, depth, parts",
    ("surface error",),
    (
        ("instances, against dynamic weighting", "-", "-8.97 %"),
        ("instances, noisy labels", "-", "up to -60 %"),
    ),
    "The surface error needs a model of the body, which is not here: parts and depth are compared instead.",
    {"instances, against dynamic weighting": "instances", "instances, noisy labels": "instances"},
)  # fmt: skip
