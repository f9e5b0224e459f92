"""A part of a canvas as the networks take it, as small as in their training; and their outputs back on the canvas."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask, Points, Size, resize_field
from stitching.network.interface import MULTIPLE, SMALLEST_SIDE, Planes

AREA = 0.082e6  # px of a window, as in the training
MARGIN = 12  # px of the canvas around the target, in its window


@dataclass(frozen=True, eq=False)
class NetworkWindow:
    """A part of a canvas, scaled down and padded."""

    pictures: Planes  # the inputs of `stitching.network.interface.MATCHING`
    size: Size  # of the part, px of the canvas
    small: Size  # of the scaled copy, before it was padded

    @classmethod
    def of(
        cls,
        reference: NDArray[np.uint8],
        target: NDArray[np.uint8],
        reference_valid: Mask,
        target_valid: Mask,
        area: float = AREA,
    ) -> "NetworkWindow":
        """A part of a canvas: pictures (h, w, 3) and masks (h, w) of any size, for a window of at most `area` px."""
        h, w = target_valid.shape
        scale = min(1.0, float(np.sqrt(area / (w * h))))
        small = max(SMALLEST_SIDE, round(w * scale)), max(SMALLEST_SIDE, round(h * scale))
        pictures: Planes = {}
        for name, picture, mask in (("reference", reference, reference_valid), ("target", target, target_valid)):
            valid = _shrink(mask.astype(np.float32), small) > 0.5
            pixels = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            pictures |= {name: planes(pixels * valid[..., None]), f"{name}_valid": planes(valid.astype(np.float32))}
        return cls(pictures, (w, h), small)

    def start_planes(self, residual: NDArray[np.float32], trusted: Mask) -> Planes:
        """The inputs `start` and `trusted` of PWM, from a residual (h, w, 2) px of the part.

        A pixel of the window is the mean of the trusted pixels that it covers, where there are any.
        """
        weight = trusted.astype(np.float32)
        share, trusted_mean, mean = (_shrink(f, self.small) for f in (weight, residual * weight[..., None], residual))
        start = np.where(share[..., None] > 0.1, trusted_mean / np.maximum(share, 0.1)[..., None], mean)
        return {"start": planes(start * self.scale), "trusted": planes(share)}

    def to_canvas(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """An output (1, c, rows, columns) of a graph, of any stride, on the part: (h, w, c). Values are not scaled."""
        padded = tuple(-(-side // MULTIPLE) * MULTIPLE for side in self.small)
        field = plane[0].transpose(1, 2, 0)  # (1, c, rows, columns) -> (rows, columns, c)
        if field.shape[:2] != padded[::-1]:
            field = cv2.resize(np.ascontiguousarray(field), padded, interpolation=cv2.INTER_LINEAR)
        field = field.reshape(*field.shape[:2], -1)[: self.small[1], : self.small[0]]  # OpenCV drops c = 1
        large = resize_field(np.ascontiguousarray(field), self.size)
        return large.reshape(*large.shape[:2], -1)

    def displacement_to_canvas(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Displacements (1, 2, rows, columns), px of the window, on the part: (h, w, 2) px of the canvas."""
        return self.to_canvas(plane) / self.scale

    def points_to_canvas(self, points: Points) -> Points:
        """Points (n, 2), px of the window, on the part, px of the canvas."""
        return (points + 0.5) / self.scale - 0.5

    @property
    def scale(self) -> NDArray[np.float32]:
        """(2,) px of the scaled copy in a px of the canvas, x and y."""
        return np.asarray(np.array(self.small) / np.array(self.size), np.float32)


def planes(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """(1, c, h', w') float32 of (h, w, c) or (h, w); zeros at the right and below, to sides as networks need them."""
    below, right = (max(-side % MULTIPLE, SMALLEST_SIDE - side) for side in array.shape[:2])
    stacked = np.atleast_3d(array).transpose(2, 0, 1)[None]  # (h, w[, c]) -> (1, c, h, w)
    return np.pad(stacked.astype(np.float32), ((0, 0), (0, 0), (0, below), (0, right)))


def _shrink(field: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)
