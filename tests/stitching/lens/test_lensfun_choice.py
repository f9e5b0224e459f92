"""Which photographs lensfun's lenses are for, from the file to the panorama."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stitching.errors import InputError
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.tiff_tags import EXIF, write_directory
from stitching.io.picture import Picture
from stitching.lens import lensfun_search
from stitching.lens.camera import Camera
from stitching.lens.lens_choice import check_lens_choice, lens_for
from stitching.lens_correction import with_lens

NIKON = Camera("NIKON CORPORATION", "NIKON D750", "AF-S NIKKOR 24-70mm f/2.8G ED", 24.0, 24.0, 2.8, 10.0)
SIZE = (400, 300)


def gopro_picture() -> Picture:
    tags = {0x010F: (2, b"GoPro\0"), 0x0110: (2, b"HERO4 Silver\0"), EXIF: {0x920A: (5, b"\3\0\0\0\1\0\0\0")}}
    exif = b"II*\0\x08\0\0\0" + write_directory(tags, 8)
    return Picture(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), metadata=Metadata(exif=exif))


def test_a_photograph_of_an_action_camera_is_corrected_unless_asked_not_to():
    pytest.importorskip("lensfunpy")
    lens = with_lens(gopro_picture(), "auto").lens
    assert lens is not None
    assert lens.name == "GoPro HERO4 Silver"
    assert with_lens(gopro_picture(), "none").lens is None
    assert with_lens(gopro_picture(), "GoPro HERO4 Black").lens.name == "GoPro HERO4 Black"


def test_the_corrected_picture_is_perspective():
    """Straight lines, drawn by the lens, are straight after it."""
    pytest.importorskip("lensfunpy")
    lens = with_lens(gopro_picture(), "auto").lens
    line = np.stack([np.linspace(20, lens.size[0] - 20, 50), np.full(50, 30.0)], axis=-1)
    bent = lens.to_photograph(line)
    assert np.ptp(bent[:, 1]) > 10
    assert np.allclose(lens.to_photograph(np.array([lens.centre])), (np.array(SIZE) - 1) / 2)


def test_a_raw_file_is_corrected_where_its_jpeg_is_left():
    pytest.importorskip("lensfunpy")
    assert lens_for("auto", NIKON, (600, 400), 1, "one", raw=True) is not None
    assert lens_for("auto", NIKON, (600, 400), 1, "one", raw=False) is None


def test_a_name_that_is_no_lens_is_refused_before_pictures_are_read():
    pytest.importorskip("lensfunpy")
    check_lens_choice("gopro hero4 black")
    for name in ("gopro hero44 black", Path("gopro hero44 black")):
        with pytest.raises(InputError, match="did you mean"):
            check_lens_choice(name)


def test_without_lensfunpy_auto_corrects_nothing_and_names_are_refused_with_what_to_install(monkeypatch):
    lensfun_search._database.cache_clear()
    monkeypatch.setitem(sys.modules, "lensfunpy", None)
    assert with_lens(gopro_picture(), "auto").lens is None
    with pytest.raises(InputError, match=r"parastitch\[formats\]"):
        check_lens_choice("GoPro HERO4 Black")
    lensfun_search._database.cache_clear()


def test_pictures_of_other_cameras_do_not_read_the_collection():
    code = (
        "import sys; from stitching.lens.lens_choice import lens_for; from stitching.lens.camera import Camera;"
        "lens_for('auto', Camera('Apple', 'iPhone XS', 'iPhone XS back camera 4.25mm f/1.8', 4.25), (40, 30), 1, 'a');"
        "lens_for('auto', Camera(), (40, 30), 1, 'a', raw=True); print('lensfunpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
