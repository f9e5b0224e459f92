import cv2
import numpy as np
import pytest
from picture_files import bytes_of, photo, pillow_bytes, refused, saved
from PIL import Image
from tifffile import imwrite

from stitching.io.metadata.tiff_tags import read_block
from stitching.io.picture_reader import read_picture

SHAPE = (301, 397, 3)
COMPRESSIONS = {"LZW": 5, "Deflate": 8, "older Deflate": 32946, "PackBits": 32773}
ROWS = {"strips": 64, "one strip": SHAPE[0]}


def textured(depth=np.uint8, shape=SHAPE):
    noise = np.random.default_rng(3).integers(0, np.iinfo(depth).max // 8, shape, depth)
    return photo(depth, shape) // 2 + noise


def compressed(compression, pixels, rows=64):
    settings = [cv2.IMWRITE_TIFF_COMPRESSION, COMPRESSIONS[compression], cv2.IMWRITE_TIFF_ROWSPERSTRIP, rows]
    return bytes_of(".tif", pixels, settings)


def by_tifffile(path, pixels, **settings):
    imwrite(path, pixels, compression="zlib", **settings)
    return path.read_bytes()


def by_opencv(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)


def zeroed(content):
    """4096 zeroed bytes in the middle, where there are pixels."""
    middle = len(content) // 2
    return content[:middle] + bytes(4096) + content[middle + 4096 :]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_healthy_tiff_is_read_and_one_with_zeroed_bytes_is_refused(tmp_path, compression, depth, rows, capfd):
    content = compressed(compression, textured(depth), ROWS[rows])
    capfd.readouterr()  # remarks of the encoder
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.tif", content)).pixels, textured(depth))
    with refused("zeroed.tif", "damaged", "copy"):
        read_picture(saved(tmp_path / "zeroed.tif", zeroed(content)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "settings", [{"tile": (64, 80)}, {"predictor": True}, {"byteorder": ">"}, {"bigtiff": True}], ids=str
)
def test_tiles_predictors_byte_orders_and_bigtiff_are_checked_too(tmp_path, settings):
    content = by_tifffile(tmp_path / "a.tif", textured(), photometric="rgb", **settings)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, by_opencv(content))
    with refused("zeroed.tif", "damaged"):
        read_picture(saved(tmp_path / "zeroed.tif", zeroed(content)))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_healthy_grey_and_transparent_tiffs_are_read(tmp_path, compression):
    alpha = textured()[..., :1] | 128
    for pixels in (textured()[..., 0], textured(np.uint16)[..., 0], np.dstack([textured(), alpha])):
        path = saved(tmp_path / "a.tif", compressed(compression, pixels))
        assert read_picture(path).size == (SHAPE[1], SHAPE[0])


def test_a_healthy_tiff_stored_channel_by_channel_is_read(tmp_path):
    planes = np.ascontiguousarray(textured().transpose(2, 0, 1))
    by_tifffile(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", rowsperstrip=64)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, textured()[..., ::-1])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_healthy_tiffs_of_another_program_are_read(tmp_path, compression, capfd):
    content = pillow_bytes(Image.fromarray(textured()), "TIFF", compression=compression)
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.tif", content)).pixels, by_opencv(content))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_healthy_tiffs_of_luma_and_chroma_are_read(tmp_path, compression):
    content = pillow_bytes(Image.fromarray(textured()).convert("YCbCr"), "TIFF", compression=compression)
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.tif", content)).pixels, by_opencv(content))


def test_a_damaged_jpeg_in_a_tiff_is_refused(tmp_path):
    content = pillow_bytes(Image.fromarray(textured()), "TIFF", compression="jpeg", tiffinfo={278: 304})
    with refused("zeroed.tif", "damaged"):
        read_picture(saved(tmp_path / "zeroed.tif", zeroed(content)))


def test_a_bit_that_only_a_checksum_shows_is_refused(tmp_path):
    """In a stored block of Deflate every byte is a valid one."""
    content = by_tifffile(tmp_path / "a.tif", textured(), photometric="rgb", compressionargs={"level": 0})
    read_picture(tmp_path / "a.tif")
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 64
    with refused("flipped.tif", "damaged"):
        read_picture(saved(tmp_path / "flipped.tif", bytes(flipped)))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_whose_data_end_too_early_is_refused(tmp_path, compression):
    """Its directory is in front: decoders fill up what is missing."""
    imwrite(tmp_path / "a.tif", textured(), compression=compression, photometric="rgb")
    content = (tmp_path / "a.tif").read_bytes()
    with refused("cut.tif", "cut short"):
        read_picture(saved(tmp_path / "cut.tif", content[: len(content) * 2 // 3]))


def test_values_of_a_directory_never_take_more_than_the_file():
    entries = b"".join(tag.to_bytes(2, "little") + b"\1\0\0\0\2\0" + bytes(4) for tag in range(20_000))
    block = b"II*\0\x08\0\0\0" + (20_000).to_bytes(2, "little") + entries + bytes(4)
    assert sum(len(value) for _, value in read_block(block).values()) <= len(block)
