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
    assert half.size == (32, 24)
    assert half.name == "mine"
    assert np.abs(half.pixels - blocks).max() <= 0.5
    np.testing.assert_array_equal(half.valid, half_transparent()[::2, ::2])
    assert shrink(picture, 1.0) is picture


def test_eight_bits_are_the_upper_ones_of_sixteen():
    np.testing.assert_array_equal(to_8_bit(photo().astype(np.uint16) * 257), photo())
    assert to_8_bit(photo()).dtype == np.uint8


def test_grey_weighs_the_channels_and_their_mean_does_not():
    green = np.zeros((4, 5, 3), np.uint8)
    green[..., 1] = 150
    assert (to_grey(green) == 88).all()  # 0.587 of it
    assert (channel_mean(green) == 50).all()
    assert channel_mean(green.astype(np.float32)).dtype == np.float32
