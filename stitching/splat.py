"""Forward warping: pixels are put where the warp says, the most trusted surface on top."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.fields import Field, Mask

SHARPNESS = 8.0  # of the softmax that puts trusted pixels on top: e^-8 is what one of no trust still weighs
LEAST_SUPPORT = 0.3  # summed weight below which a canvas pixel counts as unseen


@dataclass(frozen=True)
class Splatted:
    """A warp seen from the canvas.

    Attributes:
        residual: (h, w, 2) float32, canvas pixel -> the place on the coarsely aligned target that landed
            here, as a displacement in px; meaningless where not `covered`.
        covered: (h, w), something trusted landed here; False in holes and outside the target.
    """

    residual: Field
    covered: Mask


def splat(forward: Field, confidence: NDArray[np.float32], seen: Mask) -> Splatted:
    """Turn a forward warp into a backward one: softmax splatting with bilinear footprints.

    Niklaus & Liu 2020, eq. 4-6, with the confidence as importance: inside the overlap the trusted pixels are
    those that the reference sees, which is to say the nearest surface.

    Args:
        forward: (h, w, 2) px, how each pixel of the coarsely aligned target moves on the canvas.
        confidence: (h, w) 0..1.
        seen: (h, w), where the target has pixels.
    """
    h, w = seen.shape
    rows, columns = np.nonzero(seen)
    moves = forward[rows, columns]  # (n, 2)
    x, y = columns + moves[:, 0], rows + moves[:, 1]
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, lower_share = x - left, y - top
    importance = np.exp(SHARPNESS * (confidence[rows, columns].astype(np.float64) - 1))
    total = np.zeros(h * w)
    sums = np.zeros((2, h * w))
    for dx, share_x in ((0, 1 - right_share), (1, right_share)):
        for dy, share_y in ((0, 1 - lower_share), (1, lower_share)):
            cx, cy = left + dx, top + dy
            on_canvas = (cx >= 0) & (cy >= 0) & (cx < w) & (cy < h)
            cell = (cy * w + cx)[on_canvas]
            weight = (importance * share_x * share_y)[on_canvas]
            total += np.bincount(cell, weight, h * w)
            for axis in (0, 1):
                sums[axis] += np.bincount(cell, -weight * moves[on_canvas, axis], h * w)
    residual = (sums / np.maximum(total, 1e-12)).T.reshape(h, w, 2)  # (2, h*w) -> (h, w, 2)
    return Splatted(residual.astype(np.float32), (total > LEAST_SUPPORT).reshape(h, w))
