"""What a stitch did, in numbers, with warnings in words."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse import Alignment
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.io.picture import Picture
from stitching.selection import Candidate, is_doubtful

if TYPE_CHECKING:
    from stitching.stitcher import Masks

UNSURE = 0.3  # of confidence
SMALL_OVERLAP = 0.15  # of the smaller picture
PARALLAX_WIDTH = 512  # px: parallax is stated for a reference of this width


@dataclass(frozen=True)
class Summary:
    """What was done to a pair. Shares are 0..1, sizes (w, h) px, parallax px at 512 px width.

    Attributes:
        warp, blend: what was used; warp "loaded" where it was.
        choice: why, and what else was tried: what of the passage from picture to picture shows with each.
        alignment: "homography", "affine", "similarity", "translation", or "loaded".
        matches: trusted ones.
        planes: how many explain them.
        confidence: of the coarse alignment, 0..1.
        overlap: share of the target that the reference sees too.
        parallax_median, parallax_p90: length of the residual in the overlap; None where the warp was loaded.
        holes: share of the canvas enclosed by both pictures that neither shows.
        tears, folds: shares of the overlap.
        device: where it was computed.
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
    reference: Picture, target: Picture, canvas: Canvas, alignment: Alignment | None, masks: "Masks",
    residual: Field, alpha: NDArray[np.uint8], chosen: Candidate, why: str, device: str,
    seconds: dict[str, float],
) -> Summary:  # fmt: skip
    """Count what the stages gave; `residual` in canvas px."""
    both = masks.reference & masks.target
    lengths = np.linalg.norm(residual[both], axis=1) * PARALLAX_WIDTH / reference.size[0]
    known = lengths[np.isfinite(lengths)]
    median, p90 = (round(float(np.percentile(known, q)), 2) if known.size else None for q in (50, 90))
    tears, folds = tears_and_folds(residual, both)
    overlap = float(both.sum() / max(masks.target.sum(), 1))
    confidence = 1.0 if alignment is None else alignment.confidence
    return Summary(
        reference=reference.name,
        target=target.name,
        reference_size=reference.size,
        target_size=target.size,
        panorama_size=(alpha.shape[1], alpha.shape[0]),
        projection=canvas.projection,
        origin=canvas.origin,
        canvas_size=canvas.size,
        warp=chosen.warp,
        blend=chosen.blend,
        choice=why,
        alignment=alignment.method if alignment else "loaded",
        matches=len(alignment.matches) if alignment else 0,
        planes=alignment.planes if alignment else 0,
        confidence=round(confidence, 3),
        overlap=round(overlap, 4),
        parallax_median=median,
        parallax_p90=p90,
        holes=round(float(masks.holes.mean()), 5),
        tears=round(tears, 5),
        folds=round(folds, 5),
        device=device,
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        warnings=_warnings(alignment, overlap, confidence, chosen),
    )


def _warnings(alignment: Alignment | None, overlap: float, confidence: float, chosen: Candidate) -> list[str]:
    warnings = []
    if alignment is not None and alignment.method == "translation":
        warnings.append("too few features match: the target is only translated, check the result")
    elif confidence < UNSURE:
        warnings.append(f"the alignment is unsure (confidence {confidence:.2f}): look twice")
    if is_doubtful(chosen):
        warnings.append(f"the warp is sure of only {chosen.sure:.0%} of the overlap: look twice")
    if overlap < SMALL_OVERLAP:
        warnings.append(f"the pictures share only {overlap:.0%} of the target; more gives a better warp")
    return warnings
