"""What the networks see of a canvas: a part of it, as small as in their training; and their answers on the canvas."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Box, Mask, Size, resize_field
from stitching.network.interface import LEAST, MULTIPLE
from stitching.network.runtime.onnx_runtime import Fields
from stitching.warping.warp import CanvasPair

AREA = 0.082e6  # px of a window: as in the training
MARGIN = 12  # px of the canvas around the target, in its window
SURE = 0.3  # share of a cell's matches that lie in one place, from which on it is believed


@dataclass(frozen=True, eq=False)
class NetworkWindow:
    """A part of a canvas, as the networks see it."""

    pictures: Fields  # reference, target, reference_seen, target_seen: as `onnx_runtime.INPUTS`
    size: Size  # of the part, px of the canvas
    small: Size  # of the small copy, before it was padded

    @classmethod
    def of(cls, pair: CanvasPair, box: Box) -> "NetworkWindow":
        """The part `box` of a pair."""
        h, w = pair.target_valid[box].shape
        scale = min(1.0, float(np.sqrt(AREA / (w * h))))
        small = max(LEAST, round(w * scale)), max(LEAST, round(h * scale))
        fields: Fields = {}
        for name, picture, mask in (
            ("reference", pair.reference, pair.reference_valid),
            ("target", pair.target, pair.target_valid),
        ):
            valid = _shrunk(mask[box].astype(np.float32), small) > 0.5
            drawn = cv2.resize(picture[box], small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            fields |= {name: planes(drawn * valid[..., None]), f"{name}_valid": planes(valid.astype(np.float32))}
        return cls(fields, (w, h), small)

    def start(self, residual: NDArray[np.float32], trusted: Mask) -> Fields:
        """A warp on the part, (h, w, 2) px, and where it stays: the mean of what is trusted, where there is any."""
        weight = trusted.astype(np.float32)
        share, trusted_mean, mean = (_shrunk(f, self.small) for f in (weight, residual * weight[..., None], residual))
        start = np.where(share[..., None] > 0.1, trusted_mean / np.maximum(share, 0.1)[..., None], mean)
        return {"start": planes(start * self.scale), "trusted": planes(share)}

    def enlarged(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A field (1, c, rows, columns) of the padded window, at its size or in cells, on the part: (h, w, c)."""
        padded = tuple(-(-side // MULTIPLE) * MULTIPLE for side in self.small)
        drawn = field[0].transpose(1, 2, 0)  # (1, c, rows, columns) -> (rows, columns, c)
        if drawn.shape[:2] != padded[::-1]:
            drawn = cv2.resize(np.ascontiguousarray(drawn), padded, interpolation=cv2.INTER_LINEAR)
        drawn = drawn.reshape(*drawn.shape[:2], -1)[: self.small[1], : self.small[0]]  # OpenCV drops c = 1
        large = resize_field(np.ascontiguousarray(drawn), self.size)
        return large.reshape(*large.shape[:2], -1)

    @property
    def cell(self) -> int:
        """Sides of a cell, px of the small copy."""
        return MULTIPLE

    @property
    def scale(self) -> NDArray[np.float32]:
        """(2,) px of the small copy in a px of the canvas, x and y."""
        return np.asarray(np.array(self.small) / np.array(self.size), np.float32)


def planes(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """(1, c, h', w') float32 of (h, w, c) or (h, w); zeros at the right and below, to sides as networks need them."""
    below, right = (max(-side % MULTIPLE, LEAST - side) for side in array.shape[:2])
    stacked = np.atleast_3d(array).transpose(2, 0, 1)[None]  # (h, w[, c]) -> (1, c, h, w)
    return np.pad(stacked.astype(np.float32), ((0, 0), (0, 0), (0, below), (0, right)))


def _shrunk(field: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)
