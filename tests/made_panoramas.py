"""Panoramas of many pictures made by hand: what `stitch_many` gives, without stitching."""

from typing import Any

import cv2
import numpy as np

from stitching.adjustment.arrangement import Arrangement
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.io.picture_source import LeftOut, PictureSource
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.selection import UsedWarp
from stitching.verification.evidence import Evidence
from stitching.warping.placement import Placement

SIZE = 200, 160  # px of each picture
STEP = 120  # px from one picture to the next
SCALE = 0.5  # working px per canvas px
COLOURS = [(60, 60, 220), (60, 200, 60), (220, 60, 60), (60, 200, 200), (200, 60, 200)]  # BGR
EVIDENCE = Evidence(0.4, 120.0, 0.9, 0.85, 0.95, 0.8, 0.97)


def make_panorama(count: int = 3, *, left_out: bool = True, **changes: Any) -> Panorama:
    """A row of pictures, each of one colour with some texture, moved by `STEP`; the middle one is the reference.

    Picture `n` stands at place `n` of the row; the caller gave them the other way round, and one that nothing joins.
    """
    w, h = SIZE
    canvas = Canvas(Surface(None, ((w - 1) / 2, (h - 1) / 2)), (-STEP * (count // 2), 0), (w + STEP * (count - 1), h))
    sources = tuple(_source(number, count) for number in range(count))
    middle = count // 2
    order = sorted(range(count), key=lambda number: (abs(number - middle), number))
    panorama, labels = np.zeros((h, canvas.size[0], 3), np.uint8), np.zeros((h // 2, canvas.size[0] // 2), np.int16)
    for number, source in enumerate(sources):
        left = STEP * number
        panorama[:, left : left + w] = source.copy.pixels
        labels[:, left // 2 : (left + w) // 2] = number
    graph = MatchGraph(count, tuple(_edge(number) for number in range(count - 1)))
    matrices = {number: _shift(STEP * (middle - number)) for number in range(count)}
    fields: dict[str, Any] = {
        "panorama": panorama,
        "alpha": np.full(panorama.shape[:2], 255, np.uint8),
        "sources": sources,
        "left_out": (LeftOut("trip/cat.jpg", "shares too little with the others"),) if left_out else (),
        "graph": graph,
        "arrangement": Arrangement("perspective", middle, None, SIZE, matrices, 0.75),
        "canvas": canvas,
        "scale": SCALE,
        "placed": tuple(_placed(number, middle) for number in order),
        "labels": labels,
        "output_scale": 1.0,
        "crop": Rectangle(0, 0, *canvas.size),
        "seconds": {"read": 0.25, "place": 1.0},
        "warnings": (),
    }
    return Panorama(**fields | changes)


def _source(number: int, count: int) -> PictureSource:
    w, h = SIZE
    noise = np.random.default_rng(number).integers(-30, 30, (h // 8, w // 8, 3))
    texture = cv2.resize(noise.astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    pixels = np.clip(texture + COLOURS[number % len(COLOURS)], 0, 255).astype(np.uint8)
    picture = Picture(pixels, name=f"trip/row_{number}.jpg")
    return PictureSource(picture.name, count - 1 - number, SIZE, picture, str(number), lambda: picture)


def _edge(number: int) -> Edge:
    points = np.random.default_rng(number).uniform(0, 100, (40 + number, 2))
    matches = Matches(points, points + np.array([STEP, 0]))
    alignment = Alignment(_shift(STEP), matches, "homography", 1, 0.9)
    return Edge(number, number + 1, alignment)


def _placed(number: int, middle: int) -> PlacedPicture:
    w, h = (round(side * SCALE) for side in SIZE)
    left = round(STEP * number * SCALE)
    map_xy = rescale(pixel_grid(h, w), 1 / SCALE)
    whole = np.ones((h, w), bool)
    placement = Placement(map_xy, whole, whole, np.zeros_like(map_xy), SCALE)
    first = number == middle
    return PlacedPicture(
        number, Rectangle(left, 0, left + w, h), placement, map_xy, np.zeros((h, w), np.float32),
        np.ones((h, w, 3), np.float32), None if first else UsedWarp("classical", 0.9), None if first else EVIDENCE,
    )  # fmt: skip


def _shift(dx: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[1.0, 0, dx], [0, 1, 0], [0, 0, 1]])
