import numpy as np
import pytest
from picture_files import half_transparent, photo, refused

from stitching.io.picture import Picture, as_picture, channel_mean, shrink, to_8_bit, to_grey


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, ">u2"])
def test_arrays_of_all_shapes_become_pictures(depth):
    pixels = photo(np.uint8).astype(depth)
    for array in (pixels, pixels[..., 0], pixels[..., :1], np.dstack([pixels, pixels[..., :1] * 0 + 255])):
        if array.ndim == 3 and array.shape[2] == 4 and np.dtype(depth).itemsize == 2:
            array[..., 3] = 65535
        picture = as_picture(array, "mine")
        assert picture.pixels.shape == (48, 64, 3)
        assert picture.pixels.dtype.isnative
        assert picture.name == "mine"
        np.testing.assert_array_equal(picture.pixels[..., 0], pixels[..., 0])


def test_an_array_with_negative_strides_keeps_its_values():
    np.testing.assert_array_equal(as_picture(photo()[::-1, :, ::-1]).pixels, photo()[::-1, :, ::-1])


def test_a_contiguous_array_is_not_copied():
    array = photo()
    assert np.shares_memory(as_picture(array).pixels, array)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((48, 64, 3), np.float64), "astype(np.uint8)"),
        (np.zeros((48, 64, 3), np.int32), "int32"),
        (np.zeros((48, 64), bool), "bool"),
        (np.zeros((3, 48, 64), np.uint8), "(3, 48, 64)"),
        (np.zeros((48, 64, 2), np.uint8), "(48, 64, 2)"),
        (np.zeros((1, 48, 64, 3), np.uint8), "(1, 48, 64, 3)"),
        (np.zeros((0, 0, 3), np.uint8), "(0, 0, 3)"),
        (np.zeros((31, 64, 3), np.uint8), "64 x 31"),
        ([[1, 2], [3, 4]], "list"),
    ],
)
def test_unusable_arrays_are_refused(array, word):
    with refused(word):
        as_picture(array)


def test_a_picture_transparent_everywhere_is_refused():
    with refused("transparent"):
        as_picture(np.zeros((48, 64, 4), np.uint8))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_shrinking_averages_pixels_and_validity(depth):
    picture = as_picture(np.dstack([photo(depth), np.full((48, 64), np.iinfo(depth).max, depth)]))
    picture = Picture(picture.pixels, half_transparent(), picture.metadata, "mine")
    half = shrink(picture, 0.5)
    blocks = photo(depth).reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))  # (24, 2, 32, 2, 3) -> (24, 32, 3)
    assert (half.size, half.scale, half.name) == ((32, 24), (0.5, 0.5), "mine")
    assert np.abs(half.pixels - blocks)[half.valid > 0].max() <= 0.5
    np.testing.assert_array_equal(half.valid, half_transparent()[::2, ::2])
    assert shrink(picture, 1.0) is picture


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [0.5, 0.37, 0.9])
def test_what_is_not_valid_does_not_bleed_into_a_shrunk_picture(depth, scale):
    white = np.iinfo(depth).max
    pixels = np.full((101, 77, 3), white // 3, depth)
    valid = np.full((101, 77), 255, np.uint8)
    valid[31:60, 20:45] = 0
    valid[5::7, 3::5] = 0
    pixels[valid == 0] = white
    small = shrink(Picture(pixels, valid), scale)
    assert ((small.valid > 0) & (small.valid < 255)).sum() > 100
    shown = small.pixels[small.valid > 127].astype(int)
    assert np.abs(shown - white // 3).max() <= 1


def test_points_of_a_photograph_are_found_in_its_smaller_copy_by_the_ratios_of_their_sizes():
    small = shrink(Picture(np.zeros((101, 77, 3), np.uint8)), 0.37)
    assert small.size == (28, 37)
    corners = np.array([[-0.5, -0.5], [76.5, 100.5]])
    np.testing.assert_allclose(small.to_own_px(corners), [[-0.5, -0.5], [27.5, 36.5]])


def test_levels_are_stretched_to_8_bits_and_what_is_beyond_them_is_cut_off():
    values = np.array([[0, 1000, 1001, 1510, 2020, 65535]], np.uint16)
    assert to_8_bit(values, (1000, 2020)).tolist() == [[0, 0, 0, 128, 255, 255]]


def test_eight_bits_are_the_upper_ones_of_sixteen():
    np.testing.assert_array_equal(to_8_bit(photo().astype(np.uint16) * 257), photo())
    assert to_8_bit(photo()).dtype == np.uint8


def test_grey_weighs_the_channels_and_their_mean_does_not():
    green = np.zeros((4, 5, 3), np.uint8)
    green[..., 1] = 150
    assert (to_grey(green) == 88).all()  # 0.587 of it
    assert (channel_mean(green) == 50).all()
    assert channel_mean(green.astype(np.float32)).dtype == np.float32
