"""A picture is refused by its header, before anything is decoded: by size, by memory, or as too short for its size."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from picture_files import (
    EXTENSIONS,
    bytes_of,
    exif_block,
    photo,
    pillow_bytes,
    refused,
    saved,
    stored_turned,
    with_exif,
)
from PIL import Image

from stitching.input_pair import read_pair
from stitching.io import picture_reader
from stitching.io.picture_reader import read_mask, read_picture
from stitching.options import Options
from stitching.stitcher import stitch

LOSSY = [cv2.IMWRITE_WEBP_QUALITY, 90]


@pytest.fixture
def nothing_is_decoded(monkeypatch):
    def decode(*_arguments):
        raise AssertionError("decoded")

    monkeypatch.setattr(picture_reader, "decode", decode)


def png_of_size(width, height, rows=b""):
    """A PNG whose header and checksums are right; `rows` is what it unpacks to."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(rows), b"IEND"]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def with_a_false_size(extension):
    """A small file whose header says 20000 x 15000 px or, WebP, 16000 x 15000 px."""
    content = bytearray(bytes_of(extension, photo(), LOSSY if extension == ".webp" else ()))
    if extension == ".png":
        return png_of_size(20_000, 15_000)
    if extension == ".jpg":
        struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, 15_000, 20_000)
    elif extension == ".tif":
        start = struct.unpack_from("<I", content, 4)[0]
        for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
            tag = struct.unpack_from("<H", content, at)[0]
            if tag in (256, 257):
                struct.pack_into("<HHIHH", content, at, tag, 3, 1, 20_000 if tag == 256 else 15_000, 0)
    else:
        struct.pack_into("<HH", content, 26, 16_000, 15_000)
    return bytes(content)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_picture_above_the_limit_is_refused_before_it_is_decoded(tmp_path, extension, nothing_is_decoded):
    path = saved(tmp_path / f"large{extension}", bytes_of(extension, photo(shape=(100, 200, 3))))
    for read in (lambda: read_picture(path, max_megapix=0.019), lambda: stitch(path, path, Options(max_megapix=0.019))):
        with refused(path.name, "200 x 100 px", "0.019 Mpx", "--max-megapix"):
            read()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_small_file_with_a_false_size_is_refused_before_it_is_decoded(tmp_path, extension, nothing_is_decoded):
    path = saved(tmp_path / f"bomb{extension}", with_a_false_size(extension))
    with refused(path.name):
        read_picture(path, max_megapix=400 if extension != ".webp" else 200)  # a WebP may be that small


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_picture_just_below_the_limit_is_read(tmp_path, extension):
    path = saved(tmp_path / f"fits{extension}", bytes_of(extension, photo(shape=(400, 400, 3))))
    assert read_picture(path, max_megapix=0.23).size == (400, 400)


def test_sixteen_bits_alpha_and_progressive_files_count_by_their_bytes(tmp_path, nothing_is_decoded):
    pixels = photo(shape=(1000, 1000, 3))
    full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    for name, content in {
        "deep.png": bytes_of(".png", pixels.astype(np.uint16) * 257),
        "deep.tif": bytes_of(".tif", pixels.astype(np.uint16) * 257),
        "alpha.png": bytes_of(".png", np.dstack([pixels, pixels[..., 0]])),
        "progressive.jpg": bytes_of(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, *full_colour]),
    }.items():
        with refused(name, "1000 x 1000 px", "GB", "--max-megapix"):
            read_picture(saved(tmp_path / name, content), max_megapix=1.1)


def test_the_pictures_of_a_pair_and_their_masks_count_together(tmp_path):
    path = saved(tmp_path / "a.png", bytes_of(".png", photo(shape=(1000, 1000, 3))))
    mask = saved(tmp_path / "mask.png", bytes_of(".png", np.full((1000, 1000), 255, np.uint8)))
    read_pair(path, path, max_megapix=2)
    with refused("a.png", "beside"):
        read_pair(path, path, max_megapix=1.4)
    read_pair(path, photo(), mask, max_megapix=1.6)
    with refused("mask.png", "beside"):
        read_mask(mask, (1000, 1000), max_megapix=1.4, held=8_000_000)


def test_a_pair_of_8_and_16_bits_counts_as_16_bits(tmp_path):
    plain = saved(tmp_path / "plain.jpg", bytes_of(".jpg", photo(shape=(400, 400, 3))))
    deep = saved(tmp_path / "deep.png", bytes_of(".png", photo(np.uint16)))
    first, second = read_pair(deep, plain, max_megapix=0.3)
    assert first.pixels.dtype == np.uint16
    np.testing.assert_array_equal(second.pixels, read_picture(plain).pixels.astype(int) * 257)
    with refused("plain.jpg", "deep.png", "16", "--max-megapix"):
        read_pair(deep, plain, max_megapix=0.2)


def test_a_mask_of_another_size_is_refused_before_it_is_decoded(tmp_path, nothing_is_decoded):
    path = saved(tmp_path / "mask.png", bytes_of(".png", photo()))
    with refused("mask.png", "64 x 48", "48 x 64"):
        read_mask(path, (48, 64))


def test_the_orientation_counts_in_the_size_of_a_header(tmp_path):
    turned = with_exif(stored_turned(photo(), 6), exif_block(6))
    image = Image.fromarray(stored_turned(photo(), 6)[..., ::-1])
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, content in {"a.jpg": turned, "a.tif": pillow_bytes(image, "TIFF", exif=exif)}.items():
        mask = saved(tmp_path / name, content)
        assert read_mask(mask, (64, 48)).shape == (48, 64)


def test_a_film_with_the_first_bytes_of_a_picture_is_not_read_to_its_end(tmp_path):
    path = saved(tmp_path / "film.jpg", bytes_of(".jpg", photo()))
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # bytes that take no space on the disk
    with refused("film.jpg", "GB", "--max-megapix"):
        read_picture(path, max_megapix=1)


def test_a_picture_of_one_pixel_row_is_refused_before_it_is_decoded(tmp_path, nothing_is_decoded):
    with refused("32 px"):
        read_picture(saved(tmp_path / "line.png", png_of_size(100_000, 1, bytes(300_001))))


def test_a_picture_too_long_to_warp_is_refused_before_it_is_decoded(tmp_path, nothing_is_decoded):
    path = saved(tmp_path / "long.png", png_of_size(32_767, 40, bytes(40 * (3 * 32_767 + 1))))
    for read in (lambda: read_picture(path), lambda: read_pair(path, photo())):
        with refused("long.png", "32767 x 40 px", "at most 32766 px a side"):
            read()


def test_an_empty_limit_is_refused():
    for megapix in (0, -1, float("nan"), 1e9):
        with refused("--max-megapix"):
            stitch(photo(), photo(), Options(max_megapix=megapix))
