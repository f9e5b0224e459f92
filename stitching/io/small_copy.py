"""Small copies of pictures, to find what they have in common: perspective pictures, whatever lens drew them."""

from dataclasses import replace

import cv2
import numpy as np

from stitching.geometry.pixel_maps import Points, evaluate_on_grid, rescale
from stitching.io.picture import Picture, shrink
from stitching.io.picture_sampling import sample


def small_copy(picture: Picture, scale: float) -> Picture:
    """A copy about `scale` times as wide and high, at most as large, without the distortion of its lens.

    Its `scale` is that to the full-size picture without distortion; it has no `lens`.
    """
    if picture.lens is None:
        return shrink(picture, scale)
    scale = min(scale, 1.0)
    (w, h), shrunk = picture.size, shrink(picture, scale)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    factors = np.array(size) / (w, h)

    def in_photograph(points: Points) -> Points:
        return picture.to_photograph(rescale(points, 1 / factors))

    pixels, valid = sample(shrunk, evaluate_on_grid(in_photograph, size, 1.0), cv2.INTER_CUBIC)
    pixels[~valid] = 0
    mask = None if valid.all() else valid.astype(np.uint8) * np.uint8(255)
    return replace(picture, pixels=pixels, valid=mask, scale=(size[0] / w, size[1] / h), lens=None)
