"""The focal length that is known before anything is matched."""

import struct

import numpy as np
import pytest

from stitching.alignment.known_focal import known_focal
from stitching.geometry.homographies import focal_length
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.tiff_tags import EXIF, write_directory
from stitching.io.picture import Picture
from stitching.lens.calibrated_lens import CalibratedLens
from stitching.lens.distortions import BrownDistortion
from stitching.lens.lens import Lens


def photograph(size: tuple[int, int], focal_35mm: int, lens: Lens | None = None) -> Picture:
    exif = write_directory({EXIF: {0xA405: (3, struct.pack("<H", focal_35mm))}}, 8)
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    return Picture(pixels, metadata=Metadata(exif=b"II*\0\x08\0\0\0" + exif), lens=lens)


@pytest.mark.parametrize("size", [(600, 400), (400, 600), (640, 480), (640, 360)])
def test_exif_says_the_focal_length_by_the_diagonal(size):
    assert known_focal(photograph(size, 43)) == pytest.approx(2.0, rel=0.01)


def test_photographs_of_unusual_shape_without_exif_or_with_nonsense_have_none():
    assert known_focal(photograph((600, 200), 43)) is None
    assert known_focal(photograph((500, 480), 43)) is None
    assert all(known_focal(photograph((600, 400), focal)) is None for focal in (0, 1, 2900, 65535))
    assert known_focal(Picture(np.zeros((400, 600, 3), np.uint8))) is None


def test_without_a_focal_length_of_35_mm_film_the_crop_factor_of_the_camera_tells_it():
    pytest.importorskip("lensfunpy")
    tags = {
        0x010F: (2, b"Canon\0"),
        0x0110: (2, b"Canon EOS 500D\0"),
        EXIF: {0x920A: (5, struct.pack("<II", 50, 1))},
    }
    exif = b"II*\0\x08\0\0\0" + write_directory(tags, 8)
    picture = Picture(np.zeros((400, 600, 3), np.uint8), metadata=Metadata(exif=exif))
    assert known_focal(picture) == pytest.approx(2 * 50 * 1.61 / 43.27, rel=0.01)


def test_a_corrected_lens_knows_it_better_than_exif():
    lens = Lens.of(CalibratedLens.of("file", (600, 400), BrownDistortion(), (500, 500), (299.5, 199.5)))
    picture = photograph((600, 400), 200, lens)
    assert known_focal(picture) == pytest.approx(500 / (np.hypot(*picture.size) / 2))


def test_a_known_focal_length_replaces_none_and_a_very_different_one():
    """Of a turn by 20 degrees with a focal length of 500 px; and of a translation, which tells none."""
    angle, size = np.deg2rad(20), (600, 400)
    camera = np.array([[500, 0, 299.5], [0, 500, 199.5], [0, 0, 1]])
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    homography = camera @ turn @ np.linalg.inv(camera)
    assert focal_length(homography / homography[2, 2], size, size, known=540) == pytest.approx(500)
    assert focal_length(homography / homography[2, 2], size, size, known=900) == 900
    assert focal_length(np.eye(3), size, size, known=800) == 800
