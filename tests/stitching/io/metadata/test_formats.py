"""Metadata from files of Pillow into files that Pillow reads."""

import numpy as np
import pytest
from picture_files import EXTENSIONS, ICC, XMP, exif_block, half_transparent, photo, pillow_bytes, saved, stored_turned
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stitching.io.metadata.contents import Metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture


def made_by_pillow(path):
    """A file with orientation 6 that holds all three kinds of metadata."""
    image = Image.fromarray(stored_turned(photo(), 6)[..., ::-1])
    exif, text = Image.Exif(), PngInfo()
    exif.load(exif_block(6, ">"))
    settings = {"exif": exif, "icc_profile": ICC}
    if path.suffix == ".png":
        text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        settings["pnginfo"] = text
    elif path.suffix == ".tif":
        exif[700] = XMP
    else:
        settings["xmp"] = XMP
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("target", EXTENSIONS)
@pytest.mark.parametrize("source", EXTENSIONS)
def test_metadata_is_carried_from_every_format_to_every_format(tmp_path, source, target):
    metadata = read_picture(made_by_pillow(tmp_path / f"source{source}")).metadata
    path = tmp_path / f"panorama{target}"
    write_picture(path, photo(), metadata=metadata)
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[0x010F] == "Maker"
        assert exif[0x0112] == 1
        assert exif.get_ifd(0x8769) == {0x829A: 1 / 250}
        assert image.info["icc_profile"] == ICC
        assert image.info["xmp"].replace(b"\0", b"") == XMP.replace(b'"6"', b'"1"')
        assert image.size == (64, 48)
    assert read_picture(path).metadata == metadata


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_metadata_does_not_change_the_pixels(tmp_path, extension, depth):
    write_picture(tmp_path / f"plain{extension}", photo(depth), half_transparent())
    full = Metadata(exif_block(1), ICC, XMP)
    write_picture(tmp_path / f"full{extension}", photo(depth), half_transparent(), full)
    plain, full = (read_picture(tmp_path / f"{name}{extension}") for name in ("plain", "full"))
    np.testing.assert_array_equal(plain.pixels, full.pixels)
    assert (plain.valid is None) == (full.valid is None)


def test_a_profile_too_large_for_other_formats_is_dropped(tmp_path):
    huge = tmp_path / "huge.tif"
    Image.fromarray(photo()[..., ::-1]).save(huge, icc_profile=ICC + bytes(20_000_000))
    metadata = read_picture(huge).metadata
    assert metadata.icc is None
    write_picture(tmp_path / "panorama.jpg", photo(), metadata=metadata)


def test_a_grey_profile_is_dropped(tmp_path):
    grey = ICC.replace(b"RGB ", b"GRAY")
    image = Image.fromarray(photo(shape=(48, 64)))
    path = saved(tmp_path / "grey.jpg", pillow_bytes(image, "JPEG", icc_profile=grey))
    assert read_picture(path).metadata == Metadata()
