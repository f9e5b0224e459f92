import errno
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from colour_profiles import cmyk_profile
from picture_files import (
    EXTENSIONS,
    bytes_of,
    exif_block,
    half_transparent,
    photo,
    pillow_bytes,
    refused,
    saved,
    stored_turned,
    with_exif,
)
from PIL import Image

from stitching.io.picture import MIN_SIDE
from stitching.io.picture_reader import read_mask, read_picture
from stitching.io.picture_writer import write_picture

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_content_decides_not_the_extension(tmp_path, extension):
    path = saved(tmp_path / "picture.dat", bytes_of(extension, photo()))
    assert cv2.PSNR(read_picture(path).pixels, photo()) > 30


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_grey_becomes_three_equal_channels(tmp_path, extension):
    pixels = read_picture(saved(tmp_path / "grey", bytes_of(extension, photo(shape=(48, 64))))).pixels
    assert pixels.shape == (48, 64, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_pixels_are_valid_from_half_alpha_on(tmp_path):
    pixels = np.dstack([photo(), np.full((48, 64), 127, np.uint8)])
    pixels[:10, :, 3] = 128
    valid = read_picture(saved(tmp_path / "soft.png", bytes_of(".png", pixels))).valid
    assert (valid[:10] == 255).all()
    assert (valid[10:] == 0).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_pixels_are_upright(tmp_path, orientation, order):
    content = with_exif(stored_turned(photo(), orientation), exif_block(orientation, order))
    picture = read_picture(saved(tmp_path / "turned.jpg", content))
    assert picture.size == (64, 48)
    assert picture.orientation == orientation  # by which a calibration of the sensor is turned, too
    assert cv2.PSNR(picture.pixels, photo()) > 35


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_other_formats_are_upright_too(tmp_path, orientation, format_):
    image = Image.fromarray(stored_turned(photo(), orientation)[..., ::-1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if format_ == "WEBP" else {}
    path = saved(tmp_path / "turned", pillow_bytes(image, format_, exif=exif, **lossless))
    np.testing.assert_array_equal(read_picture(path).pixels, photo())
    assert read_picture(path).orientation == orientation


def test_the_orientation_is_applied_to_alpha(tmp_path):
    stored = stored_turned(np.dstack([photo(), half_transparent()]), 6)
    picture = read_picture(saved(tmp_path / "turned.png", with_exif(stored, exif_block(6), ".png")))
    np.testing.assert_array_equal(picture.valid, half_transparent())


def test_a_cmyk_jpeg_and_a_palette_png_are_read(tmp_path):
    image = Image.fromarray(photo()[..., ::-1])
    cmyk = saved(tmp_path / "cmyk.jpg", pillow_bytes(image.convert("CMYK"), "JPEG", quality=95))
    assert cv2.PSNR(read_picture(cmyk).pixels, photo()) > 20
    palette = saved(tmp_path / "palette.png", pillow_bytes(image.quantize(200), "PNG"))
    assert cv2.PSNR(read_picture(palette).pixels, photo()) > 20


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "GIF"])
def test_pictures_of_one_bit_are_read(tmp_path, format_):
    image = Image.fromarray(photo(shape=(48, 64))).convert("1")
    pixels = read_picture(saved(tmp_path / "bits", pillow_bytes(image, format_))).pixels
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(image) * np.uint8(255))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_with_alpha_is_read_from_a_png(tmp_path, depth):
    grey = photo(depth, (48, 64))
    alpha = half_transparent().astype(depth) * (257 if depth == np.uint16 else 1)
    stored = np.dstack([grey, alpha]).astype(f">u{np.dtype(depth).itemsize}")
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    header = struct.pack(">IIBBBBB", 64, 48, 8 * np.dtype(depth).itemsize, 4, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    framed = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    picture = read_picture(saved(tmp_path / "grey.png", b"\x89PNG\r\n\x1a\n" + b"".join(framed)))
    np.testing.assert_array_equal(picture.valid, half_transparent())
    np.testing.assert_array_equal(picture.pixels[:, 32:, 1], grey[:, 32:])


def test_a_jpeg_of_twelve_bits_is_refused(tmp_path):
    content = bytearray(bytes_of(".jpg", photo()))
    frame = content.index(b"\xff\xc0")
    content[frame + 4] = 12
    with refused("twelve.jpg", "3 x 12 bits", "8 bits"):
        read_picture(saved(tmp_path / "twelve.jpg", bytes(content)))


def test_pipes_and_devices_are_refused_without_waiting_for_them(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with refused(str(path), "pipe or a device"):
            read_picture(path)
        with refused(str(path), "pipe or a device"):
            read_mask(path, (64, 48))


def test_missing_file_and_folder_are_named(tmp_path):
    with refused("missing.jpg", "no such file"):
        read_picture(tmp_path / "missing.jpg")
    with refused(str(tmp_path), "folder"):
        read_picture(tmp_path)


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path / "locked.jpg", bytes_of(".jpg", photo()))

    def refuse(*_args, **_settings):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with refused("locked.jpg", "Permission denied"):
        read_picture(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, this is no picture", "JPEG, PNG, TIFF, WebP, HEIC, AVIF, GIF, BMP or RAW"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "JPEG 2000"),
        (b"\xff\xd8\xff", "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (b"II*\0", "cut short"),
        (b"RIFF\x10\0\0\0WEBP", "cut short"),
    ],
)
def test_files_that_are_no_pictures_are_refused(tmp_path, content, word):
    with refused("bad", word):
        read_picture(saved(tmp_path / "bad", content))


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused_without_output_of_the_decoder(tmp_path, extension, share, capfd):
    content = bytes_of(extension, photo(shape=(200, 300, 3)))
    with refused("cut short"):
        read_picture(saved(tmp_path / "cut", content[: int(len(content) * share)]))
    assert capfd.readouterr() == ("", "")


def test_good_files_are_read_without_output_of_the_decoder(tmp_path, capfd):
    image = Image.fromarray(photo()[..., ::-1])
    odd_profile = saved(tmp_path / "odd.png", pillow_bytes(image, "PNG", icc_profile=b"no profile" * 20))
    four = saved(tmp_path / "four.tif", bytes_of(".tif", np.dstack([photo(), half_transparent()])))
    np.testing.assert_array_equal(read_picture(odd_profile).pixels, photo())
    np.testing.assert_array_equal(read_picture(four).valid, half_transparent())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2000, 3), (3, 2000), (MIN_SIDE - 1, 100)])
def test_a_picture_too_small_to_match_is_refused(tmp_path, width, height):
    with refused(f"{width} x {height}", str(MIN_SIDE)):
        read_picture(saved(tmp_path / "small.png", bytes_of(".png", np.zeros((height, width, 3), np.uint8))))


def test_masks_of_every_type_give_the_same(tmp_path):
    expected = half_transparent()
    write_picture(tmp_path / "mask.png", expected)
    write_picture(tmp_path / "mask.jpg", expected)
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = expected
    masks = [
        *(expected, expected > 0, expected.astype(np.uint16) * 257, expected[..., None], red),
        np.dstack([np.full_like(red, 255), expected]),
        *(tmp_path / "mask.png", str(tmp_path / "mask.jpg")),
    ]
    for mask in masks:
        found = read_mask(mask, (64, 48))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_the_orientation_of_a_mask_is_applied(tmp_path):
    stored = stored_turned(half_transparent()[..., None], 6)[..., 0]
    path = saved(tmp_path / "mask.jpg", with_exif(stored, exif_block(6)))
    np.testing.assert_array_equal(read_mask(path, (64, 48)), half_transparent())


def test_masks_that_do_not_fit_are_refused():
    with refused("48 x 64", "64 x 48"):
        read_mask(np.full((64, 48), 255, np.uint8), (64, 48))
    with refused("ignores every pixel", "largest value is 1", "255"):
        read_mask(np.ones((48, 64), np.uint8), (64, 48))


def test_too_little_memory_is_not_taken_for_damage(tmp_path):
    small, large = photo(), np.zeros((2500, 2500, 3), np.uint8)
    for extension in EXTENSIONS:
        saved(tmp_path / f"small{extension}", bytes_of(extension, small))
        saved(tmp_path / f"large{extension}", bytes_of(extension, large))
    script = f"""
import resource
from pathlib import Path
from stitching.io.picture_reader import read_picture
for path in Path({str(tmp_path)!r}).glob("small*"):  # loads what is needed
    read_picture(path)
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 10_000_000
resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
for path in Path({str(tmp_path)!r}).glob("large*"):
    try:
        read_picture(path)
    except MemoryError:
        print("MemoryError")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("MemoryError\n" * len(EXTENSIONS), "")


def test_packages_for_rare_formats_are_not_imported_for_others(tmp_path):
    path = saved(tmp_path / "photo.jpg", bytes_of(".jpg", photo()))
    script = f"""
import sys
from stitching.input_pair import read_pair
read_pair({str(path)!r}, {str(path)!r})
print(sorted({{"PIL", "pi_heif", "rawpy", "tifffile"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def cmyk(format_, **settings):
    """Bands of no ink, cyan, magenta, yellow and black."""
    inks = np.zeros((50, 64, 4), np.uint8)
    for band in range(4):
        inks[10 * (band + 1) : 10 * (band + 2), :, band] = 255
    return pillow_bytes(Image.fromarray(inks, "CMYK"), format_, **settings)


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_inks_are_converted_by_their_profile(tmp_path, format_):
    quality = {"quality": 100} if format_ == "JPEG" else {}
    content = cmyk(format_, icc_profile=cmyk_profile(), **quality)
    picture = read_picture(saved(tmp_path / "inks", content))
    assert picture.metadata.icc is None  # sRGB
    paper, cyan, magenta, yellow, black = (picture.pixels[5 + 10 * band, 32] for band in range(5))
    assert paper.min() > 250
    np.testing.assert_allclose(cyan, [226, 146, 0], atol=8)  # L a b of (55, -37, -50) in sRGB, computed by hand
    assert magenta[2] > 180 > 130 > magenta[1]
    assert yellow[1] > 200 > 80 > yellow[0]
    np.testing.assert_allclose(black, 40, atol=6)  # L = 16


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_damaged_inks_are_refused(tmp_path, format_):
    content = cmyk(format_, icc_profile=cmyk_profile())
    with refused("damaged"):
        read_picture(saved(tmp_path / "cut", content[: int(0.8 * len(content))]))


def test_a_profile_of_inks_that_cannot_be_used_is_named(tmp_path):
    broken = cmyk_profile().replace(b"mft1", b"xxxx")
    with refused("inks.jpg", "colour profile"):
        read_picture(saved(tmp_path / "inks.jpg", cmyk("JPEG", icc_profile=broken)))


def test_tiffs_of_lab_and_of_more_inks_are_refused(tmp_path):
    lab = Image.fromarray(photo()[..., ::-1]).convert("LAB")
    with refused("lab.tif", "Lab colours"):
        read_picture(saved(tmp_path / "lab.tif", pillow_bytes(lab, "TIFF")))
