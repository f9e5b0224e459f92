"""Forward warping: pixels are put where the warp says, the most trusted surface on top."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask

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


def splat(forward: Field, confidence: NDArray[np.float32], valid: Mask) -> Splatted:
    """Turn a forward warp into a backward one: softmax splatting with bilinear footprints.

    Niklaus & Liu 2020, eq. 4-6, with the confidence as importance: inside the overlap the trusted pixels are
    those that the reference sees, which is to say the nearest surface.

    Args:
        forward: (h, w, 2) px, how each pixel of the coarsely aligned target moves on the canvas.
        confidence: (h, w) 0..1.
        seen: (h, w), where the target has pixels.
    """
    h, w = valid.shape
    wide = w + 3  # a frame, one pixel before and two after, takes in what lands outside
    pixels = np.flatnonzero(valid)
    rows, columns = np.divmod(pixels, w)
    moves = [forward[..., axis].ravel()[pixels].astype(np.float64) for axis in (0, 1)]  # (n,) each
    x, y = np.clip(columns + moves[0], -1, w) + 1, np.clip(rows + moves[1], -1, h) + 1
    left, top = x.astype(np.int64), y.astype(np.int64)
    importance = np.exp(SHARPNESS * (confidence.ravel()[pixels].astype(np.float64) - 1))
    lower = importance * (y - top)
    upper = importance - lower
    right = x - left
    # (4, n) footprints: upper left, upper right, lower left, lower right
    weights = np.stack([upper * (1 - right), upper * right, lower * (1 - right), lower * right])
    cells = (top * wide + left + np.array([[0], [1], [wide], [wide + 1]])).ravel()

    def landed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.asarray(np.bincount(cells, values.ravel(), (h + 3) * wide), np.float64)
        return sums.reshape(h + 3, wide)[1 : h + 1, 1 : w + 1]  # (h, w), without the frame

    total = landed(weights)
    least = np.maximum(total, 1e-12)
    residual = np.stack([landed(weights * -move) / least for move in moves], axis=-1)
    return Splatted(residual.astype(np.float32), total > LEAST_SUPPORT)
