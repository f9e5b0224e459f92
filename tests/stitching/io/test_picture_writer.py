"""Writing pictures; Pillow checks the files."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from picture_files import EXTENSIONS, ICC, XMP, exif_block, half_transparent, photo, refused, saved
from PIL import Image

from stitching.errors import InputError, JobError
from stitching.io.metadata.contents import Metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import check_output, write_picture


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", [".png", ".tif", ".TIFF"])
def test_lossless_formats_give_back_every_value(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(depth))
    picture = read_picture(path)
    assert picture.pixels.dtype == depth
    assert picture.size == (64, 48)
    assert picture.valid is None
    assert picture.name == str(path)
    np.testing.assert_array_equal(picture.pixels, photo(depth))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_lossless_formats_keep_alpha_and_the_visible_pixels(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    alpha = half_transparent()
    write_picture(path, photo(depth), alpha)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.valid, alpha)
    np.testing.assert_array_equal(picture.pixels[alpha > 0], photo(depth)[alpha > 0])


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_lossy_formats_lose_little_and_hold_8_bits(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(depth))
    pixels = read_picture(path).pixels
    assert pixels.dtype == np.uint8
    expected = photo(depth) if depth == np.uint8 else np.round(photo(depth) / 257).astype(np.uint8)
    assert cv2.PSNR(pixels, expected) > 38


def test_webp_keeps_alpha(tmp_path):
    write_picture(tmp_path / "panorama.webp", photo(), half_transparent(), Metadata(xmp=XMP))
    np.testing.assert_array_equal(read_picture(tmp_path / "panorama.webp").valid, half_transparent())


def test_jpeg_shows_the_background_where_alpha_is_zero(tmp_path):
    write_picture(tmp_path / "panorama.jpg", photo(), half_transparent(), background=(0, 128, 255))
    pixels = read_picture(tmp_path / "panorama.jpg").pixels
    assert np.abs(pixels[:, :24].astype(int) - (0, 128, 255)).max() <= 4
    assert cv2.PSNR(pixels[:, 40:], photo()[:, 40:]) > 38


def test_opaque_alpha_writes_no_alpha_channel(tmp_path):
    write_picture(tmp_path / "with.png", photo(), np.full((48, 64), 255, np.uint8))
    write_picture(tmp_path / "without.png", photo())
    assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_pillow_reads_the_same_picture(tmp_path, extension):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(), half_transparent())
    with Image.open(path) as image:
        assert image.mode == ("RGB" if extension == ".jpg" else "RGBA")
        valid = np.array(image)[:, 40:, 2::-1]
    assert cv2.PSNR(np.ascontiguousarray(valid), np.ascontiguousarray(photo()[:, 40:])) > 38


def test_grey_masks_are_written_as_grey(tmp_path):
    write_picture(tmp_path / "mask.png", half_transparent(), metadata=Metadata(icc=ICC))
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_input_gives_the_same_bytes(tmp_path, extension):
    for name in ("first", "second"):
        write_picture(tmp_path / (name + extension), photo(), half_transparent(), Metadata(exif_block(1), ICC, XMP))
    assert (tmp_path / f"first{extension}").read_bytes() == (tmp_path / f"second{extension}").read_bytes()


def test_unknown_extensions_are_refused_with_the_known_ones(tmp_path):
    for name in ("panorama.bmp", "panorama", "panorama.jpg.part"):
        with refused(name, ".jpg", ".png", ".tif", ".webp"):
            check_output(tmp_path / name)


def test_a_panorama_too_large_for_its_format_is_refused(tmp_path):
    with refused("20000 x 100", "WebP", "16383"):
        check_output(tmp_path / "a.webp", (20_000, 100))
    check_output(tmp_path / "a.png", (20_000, 100))
    with pytest.raises(InputError):
        write_picture(tmp_path / "a.jpg", np.zeros((1, 66_000, 3), np.uint8))


def test_arrays_that_do_not_fit_together_are_refused(tmp_path):
    for pixels, alpha in (
        (photo(), half_transparent()[1:]),
        (photo(), half_transparent() > 0),
        (photo()[..., :2], None),
    ):
        with pytest.raises(InputError):
            write_picture(tmp_path / "a.png", pixels, alpha)
    with refused("pass the fourth as alpha"):
        write_picture(tmp_path / "a.png", np.dstack([photo(), half_transparent()]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, extension):
    path = saved(tmp_path / f"panorama{extension}", b"old")
    opened = Path.open

    def open_on_full_disk(self, mode="r", *arguments, **settings):
        file = opened(self, mode, *arguments, **settings)
        return FullDisk(file) if "w" in mode else file

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with refused(path.name, "No space left", error=JobError):
        write_picture(path, photo())
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


class FullDisk:
    """A file that takes ten bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def writelines(self, parts):
        self.file.write(bytes(parts[0])[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_log_level_of_opencv_is_restored(tmp_path):
    level = cv2.utils.logging.getLogLevel()
    write_picture(tmp_path / "a.png", photo())
    read_picture(tmp_path / "a.png")
    assert cv2.utils.logging.getLogLevel() == level


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_in_8_bits_few_of_16_are_stretched_and_in_16_they_keep_their_values(tmp_path, extension):
    few = 29000 + photo(shape=(96, 128, 3)).astype(np.uint16) * 2
    levels = 29000, 29510
    write_picture(tmp_path / f"plain{extension}", photo(shape=(96, 128, 3)))
    write_picture(tmp_path / f"few{extension}", few, levels=levels)
    write_picture(tmp_path / "few.png", few, levels=levels)
    plain, stretched = (read_picture(tmp_path / f"{name}{extension}").pixels for name in ("plain", "few"))
    np.testing.assert_array_equal(stretched, plain)
    np.testing.assert_array_equal(read_picture(tmp_path / "few.png").pixels, few)
