import struct
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from picture_files import bytes_of, photo, pillow_bytes, refused, saved
from PIL import Image
from tifffile import imwrite

from stitching.errors import InputError
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


def black_and_white(compression, **settings):
    """A page as it is scanned, with grains."""
    return pillow_bytes(Image.fromarray(textured()[..., 0] > 128), "TIFF", compression=compression, **settings)


FAX = {
    "group3": {},
    "group3 of two dimensions": {"compression": "group3", "tiffinfo": {292: 1}},
    "group3 in strips": {"compression": "group3", "tiffinfo": {278: 16}},
    "group4": {},
    "group4 in strips": {"compression": "group4", "tiffinfo": {278: 16}},
    "group4, reversed bits": {"compression": "group4", "tiffinfo": {266: 2}},
    "tiff_ccitt": {},
}


@pytest.mark.parametrize("kind", FAX)
def test_a_healthy_fax_is_read_and_one_that_the_decoder_complains_of_is_refused(tmp_path, kind, capfd):
    content = black_and_white(**({"compression": kind} | FAX[kind]))
    pixels = read_picture(saved(tmp_path / "a.tif", content)).pixels
    np.testing.assert_array_equal(pixels[..., 0] > 0, textured()[..., 0] > 128)
    for place in (0.3, 0.5, 0.7):
        at = int(len(content) * place)
        with refused("zeroed.tif", "damaged", "copy"):
            read_picture(saved(tmp_path / "zeroed.tif", content[:at] + bytes(64) + content[at + 64 :]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("level", [cv2.utils.logging.LOG_LEVEL_SILENT, cv2.utils.logging.LOG_LEVEL_ERROR])
def test_a_damaged_fax_is_refused_when_the_log_is_silent_too(tmp_path, level):
    content = black_and_white("group4")
    middle = len(content) // 2
    path = saved(tmp_path / "zeroed.tif", content[:middle] + bytes(64) + content[middle + 64 :])
    before = cv2.utils.logging.setLogLevel(level)
    try:
        with refused("zeroed.tif", "damaged"):
            read_picture(path)
        assert cv2.utils.logging.getLogLevel() == level
    finally:
        cv2.utils.logging.setLogLevel(before)


def test_a_healthy_fax_is_not_blamed_for_a_damaged_one_that_another_thread_reads(tmp_path):
    content = black_and_white("group4")
    middle = len(content) // 2
    healthy = saved(tmp_path / "healthy.tif", content)
    zeroed = saved(tmp_path / "zeroed.tif", content[:middle] + bytes(64) + content[middle + 64 :])

    def is_refused(path):
        try:
            read_picture(path)
        except InputError:
            return True
        return False

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(is_refused, [healthy, zeroed] * 12)) == [False, True] * 12


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (6, "old JPEG"),
        (32771, "CCITT in words"),
        (34712, "JPEG 2000"),
        (34933, "PNG"),
        (50001, "WebP"),
        (50002, "JPEG XL"),
        (52546, "JPEG XL"),
        (12345, "unknown"),
    ],
)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_compression_that_nothing_here_decodes_is_named(tmp_path, number, words, depth):
    content = bytes_of(".tif", textured(depth), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    tag = struct.Struct("<HHIHH")
    renamed = content.replace(tag.pack(259, 3, 1, 1, 0), tag.pack(259, 3, 1, number, 0))
    with refused("a.tif", f"compression {number} ({words})", "expected none, LZW, Deflate", "save it again"):
        read_picture(saved(tmp_path / "a.tif", renamed))


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
