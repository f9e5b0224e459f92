"""What is believed of the camera that EXIF names."""

import struct

import pytest

from stitching.io.metadata.camera_exif import camera_of
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.tiff_tags import EXIF, Directory, write_directory
from stitching.lens.camera import Camera

ASCII, SHORT, RATIONAL, SIGNED, FLOAT = 2, 3, 5, 10, 11
MAKE, MODEL, LENS = 0x010F, 0x0110, 0xA434
F_NUMBER, APEX, DISTANCE, FOCAL, ZOOM, FOCAL_35MM = 0x829D, 0x9202, 0x9206, 0x920A, 0xA404, 0xA405


def metadata(tags: Directory, exif: Directory) -> Metadata:
    return Metadata(b"II*\0\x08\0\0\0" + write_directory({**tags, EXIF: exif}, 8))


def rational(over: int, under: int) -> tuple[int, bytes]:
    return RATIONAL, struct.pack("<II", over, under)


def short(value: int) -> tuple[int, bytes]:
    return SHORT, struct.pack("<H", value)


def test_a_camera_with_a_lens_is_read() -> None:
    tags: Directory = {MAKE: (ASCII, b"NIKON CORPORATION\0"), MODEL: (ASCII, b"NIKON D750\0")}
    exif: Directory = {
        LENS: (ASCII, b"AF-S NIKKOR 24-70mm f/2.8G ED\0"),
        FOCAL: rational(240, 10),
        FOCAL_35MM: short(24),
        F_NUMBER: rational(28, 10),
        DISTANCE: rational(5, 2),
    }
    expected = Camera("NIKON CORPORATION", "NIKON D750", "AF-S NIKKOR 24-70mm f/2.8G ED", 24.0, 24.0, 2.8, 2.5)
    assert camera_of(metadata(tags, exif)) == expected


def test_an_action_camera_names_no_lens() -> None:
    tags: Directory = {MAKE: (ASCII, b"GoPro\0"), MODEL: (ASCII, b"HERO4 Silver\0")}
    assert camera_of(metadata(tags, {FOCAL: rational(3, 1)})) == Camera("GoPro", "HERO4 Silver", focal=3.0)


@pytest.mark.parametrize(
    "garbage",
    [
        (RATIONAL, struct.pack("<II", 50, 0)),
        (RATIONAL, struct.pack("<II", 0, 1)),
        (RATIONAL, struct.pack("<II", 2**32 - 1, 1)),
        (SIGNED, struct.pack("<ii", -50, 1)),
        (FLOAT, struct.pack("<f", float("nan"))),
        (FLOAT, struct.pack("<f", float("inf"))),
        (ASCII, b"50 mm\0"),
        (SHORT, struct.pack("<H", 0)),
    ],
)
def test_numbers_that_mean_nothing_are_unknown(garbage: tuple[int, bytes]) -> None:
    exif: Directory = dict.fromkeys((F_NUMBER, APEX, DISTANCE, FOCAL, FOCAL_35MM, ZOOM), garbage)
    assert camera_of(metadata({}, exif)) == Camera()


def test_names_end_at_a_nul_and_hold_nothing_that_cannot_be_printed() -> None:
    tags: Directory = {MAKE: (ASCII, b"  Canon \0\0\xff\xfe"), MODEL: (ASCII, b"\x1b[31mEOS\xff" + b"x" * 1000)}
    camera = camera_of(metadata(tags, {}))
    assert camera.make == "Canon"
    assert camera.model.isprintable()
    assert len(camera.model) == 100


def test_under_digital_zoom_the_lens_shows_more_than_the_picture() -> None:
    zoomed = camera_of(metadata({}, {FOCAL: rational(4, 1), FOCAL_35MM: short(52), ZOOM: rational(2, 1)}))
    assert zoomed == Camera(focal_35mm=52.0)


def test_an_apex_aperture_is_an_f_number() -> None:
    assert camera_of(metadata({}, {APEX: rational(4, 1)})).aperture == pytest.approx(4.0)


def test_metadata_without_exif_knows_nothing() -> None:
    assert camera_of(Metadata()) == Camera()
    assert camera_of(Metadata(exif=b"Exif\0\0 not a block")) == Camera()
