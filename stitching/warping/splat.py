"""Forward warping in numpy: pixels are put where the warp says, the most trusted surface on top.

`stitching.network.splatting` is the same interpolation in torch, with gradients and another limit for holes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask

SHARPNESS = 8.0  # of the softmax that puts trusted pixels on top: a pixel of confidence 0 still weighs e^-8
MIN_SUPPORT = 0.3  # summed weight below which nothing counts as landed on a canvas pixel


@dataclass(frozen=True)
class SplattedWarp:
    """A forward warp turned into a backward one.

    Attributes:
        residual: (h, w, 2) float32, canvas pixel -> the place on the coarsely aligned target that landed
            there, as a displacement in px; meaningless where not `covered`.
        covered: (h, w), something trusted landed here; False in holes and outside the target.
    """

    residual: Field
    covered: Mask


def splat_warp(forward: Field, confidence: NDArray[np.float32], valid: Mask) -> SplattedWarp:
    """Invert a warp by softmax splatting with bilinear footprints (Niklaus & Liu 2020, eq. 4-6).

    The confidence is the importance: inside the overlap trusted pixels are those that the reference sees, the nearest
    surface.

    Args:
        forward: (h, w, 2) px, how each pixel of the coarsely aligned target moves on the canvas.
        confidence: (h, w) 0..1.
        valid: (h, w), where the target has pixels.
    """
    h, w = valid.shape
    framed = w + 3  # a frame, one pixel before and two after, takes in what lands outside
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
    cells = (top * framed + left + np.array([[0], [1], [framed], [framed + 1]])).ravel()

    def sum_landed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.asarray(np.bincount(cells, values.ravel(), (h + 3) * framed), np.float64)
        return sums.reshape(h + 3, framed)[1 : h + 1, 1 : w + 1]  # -> (h, w), without the frame

    total = sum_landed(weights)
    divisor = np.maximum(total, 1e-12)
    residual = np.stack([sum_landed(weights * -move) / divisor for move in moves], axis=-1)
    return SplattedWarp(residual.astype(np.float32), total > MIN_SUPPORT)
