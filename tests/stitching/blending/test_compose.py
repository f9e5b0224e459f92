import dataclasses

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending import tiles
from stitching.blending.blend import Blend
from stitching.blending.compose import compose
from stitching.blending.multiband import SEAM_REACH
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid, rescale
from stitching.io.picture import Picture, shrink

SCENE = np.ascontiguousarray(coffee()[..., ::-1])  # (400, 600, 3)
H, W = 400, 600
SEAM = 300  # canvas px
SCALE = 0.5  # of the working grid
INNER = slice(1, -1), slice(1, -1)  # the map's outermost half pixel repeats itself


def pictures_of(shift=(200.0, 0.0), scene=SCENE, wave=0.0):
    """The reference shows the left 400 px of the scene, the target what lies right of column 200."""
    reference = Picture(scene[:, :400])
    target = Picture(np.ascontiguousarray(scene[:, 200:]))
    canvas = Canvas(Surface(None, (199.5, 199.5)), (0, 0), (W, H))
    map_xy = rescale(pixel_grid(H // 2, W // 2), 1 / SCALE) - np.float32(shift)
    map_xy[..., 1] += wave * np.sin(map_xy[..., 0] / 40)
    return PanoramaPictures(reference, target, canvas, 1.0, map_xy.astype(np.float32), SCALE)


def blend_of(gain=1.0, seam=SEAM):
    weight = np.zeros((H // 2, W // 2), np.float32)
    weight[:, : seam // 2] = 1
    return Blend(weight, np.full((H // 2, W // 2, 3), gain, np.float32))


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


def test_two_views_of_a_plane_become_the_plane():
    panorama, alpha = compose(pictures_of(), blend_of())
    assert panorama.shape == (H, W, 3)
    assert alpha.min() == 255
    assert difference(panorama, SCENE)[INNER].max() <= 1


def test_sampling_between_pixels_keeps_the_picture_sharp():
    panorama, _ = compose(pictures_of(shift=(199.7, 0.4)), blend_of())
    shifted = difference(panorama[20:-20, 480:-20], SCENE[20:-20, 480:-20])
    assert shifted.mean() < 3
    slopes = [np.abs(np.diff(p[20:-20, 480:-20].astype(int), axis=1)).mean() for p in (panorama, SCENE)]
    assert slopes[0] > 0.85 * slopes[1]


def test_far_from_the_seam_the_reference_is_bit_identical():
    panorama, _ = compose(pictures_of(wave=4.0), blend_of(gain=1.2))
    inner = SEAM - SEAM_REACH - 8
    assert inner > 100
    assert np.array_equal(panorama[:, :inner], SCENE[:, :inner])


@pytest.mark.parametrize("tile", [64, 150, 256])
@pytest.mark.parametrize("gain", [1.0, 1.15])
def test_tiles_join_without_a_trace(monkeypatch, tile, gain):
    pictures, blend = pictures_of(shift=(199.3, 0.6), wave=3.0), blend_of(gain)
    untiled, untiled_alpha = compose(pictures, blend)
    monkeypatch.setattr(tiles, "TILE_SIDE", tile)
    assert len(list(tiles.split_in_tiles(W, H))) > 1
    tiled, alpha = compose(pictures, blend)
    assert difference(tiled, untiled).max() <= 1
    assert np.array_equal(alpha, untiled_alpha)


def test_tiles_cover_every_pixel_once():
    count = np.zeros((2500, 1100), int)
    for tile in tiles.split_in_tiles(1100, 2500):
        count[tile.slices] += 1
    assert (count == 1).all()


def test_sixteen_bits_stay_sixteen_bits():
    deep = SCENE.astype(np.uint16) * 257 + 31
    panorama, _ = compose(pictures_of(scene=deep), blend_of())
    assert panorama.dtype == np.uint16
    assert difference(panorama, deep)[INNER].max() < 64  # a quarter of an 8-bit level


def test_gain_is_applied_to_the_target_alone_and_cut_off_at_white():
    panorama, _ = compose(pictures_of(), blend_of(gain=1.5))
    expected = np.minimum(SCENE * 1.5, 255).round()
    assert difference(panorama, expected)[1:-1, 540:-1].max() <= 1
    assert np.array_equal(panorama[:, :100], SCENE[:, :100])


def test_the_gain_of_stretched_copies_leaves_black_where_it_is():
    deep = 29000 + SCENE.astype(np.uint16) * 4
    pictures = pictures_of(scene=deep)
    levels = 29000, 30020
    pictures = dataclasses.replace(pictures, target=dataclasses.replace(pictures.target, levels=levels))
    panorama, _ = compose(pictures, blend_of(gain=1.5))
    assert difference(panorama, 29000 + SCENE.astype(int) * 6)[1:-1, 540:-1].max() <= 1


def test_alpha_is_where_either_picture_has_a_pixel():
    pictures = pictures_of(shift=(230.0, 30.0))
    canvas = dataclasses.replace(pictures.canvas, origin=(-10, -20), size=(680, 460))
    map_xy = rescale(pixel_grid(230, 340), 1 / SCALE) - np.float32([230, 30])
    seam = np.zeros((230, 340), np.float32)
    seam[10:210, 5:205] = 1
    blend = Blend(seam, np.ones((230, 340, 3), np.float32))
    panorama, alpha = compose(dataclasses.replace(pictures, canvas=canvas, map_xy=map_xy), blend)
    expected = np.zeros((460, 680), np.uint8)
    expected[20:420, 10:410] = 255
    expected[30:430, 230:630] = 255
    assert np.array_equal(alpha, expected)
    assert not panorama[alpha == 0].any()


def test_a_masked_region_is_shown_by_the_other_picture_or_not_at_all():
    pictures = pictures_of()
    valid = np.full((H, 400), 255, np.uint8)
    valid[50:150, 50:250] = 0  # columns 200.. are the target's, too
    pictures = dataclasses.replace(pictures, reference=dataclasses.replace(pictures.reference, valid=valid))
    weight = blend_of().weight
    weight[25:75, 25:125] = 0
    panorama, alpha = compose(pictures, Blend(weight, np.ones((200, 300, 3), np.float32)))
    assert not alpha[52:148, 52:198].any()
    assert not panorama[52:148, 52:198].any()
    assert alpha[50:150, 202:].all()
    assert difference(panorama[60:140, 210:240], SCENE[60:140, 210:240]).max() <= 1


def test_a_half_size_panorama_is_the_half_size_of_the_panorama():
    pictures = pictures_of()
    first, second = (shrink(picture, 0.5) for picture in (pictures.reference, pictures.target))
    small = dataclasses.replace(pictures, reference=first, target=second, output_scale=0.5)
    panorama, alpha = compose(small, blend_of())
    assert panorama.shape == (H // 2, W // 2, 3)
    assert alpha.min() == 255
    halved = cv2.resize(SCENE, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert difference(panorama, halved)[INNER].max() <= 1


def test_progress_ends_at_all_done():
    shares = []
    compose(pictures_of(), blend_of(), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
