"""What must be shown: parts of both pictures that the user asks for, and where they lie on the working canvas."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.distances import distance_to
from stitching.geometry.pixel_maps import Field, Mask, Size, inside, remap, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.lens.lens import Lens
from stitching.warping.warp import AlignedPair, KeptParts

MARGIN = 0.015  # of the canvas diagonal, around a kept part: shown with it, and there the seam passes over
CELLS = 0.05e6  # most cells of a mask
MIN_SHARE = 0.01  # of a kept part: less that is missing is not told


@dataclass(frozen=True, eq=False)
class KeepMask:
    """A part of a picture that must be shown, in cells: larger pixels.

    Attributes:
        name: of the picture.
        size: (w, h) of the photograph, px, distortion of its lens included.
        cells: (h', w'), where at least one pixel of the cell is asked for and valid.
        not_valid: share of what is asked for, 0..1, that the picture does not have: masked out, transparent, or not
            shown of its lens (see `Lens.shown_mask`).
        lens: that drew the photograph; None = it is not corrected.
    """

    name: str
    size: Size
    cells: Mask
    not_valid: float
    lens: Lens | None

    @classmethod
    def of(cls, picture: Picture, wanted: NDArray[np.uint8]) -> "KeepMask":
        """From a mask (h, w) of the photograph's pixels: asked for where it is not 0."""
        h, w = wanted.shape
        scale = min(1.0, float(np.sqrt(CELLS / (w * h))))
        size = max(1, round(w * scale)), max(1, round(h * scale))
        asked = wanted > 0
        usable = asked if picture.valid is None else asked & (picture.valid > 127)
        cells = cv2.resize(usable.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        not_valid = 1 - float(usable.sum() / asked.sum()) if asked.any() else 0.0
        return cls(picture.name, (w, h), cells, not_valid, picture.lens)

    def on_canvas(self, map_xy: Field) -> Mask:
        """(h, w): where a map (h, w, 2), canvas -> picture px, leads into it."""
        points = self._to_photograph(map_xy)
        found = remap(self.cells.view(np.uint8), self._to_cells(points), cv2.INTER_NEAREST) > 0
        return np.asarray(found & inside(points, self.size))

    def share_missing(self, map_xy: Field, shown: Mask) -> float:
        """The share of it, 0..1, that the canvas pixels `shown` (h, w) do not show; `map_xy` as for `on_canvas`."""
        points = self._to_photograph(map_xy)
        seen = np.rint(self._to_cells(points[shown & inside(points, self.size)])).astype(np.intp)  # (n, 2)
        x, y = np.clip(seen, 0, np.array(self.cells.shape[::-1]) - 1).T
        there = np.zeros(self.cells.shape, np.uint8)
        there[y, x] = 1
        closed = cv2.morphologyEx(there, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))  # cells between canvas pixels
        return float((self.cells & (closed == 0)).sum() / max(self.cells.sum(), 1))

    def _to_photograph(self, points: Field) -> Field:
        return points if self.lens is None else self.lens.to_photograph(points)

    def _to_cells(self, photographed: Field) -> Field:
        (w, h), (height, width) = self.size, self.cells.shape
        return rescale(photographed, np.array([width / w, height / h], np.float32))


@dataclass(frozen=True, eq=False)
class KeepMasks:
    """Those of a pair; None where nothing is asked for. Maps are (h, w, 2), canvas -> px of a picture."""

    reference: KeepMask | None
    target: KeepMask | None

    def place(self, reference_map: Field, target_map: Field, reference_valid: Mask, margin: float) -> KeptParts:
        """Where the kept parts lie, and a margin around them. Where both pictures are asked for, the reference wins.

        Args:
            reference_map, target_map: where the canvas shows the pictures.
            reference_valid: (h, w), where the reference has pixels.
            margin: its width, of the canvas diagonal.
        """
        reference, target = np.zeros_like(reference_valid), np.zeros_like(reference_valid)
        if self.reference:
            reference = self.reference.on_canvas(reference_map) & reference_valid
        if self.target:
            target = self.target.on_canvas(target_map) & ~reference
        to_reference, to_target = distance_to(reference), distance_to(target)
        width, nearer = margin * float(np.hypot(*reference.shape)), to_reference <= to_target
        return KeptParts((to_reference <= width) & nearer & reference_valid, (to_target <= width) & ~nearer)

    def warnings(
        self, reference_map: Field, target_map: Field, pair: AlignedPair, weight: NDArray[np.float32], part: Rectangle
    ) -> list[str]:
        """What is asked for and not shown, a line for each picture.

        Args:
            reference_map, target_map: where the panorama shows the pictures.
            pair: both pictures as they are placed.
            weight: (h, w), share of the reference in the panorama.
            part: of the canvas, that the panorama shows.
        """
        uncut = np.zeros_like(pair.reference_valid)
        uncut[part.slices] = True
        of_reference = pair.reference_valid & (weight >= 0.5)
        lines = _missing(self.reference, reference_map, of_reference, uncut, of_reference) if self.reference else []
        if self.target:
            also_asked = self.reference.on_canvas(reference_map) if self.reference else np.zeros_like(uncut)
            lines += _missing(self.target, target_map, ~of_reference, uncut, ~of_reference | also_asked)
        return lines


def _missing(mask: KeepMask, map_xy: Field, shown: Mask, uncut: Mask, uncontested: Mask) -> list[str]:
    """What is missing of a kept part in one line, or none.

    Args:
        mask: the part.
        map_xy: (h, w, 2) canvas -> px of its picture.
        shown: (h, w), where the canvas shows this picture.
        uncut: (h, w), the part of the canvas that the panorama shows.
        uncontested: (h, w), `shown`, and where the other picture must be shown.
    """
    if not mask.cells.any() and mask.not_valid == 0:
        return [f"the mask of what must be shown of {mask.name} is black everywhere: it asks for nothing"]
    hidden, contested, cut = (mask.share_missing(map_xy, where) for where in (uncontested, shown, shown & uncut))
    reasons = {
        "is masked out, transparent or beyond what is shown of its lens": mask.not_valid,
        "must be shown of the other picture, too, which is the reference": contested - hidden,
        "is cut off by the crop": cut - contested,
        "lies outside the canvas or is hidden by the warp": hidden,
    }
    told = [f"{share:.0%} {reason}" for reason, share in reasons.items() if share >= MIN_SHARE]
    return [f"not all that must be shown of {mask.name} is: {'; '.join(told)}"] if told else []
