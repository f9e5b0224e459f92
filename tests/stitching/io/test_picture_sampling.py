import cv2
import numpy as np
import pytest
from picture_files import photo

from stitching.geometry.pixel_maps import pixel_grid, remap, rescale
from stitching.io.picture import Picture, shrink
from stitching.io.picture_sampling import magnification, sample

SHOWN = (200, 150)  # (w, h) px


def grid(zoom, size=SHOWN):
    """Positions (h, w, 2) in a picture `zoom` times finer than the grid."""
    return rescale(pixel_grid(*size[::-1]), zoom).astype(np.float32)


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("zoom", [1.5, 4.0])
def test_how_much_finer_a_picture_is_than_the_canvas(zoom, scale):
    size = int(SHOWN[0] * zoom), int(SHOWN[1] * zoom)
    found = magnification(grid(zoom / scale, (int(SHOWN[0] * scale), int(SHOWN[1] * scale))), size, scale)
    assert found == pytest.approx(zoom, rel=1e-3)


@pytest.mark.parametrize("zoom", [0.3, 1.0, 1.25])
def test_a_picture_about_as_fine_as_the_canvas_is_not_shrunk(zoom):
    assert magnification(grid(zoom), (300, 300), 1.0) == 1


def test_most_of_a_picture_of_uneven_fineness_keeps_its_detail():
    map_xy = grid(1.0)
    map_xy[..., 0] *= 1 + map_xy[..., 0] / 100  # 1 to 5 times as fine from left to right
    found = magnification(map_xy, (700, 150), 1.0)
    finer = np.gradient(map_xy[..., 0], axis=1) ** 0.5
    assert 0.7 < (finer > found).mean() < 0.8


def test_a_map_that_shows_nothing_shrinks_nothing():
    assert magnification(grid(5.0) - 1e5, (50, 50), 1.0) == 1


def test_a_finer_picture_gives_its_mean_when_it_is_shrunk_before_it_is_sampled():
    noise = np.random.default_rng(0).normal(128, 12, (600, 800, 1)).round().astype(np.uint8).repeat(3, axis=2)
    picture, map_xy = Picture(noise), grid(4.0)
    small = shrink(picture, 1 / magnification(map_xy, picture.size, 1.0))
    assert sample(picture, map_xy, cv2.INTER_CUBIC)[0].std() > 8
    assert sample(small, map_xy, cv2.INTER_CUBIC)[0].std() < 3.2


@pytest.mark.parametrize("scale", [0.37, 0.61])
def test_in_a_copy_of_awkward_size_every_thing_is_where_it_was(scale):
    """Blobs near the corners: a copy whose rounded size were taken for `scale` would move them by up to half a px."""
    centres = np.array([[40.0, 45.0], [360.5, 30.0], [50.25, 270.0], [355.0, 262.5]])
    y, x = np.mgrid[:303, :401]
    blobs = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 200) for cx, cy in centres)
    picture = Picture((240 * blobs).astype(np.uint8)[..., None].repeat(3, axis=2))
    size = round(401 * scale), round(303 * scale)
    pixels, valid = sample(shrink(picture, scale), grid(1 / scale, size), cv2.INTER_CUBIC)
    assert valid.all()
    reach = round(30 * scale)
    for centre in rescale(centres, scale):
        left, top = centre.round().astype(int) - reach
        patch = pixels[top : top + 2 * reach + 1, left : left + 2 * reach + 1, 0].astype(float)
        rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]]
        found = (columns * patch).sum() / patch.sum() + left, (rows * patch).sum() / patch.sum() + top
        assert np.abs(found - centre).max() < 0.05


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("interpolation", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
@pytest.mark.parametrize(("scale", "zoom"), [(1.0, 1.0), (1.0, 0.3), (1.0, 1.2), (0.3, 4.0)])
def test_colours_of_pixels_that_are_not_valid_never_appear(depth, interpolation, scale, zoom):
    colour, garbage = np.iinfo(depth).max // 2, np.iinfo(depth).max
    valid = np.full((150, 200), 255, np.uint8)
    cv2.circle(valid, (90, 70), 40, 0, -1)
    valid[::9, ::11] = 0
    pixels = np.where(valid[..., None] > 0, colour, garbage).repeat(3, axis=2).astype(depth)
    picture = shrink(Picture(pixels, valid), scale)
    shown, inside = sample(picture, grid(zoom) + np.float32([0.37, -0.21]), interpolation)
    assert 0.04 < inside.mean() < 0.99
    assert np.abs(shown[inside].astype(int) - colour).max() <= 1


def test_far_from_what_is_not_valid_a_picture_is_sampled_as_if_all_were():
    valid = np.full((150, 200), 255, np.uint8)
    valid[:, 120:] = 0
    picture = Picture(photo(shape=(150, 200, 3)), valid)
    map_xy = grid(0.7) + np.float32([0.3, 0.1])
    shown, inside = sample(picture, map_xy, cv2.INTER_CUBIC)
    far = map_xy[..., 0] < 117
    assert inside[far & (map_xy[..., 1] > -0.5)].all()
    assert np.array_equal(shown[far], remap(picture.pixels, map_xy, cv2.INTER_CUBIC)[far])
