"""TIFFs that OpenCV cannot read: by tifffile or Pillow, or refused."""

import struct
import sys
import tracemalloc

import numpy as np
import pytest
from picture_files import half_transparent, photo, pillow_bytes, refused, saved
from PIL import Image
from tifffile import imwrite

from stitching.io.picture_reader import read_picture

SHAPE = (49, 65, 3)
RGB8, RGB16 = photo(shape=SHAPE), photo(np.uint16, SHAPE)
FLOATS = (RGB16 / 65535).astype(np.float32)
COLOUR = {"photometric": "rgb"}
BY_CHANNEL = {"photometric": "rgb", "planarconfig": "separate"}
ALPHA = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
GREY = {"photometric": "minisblack"}


def planes(pixels):
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


EXACT = {  # what -> (values as stored, settings of tifffile, RGB that must be read)
    "tiles": (RGB16, {"tile": (32, 32), **COLOUR}, RGB16),
    "BigTIFF of tiles": (RGB8, {"tile": (32, 32), "bigtiff": True, "compression": "zlib", **COLOUR}, RGB8),
    "16 bits by channel": (planes(RGB16), BY_CHANNEL, RGB16),
    "16 bits by channel, Deflate": (planes(RGB16), {"compression": "zlib", "predictor": True, **BY_CHANNEL}, RGB16),
    "16 bits by channel, tiles": (planes(RGB16), {"tile": (32, 32), **BY_CHANNEL}, RGB16),
    "LZMA": (RGB8, {"compression": "lzma", "rowsperstrip": 10, **COLOUR}, RGB8),
    "LZMA, 16 bits, BigTIFF": (RGB16, {"compression": "lzma", "bigtiff": True, **COLOUR}, RGB16),
    "five channels": (np.dstack([RGB8, RGB8[..., :2]]), COLOUR, RGB8),
    "32-bit floats": (FLOATS, COLOUR, RGB16),
    "64-bit floats": (RGB16 / 65535, {"compression": "zlib", **COLOUR}, RGB16),
    "white is zero, 16 bits": (65535 - RGB16[..., 1], {"photometric": "miniswhite"}, np.dstack([RGB16[..., 1]] * 3)),
}


@pytest.mark.parametrize("what", EXACT)
def test_every_value_is_read(tmp_path, what):
    stored, settings, expected = EXACT[what]
    imwrite(tmp_path / "a.tif", stored, **settings)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, expected[..., ::-1])


def test_half_floats_are_read_as_exactly_as_they_are(tmp_path):
    imwrite(tmp_path / "a.tif", FLOATS.astype(np.float16), **COLOUR)
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").pixels, RGB16[..., ::-1], atol=17)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("turned", [False, True])
def test_grey_with_alpha_is_read_upright(tmp_path, depth, turned):
    grey, alpha = photo(depth)[..., 0], (half_transparent() > 0).astype(depth) * np.iinfo(depth).max
    stored = np.dstack([grey, alpha])
    orientation = [(274, 3, 1, 3, True)] if turned else []
    imwrite(tmp_path / "a.tif", stored[::-1, ::-1] if turned else stored, extratags=orientation, **GREY, **ALPHA)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.valid, half_transparent())
    np.testing.assert_array_equal(picture.pixels, np.dstack([grey] * 3))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_zstd_is_read_by_pillow(tmp_path, mode):
    grey16 = RGB16[..., 0]
    image = Image.fromarray(grey16) if mode == "I;16" else Image.fromarray(RGB8).convert(mode)
    path = saved(tmp_path / "a.tif", pillow_bytes(image, "TIFF", compression="zstd"))
    expected = np.dstack([grey16] * 3) if mode == "I;16" else np.array(image.convert("RGB"))[..., ::-1]
    np.testing.assert_array_equal(read_picture(path).pixels, expected)


@pytest.mark.parametrize("orientation", [6, 8])
def test_zstd_is_turned_upright_once(tmp_path, orientation):
    turned = np.rot90(RGB8, 1 if orientation == 6 else -1)
    path = saved(
        tmp_path / "a.tif",
        pillow_bytes(Image.fromarray(turned), "TIFF", compression="zstd", tiffinfo={274: orientation}),
    )
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, RGB8[..., ::-1])
    assert picture.orientation == orientation


@pytest.mark.parametrize("values", [np.ones((49, 65), bool), np.ones((49, 65), np.int16)])
def test_white_is_zero_of_a_type_that_is_not_read_is_refused(tmp_path, values):
    imwrite(tmp_path / "a.tif", values, photometric="miniswhite", compression="lzma")
    with refused("a.tif", values.dtype.name, "expected uint8 or uint16"):
        read_picture(tmp_path / "a.tif")


def test_a_few_floats_outside_are_cut_off_and_many_are_refused(tmp_path):
    glint = FLOATS.copy()
    glint[0, :3], glint[1, 0] = 3, -0.5
    imwrite(tmp_path / "glint.tif", glint, **COLOUR)
    pixels = read_picture(tmp_path / "glint.tif").pixels
    assert (pixels[0, :3] == 65535).all()
    assert (pixels[1, 0] == 0).all()
    np.testing.assert_array_equal(pixels[2:], RGB16[2:, :, ::-1])
    imwrite(tmp_path / "wide.tif", FLOATS * 255, **COLOUR)
    with refused("wide.tif", "float32", "go from 0 to 25", "expected 0 to 1"):
        read_picture(tmp_path / "wide.tif")


@pytest.mark.parametrize(
    ("stored", "settings", "words"),
    [
        (RGB16.astype(np.uint32), COLOUR, "3 x 32 bits"),
        (np.dstack([RGB8] * 8), COLOUR, "at most 16"),
    ],
)
def test_kinds_that_nothing_here_decodes_are_named(tmp_path, stored, settings, words):
    imwrite(tmp_path / "a.tif", stored, planarconfig="contig", **settings)
    with refused("a.tif", words, "save it"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("what", ["LZMA", "16 bits by channel, Deflate"])
@pytest.mark.parametrize("damage", ["zeros", "cut"])
def test_damage_is_noticed(tmp_path, what, damage, capfd):
    stored, settings, _ = EXACT[what]
    imwrite(tmp_path / "a.tif", stored, **settings)
    content = (tmp_path / "a.tif").read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + (bytes(100) + content[middle + 100 :] if damage == "zeros" else b"")
    with refused("bad.tif", "damaged"):
        read_picture(saved(tmp_path / "bad.tif", changed))
    assert capfd.readouterr() == ("", "")


def test_a_broken_stream_of_zstd_is_noticed(tmp_path, capfd):
    """It has no checksum: other changes may give other pixels."""
    content = pillow_bytes(Image.fromarray(RGB8), "TIFF", compression="zstd")
    start = content.index(b"\x28\xb5\x2f\xfd")
    with refused("bad.tif", "damaged"):
        read_picture(saved(tmp_path / "bad.tif", content[:start] + bytes(8) + content[start + 8 :]))
    with refused("cut.tif", "damaged"):
        read_picture(saved(tmp_path / "cut.tif", content[: len(content) // 2]))
    assert capfd.readouterr() == ("", "")


def test_a_picture_with_a_depth_is_refused_before_it_is_decoded(tmp_path):
    """Its size does not tell how much memory it takes."""
    volume = np.zeros((2, 48, 64), np.float16)
    imwrite(tmp_path / "a.tif", volume, volumetric=True, tile=(2, 16, 16), **GREY)
    content = (tmp_path / "a.tif").read_bytes()
    deep = content.replace(struct.pack("<HHII", 32997, 4, 1, 2), struct.pack("<HHII", 32997, 4, 1, 2**18))
    assert deep != content
    tracemalloc.start()
    with refused("deep.tif", "damaged"):
        read_picture(saved(tmp_path / "deep.tif", deep))
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_channels_that_say_to_have_different_bits_are_refused(tmp_path):
    imwrite(tmp_path / "a.tif", RGB8[..., :2], **GREY, **ALPHA)
    content = (tmp_path / "a.tif").read_bytes()
    odd = content.replace(struct.pack("<HHIHH", 258, 3, 2, 8, 8), struct.pack("<HHIHH", 258, 3, 2, 8, 0))
    assert odd != content
    with refused("odd.tif", "damaged"):
        read_picture(saved(tmp_path / "odd.tif", odd))


def test_without_tifffile_one_line_names_the_extra(tmp_path, monkeypatch):
    imwrite(tmp_path / "a.tif", planes(RGB16), **BY_CHANNEL)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with refused("a.tif", "pip install 'parastitch[formats]'"):
        read_picture(tmp_path / "a.tif")


def test_sizes_are_limited_before_anything_is_decoded(tmp_path):
    imwrite(tmp_path / "a.tif", np.zeros((600, 700, 3), np.uint16), compression="lzma", **COLOUR)
    with refused("700 x 600", "--max-megapix"):
        read_picture(tmp_path / "a.tif", max_megapix=0.3)
    with refused("to read", "--max-megapix"):
        read_picture(tmp_path / "a.tif", max_megapix=0.5, held=1_500_000)
