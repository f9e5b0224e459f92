import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import half_transparent, photo, refused, saved

from stitching.errors import InputError
from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.heif import heif_error
from stitching.io.picture_reader import read_picture

FILES = Path(__file__).parents[3] / "data" / "heic"
NAMES = ("p3", "turned", "ten_bit", "second_of_two")


@pytest.fixture(autouse=True)
def pi_heif():
    return pytest.importorskip("pi_heif")


def heic(name):
    return FILES / f"{name}.heic"


def difference(pixels):
    """Mean difference of 8-bit pixels to the picture that the files were made from, of 255."""
    return np.abs(pixels.astype(float) - photo()).mean()


@pytest.mark.parametrize("name", NAMES)
def test_heic_is_read_upright_and_right(name):
    pixels = read_picture(heic(name)).pixels
    assert difference(pixels if pixels.dtype == np.uint8 else pixels / 257) < 1


def test_ten_bits_become_sixteen_and_white_stays_white():
    pixels = read_picture(heic("ten_bit")).pixels
    assert pixels.dtype == np.uint16
    assert pixels.max() == 65535


def test_metadata_of_a_heic_are_carried_over():
    metadata = read_picture(heic("p3")).metadata
    assert metadata.icc == made_profile("Display P3")
    assert b"Maker" in metadata.exif
    assert b"xmpmeta" in metadata.xmp


def test_coded_colours_become_a_profile():
    assert read_picture(heic("ten_bit")).metadata.icc == made_profile("Display P3")
    assert read_picture(heic("turned")).metadata.icc is None  # coded, as sRGB


def test_of_several_pictures_the_primary_one_is_read():
    picture = read_picture(heic("second_of_two"))
    assert difference(picture.pixels) < 1
    np.testing.assert_array_equal(picture.valid, half_transparent())


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", NAMES)
def test_a_heic_cut_short_is_refused_without_output_of_the_decoder(tmp_path, name, share, capfd):
    content = heic(name).read_bytes()
    with refused("cut", "HEIC file is damaged"):
        read_picture(saved(tmp_path / "cut", content[: int(share * len(content))]))
    assert capfd.readouterr() == ("", "")


def test_a_heic_larger_than_it_says_is_refused(tmp_path):
    """The decoder makes no more pixels than the header allows, whatever is in the stream."""
    small, true = struct.pack(">II", 32, 32), struct.pack(">II", 64, 64)
    content = heic("p3").read_bytes()
    assert content.count(true) == 1
    with refused("false.heic", "damaged"):
        read_picture(saved(tmp_path / "false.heic", content.replace(true, small)))


def test_a_heic_above_the_limit_is_not_decoded(tmp_path):
    with refused("64 x 48", "--max-megapix"):
        read_picture(heic("turned"), max_megapix=0.002)
    # 64 x 48 px are shown of a picture that says that it has many more.
    content = heic("p3").read_bytes().replace(struct.pack(">II", 64, 64), struct.pack(">II", 9000, 9000))
    with refused("64 x 48", "--max-megapix"):
        read_picture(saved(tmp_path / "large.heic", content), max_megapix=10)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("p3", b"Exif\0"), ("p3", b"application/rdf+xml"), ("second_of_two", b"urn:mpeg:hevc:2015:auxid:1")],
)
def test_damaged_names_of_items_do_not_crash_the_decoder(tmp_path, name, kind):
    content = heic(name).read_bytes()
    assert kind in content
    with refused("damaged.heic", "damaged"):
        read_picture(saved(tmp_path / "damaged.heic", content.replace(kind, b"\xe4" + kind[1:], 1)))


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with refused("p3.heic", "pip install 'parastitch[formats]'"):
        read_picture(heic("p3"))


def test_too_little_memory_is_not_taken_for_damage():
    """libheif reports it in words."""
    out_of_memory = heif_error(ValueError("Memory allocation error: Unspecified: Allocating 365 bytes failed"), "a")
    assert isinstance(out_of_memory, MemoryError)
    too_large = heif_error(RuntimeError("Memory allocation error: Security limit exceeded: Image size"), "a")
    assert isinstance(too_large, InputError)
