import cv2
import numpy as np
import pytest
from picture_files import bytes_of, photo, pillow_bytes, refused, saved
from PIL import Image

from stitching.io.picture_reader import read_mask, read_picture

FULL = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
ODD_SIZE = (397, 601)  # rows, columns; not whole blocks
KINDS = {
    "baseline": [],
    "full colour": FULL,
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
    "optimized": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "half the rows": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440],
    "a quarter of the columns": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411],
}


def textured(shape):
    noise = np.random.default_rng(3).integers(0, 30, shape, np.uint8)
    return cv2.add(photo(shape=shape) // 2, noise)


def by_opencv(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def header_end(content):
    """Where the compressed rows begin."""
    at = content.index(b"\xff\xda")
    return at + 2 + int.from_bytes(content[at + 2 : at + 4])


@pytest.mark.parametrize("shape", [ODD_SIZE, (*ODD_SIZE, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_is_that_of_opencv(tmp_path, kind, shape):
    content = bytes_of(".jpg", textured(shape), KINDS[kind])
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.jpg", content)).pixels, by_opencv(content))


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"subsampling": 2}, {"mode": "RGB"}])
def test_cmyk_and_rgb_jpegs_are_read_as_before(tmp_path, settings):
    settings = dict(settings)
    image = Image.fromarray(textured((*ODD_SIZE, 3))).convert(settings.pop("mode", "CMYK"))
    content = pillow_bytes(image, "JPEG", keep_rgb=True, **settings)
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.jpg", content)).pixels, by_opencv(content))


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_with_zeroed_bytes_is_refused(tmp_path, kind, capfd):
    content = bytearray(bytes_of(".jpg", textured((*ODD_SIZE, 3)), KINDS[kind]))
    assert len(content) > 40_000
    content[20_000:24_096] = bytes(4096)
    path = saved(tmp_path / "zeroed.jpg", bytes(content))
    with refused("zeroed.jpg", "damaged", "copy", "viewer"):
        read_picture(path)
    with refused("zeroed.jpg", "damaged"):
        read_mask(path, ODD_SIZE[::-1])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["missing", "twice", "noise"])
@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts"])
def test_a_jpeg_with_other_damage_is_refused(tmp_path, kind, damage):
    content = bytes_of(".jpg", textured((*ODD_SIZE, 3)), KINDS[kind])
    part = content[20_000:21_000]
    changed = {"missing": b"", "twice": part + part, "noise": np.random.default_rng(5).bytes(1000)}[damage]
    with refused("bad.jpg", "damaged"):
        read_picture(saved(tmp_path / "bad.jpg", content[:20_000] + changed + content[21_000:]))


def odd_headers(content):
    """A healthy JPEG as odd devices write it: what, and the file."""
    rows = header_end(content)
    jfif = content.index(b"JFIF\0")
    tables = content.index(b"\xff\xdb")
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x07"
    profile = b"\xff\xe2\0\x20ICC_PROFILE\0\x05\x02" + bytes(16)
    return {
        "progression": content[: rows - 3] + bytes(3) + content[rows:],
        "JFIF version": content[: jfif + 5] + b"\x03" + content[jfif + 6 :],
        "colour transform": content[:2] + adobe + content[tables:],
        "profile": content[:tables] + profile + content[tables:],
        "bytes between segments": content[:tables] + b"\0\0\0" + content[tables:],
        "padding": content[:-2] + bytes(6) + content[-2:],
        "filling": content[:-2] + b"\xff" * 100 + content[-2:],
    }


ODD_HEADERS = list(odd_headers(bytes_of(".jpg", photo())))


@pytest.mark.parametrize("what", ODD_HEADERS)
def test_a_healthy_jpeg_with_an_odd_header_is_read(tmp_path, what, capfd):
    content = bytes_of(".jpg", photo())
    path = saved(tmp_path / "odd.jpg", odd_headers(content)[what])
    np.testing.assert_array_equal(read_picture(path).pixels, by_opencv(content))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("what", ODD_HEADERS[:-2])
def test_an_odd_header_does_not_hide_damage(tmp_path, what):
    content = bytes_of(".jpg", textured((*ODD_SIZE, 3)))
    odd = bytearray(odd_headers(content)[what])
    odd[20_000:24_096] = bytes(4096)
    with refused("odd.jpg", "damaged"):
        read_picture(saved(tmp_path / "odd.jpg", bytes(odd)))


@pytest.mark.parametrize("remains", [7, 16])
def test_what_shifted_rows_leave_before_the_end_is_no_padding(tmp_path, remains):
    content = bytes_of(".jpg", textured((*ODD_SIZE, 3)))
    with refused("shifted.jpg", "damaged"):
        read_picture(saved(tmp_path / "shifted.jpg", content[:-2] + bytes([0xA5] * remains) + content[-2:]))


def test_a_jpeg_of_a_thousand_scans_is_refused(tmp_path):
    content = bytes_of(".jpg", photo(), KINDS["progressive"])
    scans = b"\xff\xda\0\x08\1\1\0\0\0\0" * 1000
    with refused("scans.jpg", "scans"):
        read_picture(saved(tmp_path / "scans.jpg", content[:-2] + scans + content[-2:]))
