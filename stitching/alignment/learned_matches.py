"""Matches of two whole pictures by the trained network, which finds what features do not."""

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Size
from stitching.io.picture import Picture, to_8_bit
from stitching.network.interface import Runtime
from stitching.network.runtime.cell_matches import CellMatches, match_cells
from stitching.network.runtime.window import NetworkWindow


def match_pictures(reference: Picture, target: Picture, matching: Runtime) -> CellMatches:
    """Mutual matches of the centres of the network's cells, px of the pictures, right to a few px of its window.

    The network was trained on pictures that are turned by up to 45 degrees and up to twice as large as each other.

    Args:
        reference, target: about `stitching.network.runtime.window.AREA` px each; their sizes may differ.
        matching: the network.
    """
    frame = max(reference.size[0], target.size[0]), max(reference.size[1], target.size[1])
    (reference_pixels, reference_valid), (target_pixels, target_valid) = (
        _framed(picture, frame) for picture in (reference, target)
    )
    return match_cells(matching, NetworkWindow.of(reference_pixels, target_pixels, reference_valid, target_valid))


def _framed(picture: Picture, frame: Size) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture in the upper left corner of a frame (w, h): pixels (h, w, 3) and where they are valid (h, w)."""
    w, h = picture.size
    pixels, valid = np.zeros((frame[1], frame[0], 3), np.uint8), np.zeros(frame[::-1], bool)
    pixels[:h, :w] = to_8_bit(picture.pixels, picture.levels)
    valid[:h, :w] = True if picture.valid is None else picture.valid > 127
    return pixels, valid
