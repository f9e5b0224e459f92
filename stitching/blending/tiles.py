"""The tiles in which a panorama is drawn, so that the memory beside the panorama does not grow with its size."""

from collections.abc import Iterator

from stitching.geometry.rectangles import Rectangle

TILE_SIDE = 896  # px: about a megapixel at once, with what blending needs around it; a multiple of the coarsest pixel


def split_in_tiles(width: int, height: int) -> Iterator[Rectangle]:
    """Rectangles of at most `TILE_SIDE` px a side that cover a picture of this size."""
    for top in range(0, height, TILE_SIDE):
        for left in range(0, width, TILE_SIDE):
            yield Rectangle(left, top, left + TILE_SIDE, top + TILE_SIDE).intersect(Rectangle(0, 0, width, height))
