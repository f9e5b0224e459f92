"""What a stitch did, in numbers, with warnings in words."""

from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Mask
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.io.picture import Picture
from stitching.selection import Candidate
from stitching.warping.warp import AlignedPair

DOUBTFUL_CONFIDENCE = 0.3  # of the coarse alignment
DOUBTFUL_AGREEMENT = 0.7  # of pictures after a loaded warp: with less it is shifted, or much has moved
SMALL_OVERLAP_SHARE = 0.15  # of the target
PARALLAX_WIDTH = 512  # px: parallax is stated for a reference of this width


@dataclass(frozen=True)
class Summary:
    """What was done to a pair. Shares are 0..1, sizes (w, h) px, parallax px at 512 px width.

    Attributes:
        reference, target: the pictures' names.
        projection, origin: of the canvas: `Canvas.projection`, and canvas pixel (0, 0) on that surface, px.
        warp, blend: methods that made the panorama; warp "loaded" where it was read from a file.
        choice: the visible-seam cost of every method that was tried, and which was chosen.
        alignment: "homography", "affine", "similarity", "translation", or "loaded".
        matches: trusted feature matches.
        planes: how many planes explain the matches.
        confidence: of the coarse alignment, 0..1; where the warp was loaded, the share of the textured overlap in which
            both pictures look alike (see `check_agreement`), 0 = too little texture to tell.
        overlap: share of the target that the reference sees too.
        parallax_median, parallax_p90: length of the residual in the overlap; None where the warp was loaded.
        holes: share of the canvas enclosed by both pictures that neither shows.
        tears, folds: shares of the overlap in which the warp enlarges areas more than 4 times, or turns over.
        device: where it was computed, "cpu" or "cuda".
        seconds: by stage.
        warnings: one line each.
    """

    reference: str
    target: str
    reference_size: tuple[int, int]
    target_size: tuple[int, int]
    panorama_size: tuple[int, int]
    projection: str
    origin: tuple[int, int]
    canvas_size: tuple[int, int]
    warp: str
    blend: str
    choice: str
    alignment: str
    matches: int
    planes: int
    confidence: float
    overlap: float
    parallax_median: float | None
    parallax_p90: float | None
    holes: float
    tears: float
    folds: float
    device: str
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


def summarize(
    pictures: tuple[Picture, Picture],
    canvas: Canvas,
    alignment: Alignment | None,
    confidence: float,
    chosen: Candidate,
    choice: str,
    holes: Mask,
    panorama_size: tuple[int, int],
    seconds: dict[str, float],
) -> Summary:
    """Put what the stages gave into numbers.

    Args:
        pictures: reference and target, as read.
        canvas: the full canvas.
        alignment: the coarse alignment, full-size px; None where the warp was loaded.
        confidence: of the alignment, or measured of the loaded warp.
        chosen: the stitch that was taken.
        choice: why, in one sentence.
        holes: (h, w), see `hole_mask`.
        panorama_size: (w, h) px.
        seconds: by stage.
    """
    reference, target = pictures
    residual, overlap = chosen.placement.residual_in_canvas_px, chosen.aligned.overlap
    lengths = np.linalg.norm(residual[overlap], axis=1) * PARALLAX_WIDTH / reference.size[0]
    known = lengths[np.isfinite(lengths)]
    median, p90 = (round(float(np.percentile(known, q)), 2) if known.size else None for q in (50, 90))
    tears, folds = tears_and_folds(residual, overlap)
    overlap_share = float(overlap.sum() / max(chosen.aligned.target_valid.sum(), 1))
    return Summary(
        reference=reference.name,
        target=target.name,
        reference_size=reference.size,
        target_size=target.size,
        panorama_size=panorama_size,
        projection=canvas.projection,
        origin=canvas.origin,
        canvas_size=canvas.size,
        warp=chosen.warp_name,
        blend=chosen.blend_name,
        choice=choice,
        alignment=alignment.method if alignment else "loaded",
        matches=len(alignment.matches) if alignment else 0,
        planes=alignment.planes if alignment else 0,
        confidence=round(confidence, 3),
        overlap=round(overlap_share, 4),
        parallax_median=median,
        parallax_p90=p90,
        holes=round(float(holes.mean()), 5),
        tears=round(tears, 5),
        folds=round(folds, 5),
        device=chosen.device,
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        warnings=_warnings(alignment, overlap_share, confidence, chosen),
    )


def hole_mask(pair: AlignedPair) -> Mask:
    """(h, w): enclosed by valid pixels, but valid in neither picture."""
    valid = (pair.reference_valid | pair.target_valid).astype(np.uint8)
    filled = cv2.copyMakeBorder(valid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(filled, np.zeros((0, 0), np.uint8), (0, 0), 1)  # what the outside reaches is no hole
    return np.asarray(filled[1:-1, 1:-1] == 0)


def _warnings(alignment: Alignment | None, overlap: float, confidence: float, chosen: Candidate) -> list[str]:
    warnings = []
    if alignment is None:
        warnings += _warnings_of_loaded_warp(confidence)
    elif alignment.method == "translation":
        warnings.append("too few features match: the pictures were aligned by a translation alone; check the panorama")
    elif confidence < DOUBTFUL_CONFIDENCE:
        warnings.append(f"the coarse alignment is uncertain (confidence {confidence:.2f}); check the panorama")
    if chosen.is_doubtful:
        share = f"{chosen.consistent_share:.0%}"
        warnings.append(f"the warp is forward-backward consistent on only {share} of the overlap; check the panorama")
    if overlap < SMALL_OVERLAP_SHARE:
        warnings.append(f"the pictures share only {overlap:.0%} of the target; more overlap gives a better warp")
    return warnings


def _warnings_of_loaded_warp(agreement: float) -> list[str]:
    if agreement == 0:
        return ["the overlap shows too little to tell whether the loaded warp fits; check the panorama"]
    if agreement < DOUBTFUL_AGREEMENT:
        return [
            f"after the loaded warp the pictures are alike on only {agreement:.0%} of the overlap; check the panorama"
        ]
    return []
