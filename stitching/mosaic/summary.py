"""What a stitch of many pictures did, in numbers and in words."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stitching.geometry.pixel_maps import Mask, Points, Size, inside, rescale
from stitching.io.picture_source import LeftOut
from stitching.lens_correction import corrected_in_words
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import PlacedPicture, device_of

MIN_PART = 0.01  # of the outline's largest part: smaller parts are crumbs that the warp tore off
OUTLINE_TOLERANCE = 1.0  # working px, by which an outline may differ from the mask that it goes around

Outline = tuple[tuple[tuple[float, float], ...], ...]  # polygons of (x, y)


@dataclass(frozen=True)
class PictureSummary:
    """A picture in the panorama.

    Attributes:
        number: its place in the caller's list, from 1.
        name: its path, or what the caller calls an array.
        size: (w, h) px, without the distortion of its lens.
        lens: name of the lens that was corrected; None = none was.
        joined_to: number of another picture -> trusted matches that join both; empty where the warps were loaded.
        warp: the estimator that placed it; None for the first one, which is the reference.
        verified: share 0..1 of its textured overlap that is right, as in `Evidence`; None for the first one.
        shown: share 0..1 of the panorama that shows it.
        outline: where it ends, polygons in panorama px; several where the panorama's ends or its warp cut it.
    """

    number: int
    name: str
    size: Size
    lens: str | None
    joined_to: dict[int, int]
    warp: str | None
    verified: float | None
    shown: float
    outline: Outline


@dataclass(frozen=True)
class JoinedPair:
    """Two pictures that show the same: their numbers, trusted matches, and the coarse alignment of both."""

    first: int
    second: int
    matches: int
    alignment: str
    confidence: float


@dataclass(frozen=True)
class MosaicSummary:
    """What was done to a set of pictures. Sizes are (w, h) px.

    Attributes:
        reference: name of the picture whose view is kept.
        pictures: those in the panorama, in the caller's order.
        left_out: the others, and why.
        joined: pairs of pictures that show the same; empty where the warps were loaded.
        motion: "perspective", "affine" or "translation".
        residual: root mean square distance of the matches after the joint adjustment, px of the reference.
        focal: of the camera that turns, px; None where the pictures are joined by motions of one plane.
        projection, origin: of the canvas: `Canvas.projection`, and canvas pixel (0, 0) on that surface, px.
        panorama_origin: (x, y) of the panorama's first pixel on the canvas reduced by `--final-megapix`, px.
        device: where it was computed, "cpu" or "cuda".
        seconds: by stage.
        warnings: one line each: of each picture that was left out, then of doubts.
        notes: one line each, on what would be faster.
    """

    reference: str
    pictures: tuple[PictureSummary, ...]
    left_out: tuple[LeftOut, ...]
    joined: tuple[JoinedPair, ...]
    motion: str
    residual: float
    focal: float | None
    projection: str
    origin: tuple[int, int]
    canvas_size: Size
    panorama_size: Size
    panorama_origin: tuple[int, int]
    device: str
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """The most important of it in one line."""
        count = len(self.pictures)
        given = count + len(self.left_out)
        pictures = f"{count} pictures" if given == count else f"{count} of {given} pictures"
        width, height = self.panorama_size
        words = [f"{width} x {height} ({self.projection}), {pictures} in the view of {Path(self.reference).name}"]
        if self.joined:
            matches = [pair.matches for pair in self.joined]
            low, high = min(matches), max(matches)
            counts = f"{low} to {high}" if low < high else f"{high}"
            pairs = f"{len(matches)} pair{'s' * (len(matches) > 1)} joined by {counts} matches"
            words.append(f"{pairs}, {self.residual:.1f} px left after the adjustment ({self.motion})")
        words[-1] += corrected_in_words(picture.lens for picture in self.pictures)
        words.append(f"{self.device}, seconds: " + ", ".join(f"{k} {v:.2f}" for k, v in self.seconds.items()))
        return "; ".join(words)


def summarize_mosaic(panorama: Panorama) -> MosaicSummary:
    """Put what the stages gave into numbers."""
    sources, arrangement, canvas = panorama.sources, panorama.arrangement, panorama.canvas
    placed = sorted(panorama.placed, key=lambda one: sources[one.picture].position)
    shown = _shown_shares(panorama)
    joined = _joined_pairs(panorama)
    return MosaicSummary(
        reference=sources[arrangement.reference].name,
        pictures=tuple(_summarize(one, panorama, joined, shown.get(one.picture, 0.0)) for one in placed),
        left_out=panorama.left_out,
        joined=joined,
        motion=arrangement.motion,
        residual=round(arrangement.residual, 3),
        focal=None if arrangement.focal is None else round(arrangement.focal, 1),
        projection=canvas.projection,
        origin=canvas.origin,
        canvas_size=canvas.size,
        panorama_size=panorama.crop.size,
        panorama_origin=panorama.crop.origin,
        device=device_of(panorama.placed),
        seconds={stage: round(value, 3) for stage, value in panorama.seconds.items()},
        warnings=panorama.warnings,
        notes=panorama.notes,
    )


def _summarize(
    placed: PlacedPicture, panorama: Panorama, joined: tuple[JoinedPair, ...], shown: float
) -> PictureSummary:
    source = panorama.sources[placed.picture]
    number = source.position + 1
    ends = [(pair.first, pair.second, pair.matches) for pair in joined]
    matches = {second if first == number else first: n for first, second, n in ends if number in (first, second)}
    return PictureSummary(
        number=number,
        name=source.name,
        size=source.size,
        lens=source.lens,
        joined_to=dict(sorted(matches.items())),
        warp=placed.warp.name if placed.warp else None,
        verified=round(placed.evidence.verified, 4) if placed.evidence else None,
        shown=round(shown, 4),
        outline=_outline(placed, panorama),
    )


def _joined_pairs(panorama: Panorama) -> tuple[JoinedPair, ...]:
    """The edges between pictures of the panorama, with the caller's numbers."""
    shown = {placed.picture for placed in panorama.placed}
    pairs = []
    for edge in panorama.graph.edges:
        if {edge.first, edge.second} <= shown:
            first, second = sorted(panorama.sources[end].position + 1 for end in (edge.first, edge.second))
            found = edge.alignment
            pairs.append(JoinedPair(first, second, edge.strength, found.method, round(found.confidence, 3)))
    return tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second)))


def _shown_shares(panorama: Panorama) -> dict[int, float]:
    """Number of a picture -> share of the panorama that shows it."""
    part = panorama.crop.scaled(panorama.scale / panorama.output_scale)
    labels = panorama.labels[part.slices]
    numbers, counts = np.unique(labels[labels >= 0], return_counts=True)
    return dict(zip(numbers.tolist(), (counts / max(int(counts.sum()), 1)).tolist(), strict=True))


def _outline(placed: PlacedPicture, panorama: Panorama) -> Outline:
    """Where a picture ends, panorama px."""
    width, window = panorama.labels.shape[1], placed.window
    mask = inside(placed.shown_map, panorama.sources[placed.picture].size)
    end = width - window.left  # columns from here on are those at the left end of a canvas of a whole turn
    polygons = _polygons(mask[:, :end], window.origin) + _polygons(mask[:, end:], (0, window.top))
    largest = max((abs(cv2.contourArea(polygon.astype(np.float32))) for polygon in polygons), default=0.0)
    kept = [p for p in polygons if abs(cv2.contourArea(p.astype(np.float32))) >= MIN_PART * largest]
    factor = panorama.output_scale / panorama.scale
    places = (rescale(polygon, factor) - panorama.crop.origin for polygon in kept)
    return tuple(tuple((round(x, 1), round(y, 1)) for x, y in polygon.tolist()) for polygon in places)


def _polygons(mask: Mask, origin: tuple[int, int]) -> list[Points]:
    """Outlines (n, 2) of the parts of a mask (h, w) whose first pixel lies at `origin`."""
    if not mask.size:
        return []
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = (cv2.approxPolyDP(contour, OUTLINE_TOLERANCE, True) for contour in contours)
    return [
        polygon[:, 0].astype(np.float64) + origin for polygon in polygons if len(polygon) > 2
    ]  # (n, 1, 2) -> (n, 2)
