"""Pieces of made pictures as the pictures of a set."""

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.io.picture import Picture
from stitching.io.picture_source import PictureSource

Pixels = NDArray[np.uint8]


def texture(seed: int, height: int, width: int) -> Pixels:
    """(height, width, 3): blobs of all sizes, something to match everywhere."""
    random = np.random.default_rng(seed)
    layers = [cv2.resize(random.normal(size=(height // s, width // s)), (width, height)) for s in (4, 9, 20, 45)]
    grey = sum(layer * weight for layer, weight in zip(layers, (12, 18, 25, 30), strict=True))
    return np.clip(128 + np.stack([grey, grey * 0.8, grey * 1.1], axis=-1), 0, 255).astype(np.uint8)


def source(pixels: Pixels, scale: float = 1.0) -> PictureSource:
    """A picture of a set whose small copy is `scale` times as large as itself."""
    pixels = np.ascontiguousarray(pixels)
    full, copy = Picture(pixels), Picture(pixels)
    if scale < 1:
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        copy = Picture(small, scale=(small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]))
    return PictureSource("made", 0, full.size, copy, hashlib.sha256(pixels.tobytes()).hexdigest(), lambda: full)
