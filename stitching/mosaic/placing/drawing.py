"""Pictures of a set drawn on a working grid, from their small copies where these have enough px."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask
from stitching.io.picture import shrink, to_8_bit
from stitching.io.picture_sampling import magnification, sample
from stitching.io.picture_source import PictureSource


def draw_source(source: PictureSource, map_xy: Field, scale: float) -> tuple[NDArray[np.uint8], Mask]:
    """Draw a picture on a grid; it is shrunk first, so that it does not alias.

    Args:
        source: the picture; read again only where the grid shows it finer than its small copy.
        map_xy: (h, w, 2) grid -> full-size picture px.
        scale: px of the grid per canvas px.

    Returns:
        (h, w, 3) uint8 BGR, black where the picture has no pixels, and (h, w) where it has.
    """
    wanted = scale / magnification(map_xy, source.size, scale)
    available = min(source.copy.scale)
    picture = source.copy if wanted <= available else source.read()
    small = shrink(picture, wanted / min(picture.scale))
    pixels, valid = sample(replace(small, pixels=to_8_bit(small.pixels, small.levels)), picture.to_photograph(map_xy))
    return np.where(valid[..., None], pixels, 0).astype(np.uint8), valid
