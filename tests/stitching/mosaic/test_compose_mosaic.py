import weakref
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending import tiles
from stitching.blending.blend import Blend
from stitching.blending.compose import compose
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.io.picture_source import PictureSource
from stitching.mosaic.compose_mosaic import compose_mosaic
from stitching.mosaic.placed_picture import PlacedPicture

SCENE = np.ascontiguousarray(coffee()[..., ::-1])  # (400, 600, 3)
H, W = 400, 600
SCALE = 0.25  # of the working grid


def source_of(pixels, valid=None, read=None):
    picture = Picture(pixels, valid)
    return PictureSource("a", 0, picture.size, picture, "", read or (lambda: picture))


def cut(area, scene=SCENE):
    """A part of the scene; columns beyond its right end are those at the left."""
    columns = np.arange(area.left, area.right) % scene.shape[1]
    return np.ascontiguousarray(scene[area.top : area.bottom, columns])


def placed_at(number, area, share=None, gain=1.0, margin=2, size=(W, H), wraps=False, scale=SCALE):
    """A picture that shows an area of the canvas; `share`: of those before it, by (x, y) canvas px; None = none."""
    h, w = size[1] * scale, size[0] * scale
    inner = Rectangle(*(int(edge * scale) for edge in (area.left, area.top, area.right, area.bottom)))
    window = Rectangle(inner.left, inner.top, inner.right + 1, inner.bottom + 1).grown(margin)
    window = window.intersect(Rectangle(-10000 if wraps else 0, 0, 10000 if wraps else int(w), int(h)))
    if window.left < 0:
        window = window.translated(int(w), 0)
        area = area.translated(size[0], 0)
    width, height = window.size
    canvas = rescale(pixel_grid(height, width) + np.float32(window.origin), 1 / scale)
    weight = np.zeros((height, width), np.float32)
    if share:
        weight = share(canvas[..., 0], canvas[..., 1]).astype(np.float32)
    gains = np.full((height, width, 3), gain, np.float32)
    map_xy = canvas - np.float32(area.origin)
    return PlacedPicture(number, window, None, map_xy, weight, gains, None, None)


def canvas_of(size=(W, H), wraps=False):
    return SimpleNamespace(size=size, wraps=wraps)


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


AREAS = [Rectangle(0, 0, 280, 400), Rectangle(200, 20, 450, 400), Rectangle(390, 0, 600, 370)]
LEFT_OF = [None, lambda x, y: x < 240, lambda x, y: x < 420]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_moved_by_whole_pixels_give_the_scene_bit_for_bit(depth):
    scene = SCENE.astype(depth) * depth(np.iinfo(depth).max // 255)
    sources = [source_of(cut(area, scene)) for area in AREAS]
    placed = [placed_at(i, area, share) for i, (area, share) in enumerate(zip(AREAS, LEFT_OF, strict=True))]
    panorama, alpha = compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    assert panorama.dtype == depth
    covered = np.zeros((H, W), bool)
    for area in AREAS:
        covered[area.slices] = True
    assert np.array_equal(alpha > 0, covered)
    assert np.array_equal(panorama, scene * covered[..., None])


def test_two_pictures_are_blended_as_a_pair_is():
    canvas = Canvas(Surface(None, (199.5, 199.5)), (0, 0), (W, H))
    first, second = Picture(SCENE[:, :400]), Picture(np.ascontiguousarray(SCENE[:, 200:]))
    map_xy = rescale(pixel_grid(H // 4, W // 4), 4.0) - np.float32([199.6, 0.3])
    map_xy[..., 1] += 3 * np.sin(map_xy[..., 0] / 40)
    weight = np.zeros((H // 4, W // 4), np.float32)
    weight[:, :75] = 1
    gain = np.full((H // 4, W // 4, 3), 1.15, np.float32)
    expected, _ = compose(PanoramaPictures(first, second, canvas, 1.0, map_xy, SCALE), Blend(weight, gain))
    area = Rectangle(0, 0, W // 4, H // 4)
    placed = [
        placed_at(0, Rectangle(0, 0, 400, 400)),
        PlacedPicture(1, area, None, map_xy, weight, gain, None, None),
    ]
    sources = [source_of(first.pixels), source_of(second.pixels)]
    panorama, _ = compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    inner = slice(3, -3), slice(3, -3)  # a pair's map repeats its outermost half pixel
    apart = difference(panorama, expected)[inner]
    assert apart.mean() < 0.02
    assert apart.max() <= 6  # of positions that are rounded to 1/32 px


@pytest.mark.parametrize("tile", [64, 160])
def test_tiles_read_nothing_that_they_have_changed(monkeypatch, tile):
    sources = [source_of(cut(area)) for area in AREAS]
    gains = 1.0, 1.2, 0.9
    placed = [placed_at(i, AREAS[i], LEFT_OF[i], gains[i]) for i in range(3)]
    untiled, _ = compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    monkeypatch.setattr(tiles, "TILE_SIDE", tile)
    tiled, _ = compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    assert difference(tiled, untiled).max() <= 1


@pytest.mark.parametrize("output_scale", [1.0, 0.77])
def test_a_whole_turn_has_no_trace_of_its_cut(output_scale):
    """The same ring of pictures with the cut at another place is the same panorama, turned."""
    widths = [(0, 260), (200, 460), (400, 660)]

    def turned(shift):
        areas = [Rectangle(left + shift, 0, right + shift, H) for left, right in widths]
        middles = [None, 230 + shift, 430 + shift]
        shares = [None, *((lambda x, y, m=m: x < m) for m in middles[1:])]
        # The last one overlaps the first one, too, a whole turn further.
        shares[2] = lambda x, y: (x < 430 + shift) | (x > 630 + shift)
        placed = [placed_at(i, areas[i], shares[i], (1.0, 1.2, 1.1)[i], wraps=True) for i in range(3)]
        sources = [source_of(cut(Rectangle(left, 0, right, H))) for left, right in widths]
        return compose_mosaic(sources, canvas_of(wraps=True), SCALE, placed, output_scale)

    (one, alpha), (other, _) = turned(0), turned(100)
    assert alpha.min() == 255
    moved = np.roll(one, round(100 * output_scale), axis=1)
    apart = difference(moved, other)
    assert apart.mean() < 0.02
    assert apart.max() <= 6  # of positions that are rounded to 1/32 px


def test_one_picture_at_a_time_is_in_memory_and_each_is_read_once():
    alive = []

    def reader(area):
        def read():
            assert not [ref for ref in alive if ref() is not None]
            pixels = cut(area)
            alive.append(weakref.ref(pixels))
            return Picture(pixels)

        return read

    sources = [source_of(cut(area), read=reader(area)) for area in AREAS]
    placed = [placed_at(i, AREAS[i], LEFT_OF[i]) for i in range(3)]
    compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    assert len(alive) == 3


def test_where_a_picture_is_transparent_those_below_show():
    valid = np.full((380, 250), 255, np.uint8)
    valid[100:103, 50:53] = 0  # smaller than a working pixel
    valid[200:260, 100:160] = 0
    sources = [source_of(SCENE), source_of(cut(AREAS[1]), valid)]
    placed = [placed_at(0, Rectangle(0, 0, W, H)), placed_at(1, AREAS[1], gain=0.5)]
    panorama, alpha = compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0)
    assert alpha.min() == 255
    assert panorama[120:123, 250:253].mean() > 0.8 * SCENE[120:123, 250:253].mean()
    assert difference(panorama, SCENE)[230:270, 310:350].mean() < 4


def test_a_half_size_panorama_is_the_half_size_of_the_panorama():
    sources = [source_of(cut(area)) for area in AREAS]
    placed = [placed_at(i, AREAS[i], LEFT_OF[i]) for i in range(3)]
    panorama, alpha = compose_mosaic(sources, canvas_of(), SCALE, placed, 0.5)
    assert panorama.shape == (H // 2, W // 2, 3)
    halved = cv2.resize(SCENE, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    inside = cv2.erode(alpha, np.ones((9, 9))) > 0
    assert difference(panorama, halved)[inside].max() <= 2


def test_a_picture_that_is_gone_is_named():
    def gone():
        raise InputError("a.png: no such file")

    with pytest.raises(InputError, match=r"a\.png"):
        compose_mosaic([source_of(SCENE, read=gone)], canvas_of(), SCALE, [placed_at(0, AREAS[0])], 1.0)


def test_progress_rises_to_all_done():
    shares = []
    sources = [source_of(cut(area)) for area in AREAS]
    placed = [placed_at(i, AREAS[i], LEFT_OF[i]) for i in range(3)]
    compose_mosaic(sources, canvas_of(), SCALE, placed, 1.0, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
