"""What a stitch did, in numbers, with warnings in words."""

from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_alignment import Alignment
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Mask
from stitching.geometry.rectangles import Rectangle
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.io.picture import Picture
from stitching.selection import UsedWarp
from stitching.verification.verdict import Verdict
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

LARGE_PARALLAX = 3.0  # px, 90th percentile: more is seen
PARALLAX_WIDTH = 512  # px: parallax is stated for a reference of this width


@dataclass(frozen=True)
class Summary:
    """What was done to a pair. Shares are 0..1, sizes (w, h) px, parallax px at 512 px width.

    Attributes:
        reference, target: the pictures' names.
        reference_size, target_size: without the distortion of their lenses.
        reference_lens, target_lens: names of the lenses that were corrected; None = none was.
        panorama_origin: (x, y) of the panorama's first pixel on the canvas reduced by `--final-megapix`, px.
        projection, origin: of the canvas: `Canvas.projection`, and canvas pixel (0, 0) on that surface, px.
        warp, blend: methods that made the panorama; warp "loaded" where it was read from a file.
        consistent: share of the overlap that is forward-backward consistent; None where that was not checked. Where
            `auto` fell back to the homography, that of the dense warp.
        alignment: "homography", "affine", "similarity", "translation", or "loaded".
        matches: trusted feature matches.
        planes: how many planes explain the matches.
        confidence: of the coarse alignment, 0..1; where the warp was loaded, the share of the textured overlap in which
            both pictures look alike (`Evidence.agreement`), 0 = too little texture to tell.
        overlap: share of the target that the reference sees too.
        parallax_median, parallax_p90: length of the residual in the overlap; of the matches, where the homography was
            taken; None where the warp was loaded, or nothing is known.
        holes: share of the canvas enclosed by both pictures that neither shows.
        tears, folds: shares of the overlap in which the warp enlarges areas more than 4 times, or turns over; None
            where the warp was loaded, whose residual is not known.
        verdict: "right" or "doubtful".
        evidence: what the verdict rests on, as in `Evidence`.
        device: where it was computed, "cpu" or "cuda".
        seconds: by stage.
        warnings: one line each; among them the reasons for doubt.
        notes: one line each, on what would be faster.
    """

    reference: str
    target: str
    reference_size: tuple[int, int]
    target_size: tuple[int, int]
    reference_lens: str | None
    target_lens: str | None
    panorama_size: tuple[int, int]
    panorama_origin: tuple[int, int]
    projection: str
    origin: tuple[int, int]
    canvas_size: tuple[int, int]
    warp: str
    blend: str
    consistent: float | None
    alignment: str
    matches: int
    planes: int
    confidence: float
    overlap: float
    parallax_median: float | None
    parallax_p90: float | None
    holes: float
    tears: float | None
    folds: float | None
    verdict: str
    evidence: dict[str, float | None]
    device: str
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Methods:
    """What made a panorama.

    Attributes:
        warp: see `UsedWarp`.
        blend: name of the generator.
        device: where either was computed, "cuda" if one of them was computed there.
    """

    warp: UsedWarp
    blend: str
    device: str


def summarize(
    pictures: tuple[Picture, Picture],
    canvas: Canvas,
    alignment: Alignment | None,
    verdict: Verdict,
    methods: Methods,
    placement: Placement,
    aligned: AlignedPair,
    holes: Mask,
    crop: Rectangle,
    seconds: dict[str, float],
) -> Summary:
    """Put what the stages gave into numbers.

    Args:
        pictures: reference and target, as read.
        canvas: the full canvas.
        alignment: the coarse alignment, full-size px; None where the warp was loaded.
        verdict: on the warp.
        methods: what made the panorama.
        placement: of the target.
        aligned: both pictures after the warp.
        holes: (h, w), see `hole_mask`.
        crop: the panorama's part of the output canvas, px.
        seconds: by stage.
    """
    reference, target = pictures
    residual, overlap, used = placement.residual_in_canvas_px, aligned.overlap, methods.warp
    # A homography has no residual of its own: its matches tell what it leaves.
    if alignment and used.name == "homography":
        lengths = alignment.residuals
    else:
        lengths = np.linalg.norm(residual[overlap], axis=1)
    median, p90 = _parallax(lengths, reference.size[0])
    torn = tears_and_folds(residual, overlap) if alignment else None  # a loaded warp has no residual
    measured = {name: None if value is None else round(value, 4) for name, value in asdict(verdict.evidence).items()}
    return Summary(
        reference=reference.name,
        target=target.name,
        reference_size=reference.size,
        target_size=target.size,
        reference_lens=reference.lens.name if reference.lens else None,
        target_lens=target.lens.name if target.lens else None,
        panorama_size=crop.size,
        panorama_origin=crop.origin,
        projection=canvas.projection,
        origin=canvas.origin,
        canvas_size=canvas.size,
        warp=used.name,
        blend=methods.blend,
        consistent=None if used.consistent_share is None else round(used.consistent_share, 4),
        alignment=alignment.method if alignment else "loaded",
        matches=len(alignment.matches) if alignment else 0,
        planes=alignment.planes if alignment else 0,
        confidence=round(alignment.confidence if alignment else verdict.evidence.agreement or 0.0, 3),
        overlap=round(verdict.evidence.overlap, 4),
        parallax_median=median,
        parallax_p90=p90,
        holes=round(float(holes.mean()), 5),
        tears=None if torn is None else round(torn[0], 5),
        folds=None if torn is None else round(torn[1], 5),
        verdict=verdict.outcome,
        evidence=measured,
        device=methods.device,
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        warnings=[*verdict.reasons, *_warnings_of_homography(used, p90)],
    )


def _parallax(lengths: NDArray[np.floating], reference_width: int) -> tuple[float | None, float | None]:
    """Median and 90th percentile of lengths (n,) px, those that are finite, for a reference of `PARALLAX_WIDTH`."""
    known = lengths[np.isfinite(lengths)] * PARALLAX_WIDTH / reference_width
    if not known.size:
        return None, None
    median, p90 = np.percentile(known, [50, 90])
    return round(float(median), 2), round(float(p90), 2)


def hole_mask(pair: AlignedPair) -> Mask:
    """(h, w): enclosed by valid pixels, but valid in neither picture."""
    valid = (pair.reference_valid | pair.target_valid).astype(np.uint8)
    filled = cv2.copyMakeBorder(valid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(filled, np.zeros((0, 0), np.uint8), (0, 0), 1)  # what the outside reaches is no hole
    return np.asarray(filled[1:-1, 1:-1] == 0)


def _warnings_of_homography(warp: UsedWarp, parallax: float | None) -> list[str]:
    """That it was taken instead of a dense warp, and what it leaves."""
    if warp.name != "homography":
        return []
    warnings = []
    if warp.consistent_share is not None:  # of the dense warp
        share = f"the dense warp is forward-backward consistent on only {warp.consistent_share:.0%} of the overlap"
        warnings.append(f"{share}, so the homography was taken; check the panorama")
    if parallax is not None and parallax > LARGE_PARALLAX:
        warnings.append(f"the homography leaves a parallax of {parallax:.0f} px: near things may be cut or shown twice")
    return warnings
