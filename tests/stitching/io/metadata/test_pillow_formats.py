import numpy as np
import pytest
from picture_files import ICC, exif_block, half_transparent, photo, pillow_bytes, refused, saved, stored_turned
from PIL import Image

from stitching.io.colours.made_profiles import made_profile
from stitching.io.picture_reader import read_picture

FORMATS = ["AVIF", "GIF", "BMP"]


def made(format_, array=None, **settings):
    array = photo() if array is None else array
    image = Image.fromarray(array[..., ::-1] if array.ndim == 3 else array)
    best = {"quality": 100, "subsampling": "4:4:4"} if format_ == "AVIF" else {}
    return pillow_bytes(image, format_, **best, **settings)


def difference(pixels):
    return np.abs(pixels.astype(float) - photo()).mean()


@pytest.mark.parametrize("format_", ["AVIF", "BMP"])
def test_pictures_are_read_right(tmp_path, format_):
    assert difference(read_picture(saved(tmp_path / "picture", made(format_))).pixels) < 1


def test_a_gif_is_read_as_its_palette_says(tmp_path):
    colours = np.unique(photo() // 64).size
    few = photo() // 64 * 64
    assert colours <= 4
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "few.gif", made("GIF", few))).pixels, few)


@pytest.mark.parametrize("format_", FORMATS)
def test_grey_is_read(tmp_path, format_):
    pixels = read_picture(saved(tmp_path / "grey", made(format_, photo(shape=(48, 64))))).pixels
    assert np.abs(pixels.astype(float) - photo(shape=(48, 64))[..., None]).mean() < 1


@pytest.mark.parametrize("format_", ["AVIF", "GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, format_):
    first = photo() // 64 * 64
    more = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")], "duration": 100}
    lossless = {"lossless": True} if format_ == "WEBP" else {}
    pixels = read_picture(saved(tmp_path / "film", made(format_, first, **more, **lossless))).pixels
    assert np.abs(pixels.astype(float) - first).mean() < (1 if format_ == "AVIF" else 0.01)


def test_of_a_multi_picture_jpeg_the_first_is_read(tmp_path):
    more = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")], "quality": 95}
    assert difference(read_picture(saved(tmp_path / "stereo.mpo", made("MPO", **more))).pixels) < 1


@pytest.mark.parametrize("format_", ["AVIF", "GIF"])
def test_transparent_pixels_are_not_valid(tmp_path, format_):
    image = Image.fromarray(np.dstack([photo()[..., ::-1], half_transparent()]))
    valid = read_picture(saved(tmp_path / "half", pillow_bytes(image, format_))).valid
    np.testing.assert_array_equal(valid, half_transparent())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = made("AVIF", stored_turned(photo(), orientation), exif=exif)
    assert difference(read_picture(saved(tmp_path / "turned.avif", content)).pixels) < 1


def test_metadata_of_an_avif_are_carried_over(tmp_path):
    content = made("AVIF", exif=exif_block(1), icc_profile=ICC)
    metadata = read_picture(saved(tmp_path / "a.avif", content)).metadata
    assert metadata.icc == ICC
    assert b"Maker" in metadata.exif


def test_coded_colours_of_an_avif_become_a_profile(tmp_path):
    content = made("AVIF")
    assert read_picture(saved(tmp_path / "srgb.avif", content)).metadata.icc is None
    coded = content.replace(b"colrnclx\0\1", b"colrnclx\0\x0c")  # primaries
    assert read_picture(saved(tmp_path / "p3.avif", coded)).metadata.icc == made_profile("Display P3")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_cut_short_is_refused_without_output(tmp_path, format_, share, capfd):
    content = made(format_)
    with refused("cut", f"{format_} file is damaged"):
        read_picture(saved(tmp_path / "cut", content[: int(len(content) * share)]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_above_the_limit_is_not_decoded(tmp_path, format_):
    path = saved(tmp_path / "large", pillow_bytes(Image.new("L", (200, 200)), format_))
    with refused("200 x 200", "--max-megapix"):
        read_picture(path, max_megapix=0.03)
