"""RAW files and DNG: recognised, developed, refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import bytes_of, photo, refused, saved
from raw_files import WHITE, patches, srgb, write_dng
from tifffile import TiffWriter, imwrite

from stitching.input_files import expand_inputs
from stitching.input_pair import read_pair
from stitching.input_set import open_pictures
from stitching.io.metadata.tiff_tags import read_block
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture
from stitching.io.raw.recognition import is_raw

ROOT = Path(__file__).parents[4]
WARM, COLD = (1.3, 1.0, 0.7), (0.8, 1.0, 1.25)
CENTRES = [(16 + 32 * row, 16 + 32 * column) for row in range(2) for column in range(3)]  # (y, x) of the patches


def colours(picture):
    """(6, 3) RGB in the middle of each patch."""
    return np.array([picture.pixels[centre][::-1] for centre in CENTRES], int)


def expected(light=(1.0, 1.0, 1.0)):
    linear = patches()
    return np.array([srgb(np.clip(linear[centre] * light, 0, 1)) for centre in CENTRES])


@pytest.mark.parametrize("cfa", [True, False], ids=["mosaic", "demosaiced"])
def test_a_dng_has_the_colours_of_the_scene(tmp_path, cfa):
    picture = read_picture(write_dng(tmp_path / "a.dng", patches(), cfa=cfa))
    assert picture.size == (96, 64)
    assert picture.pixels.dtype == np.uint16
    np.testing.assert_allclose(colours(picture), expected(), atol=40)  # of 65535


def test_a_raw_file_is_one_whatever_it_is_called(tmp_path):
    """Its lens is corrected, which cameras do in their JPEGs."""
    assert read_picture(write_dng(tmp_path / "a.jpg", patches())).is_raw
    assert not read_picture(saved(tmp_path / "a.dng", bytes_of(".png", photo()))).is_raw


def test_a_dark_scene_stays_dark(tmp_path):
    """Nothing is brightened by what the picture shows."""
    dark = read_picture(write_dng(tmp_path / "a.dng", patches() / 16))
    np.testing.assert_allclose(colours(dark)[0], srgb(np.full(3, 0.5 / 16)), atol=80)


@pytest.mark.parametrize("light", [WARM, COLD], ids=["warm", "cold"])
def test_the_white_balance_of_the_camera_is_taken(tmp_path, light):
    picture = read_picture(write_dng(tmp_path / "a.dng", patches() * 0.8, light=light))
    np.testing.assert_allclose(colours(picture)[0], srgb(np.full(3, 0.4)), atol=60)


def test_both_pictures_of_a_pair_have_the_white_balance_of_the_reference(tmp_path):
    warm = write_dng(tmp_path / "warm.dng", patches() * 0.7, light=WARM)
    cold = write_dng(tmp_path / "cold.dng", patches() * 0.7, light=COLD)
    first, second = read_pair(warm, cold)
    np.testing.assert_allclose(colours(first)[0], srgb(np.full(3, 0.35)), atol=60)
    np.testing.assert_allclose(colours(second)[0], srgb(0.35 * np.array(COLD) / WARM), atol=100)


def test_a_raw_target_beside_a_jpeg_has_its_own_white_balance(tmp_path):
    jpeg = saved(tmp_path / "a.jpg", bytes_of(".jpg", photo(shape=(64, 96, 3))))
    _, second = read_pair(jpeg, write_dng(tmp_path / "warm.dng", patches() * 0.7, light=WARM))
    np.testing.assert_allclose(colours(second)[0], srgb(np.full(3, 0.35)), atol=60)


def test_a_set_has_one_white_balance_in_any_order(tmp_path):
    lights = WARM, COLD, (1.0, 1.0, 1.0)
    paths = [write_dng(tmp_path / f"{i}.dng", patches() * 0.6, light=light) for i, light in enumerate(lights)]
    sources, _ = open_pictures(paths)
    again, _ = open_pictures(paths[::-1])
    assert [one.key for one in sources] == [one.key for one in again]
    cold = next(one for one in sources if one.name.endswith("1.dng")).read()
    np.testing.assert_allclose(colours(cold)[0], srgb(0.3 * np.array(COLD)), atol=60)  # the median is white


def test_highlights_clip_to_white(tmp_path):
    picture = read_picture(write_dng(tmp_path / "a.dng", np.full((64, 96, 3), 4.0), light=WARM))
    assert picture.pixels.min() > 65000


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_is_applied_once(tmp_path, orientation):
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    stored = np.rot90(patches(), -turns)  # as the sensor lay
    path = write_dng(tmp_path / "a.dng", np.ascontiguousarray(stored), orientation=orientation)
    picture = read_picture(path)
    assert picture.size == (96, 64)
    np.testing.assert_allclose(colours(picture), expected(), atol=40)
    tags = read_block(picture.metadata.exif)
    assert tags[274][1] == b"\1\0"
    assert tags[271][1] == b"Maker\0"


def test_the_exif_block_goes_into_a_jpeg(tmp_path):
    picture = read_picture(write_dng(tmp_path / "a.dng", patches()))
    write_picture(tmp_path / "a.jpg", picture.pixels, metadata=picture.metadata)
    assert read_block(read_picture(tmp_path / "a.jpg").metadata.exif)[271][1] == b"Maker\0"


def test_a_plain_tiff_is_no_raw_file_also_with_a_make_and_pictures_below(tmp_path):
    imwrite(tmp_path / "a.tif", photo(), photometric="rgb", extratags=[(271, 2, 0, "Maker", True)])
    with_pyramid = tmp_path / "pyramid.tif"
    with TiffWriter(with_pyramid) as tiff:
        tiff.write(photo(), photometric="rgb", subifds=1)
        tiff.write(photo()[::2, ::2], photometric="rgb", subfiletype=1)
    for path in (tmp_path / "a.tif", with_pyramid):
        assert not is_raw(path.read_bytes())
        np.testing.assert_array_equal(read_picture(path).pixels, photo()[..., ::-1])


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIRS\x08\0\0\0", b"MMOR\0\0\0\x08", b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1", b"II*\0\x10\0\0\0CR\x02\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR\x02\0",
    ],
)  # fmt: skip
def test_other_raw_files_are_known_by_their_beginning(tmp_path, head):
    path = saved(tmp_path / "a.raw", head.ljust(4000, b"\1"))
    with refused(str(path), "RAW"):
        read_picture(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("cfa", [True, False])
def test_a_raw_file_cut_short_is_refused_without_output_of_the_decoder(tmp_path, share, cfa, capfd):
    content = write_dng(tmp_path / "a.dng", patches((480, 320)), cfa=cfa).read_bytes()
    path = saved(tmp_path / "cut.dng", content[: int(len(content) * share)])
    with refused("cut.dng", "damaged or cut short"):
        read_picture(path)
    assert capfd.readouterr() == ("", "")


def test_a_good_file_is_read_without_output_of_the_decoder(tmp_path, capfd):
    read_picture(write_dng(tmp_path / "a.dng", patches()))
    assert capfd.readouterr() == ("", "")


def test_sizes_are_limited_before_anything_is_developed(tmp_path):
    path = write_dng(tmp_path / "a.dng", patches((600, 400)))
    with refused("600 x 400", "--max-megapix"):
        read_picture(path, max_megapix=0.2)
    content = path.read_bytes()
    at = content.index(b"\0\1\4\0\1\0\0\0\x58\2\0\0")  # the width's entry: tag 256, type LONG
    huge = content[: at + 8] + (60_000).to_bytes(4, "little") + content[at + 12 :]
    with refused("huge.dng"):
        read_picture(saved(tmp_path / "huge.dng", huge))


def test_without_the_package_one_line_names_the_extra(tmp_path, monkeypatch):
    path = write_dng(tmp_path / "a.dng", patches())
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with refused("a.dng", "pip install 'parastitch[formats]'"):
        read_picture(path)
    with refused("a.dng", "pip install 'parastitch[formats]'"):
        read_pair(path, path)


def test_plain_pictures_do_not_load_the_package(tmp_path):
    plain = saved(tmp_path / "a.tif", bytes_of(".tif", photo()))
    script = f"""
import sys
from stitching.input_pair import read_pair
read_pair({str(plain)!r}, {str(plain)!r})
assert not {{"rawpy", "tifffile", "pi_heif"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_too_little_memory_is_not_taken_for_damage(tmp_path):
    small, large = (write_dng(tmp_path / f"{w}.dng", patches((w, w))) for w in (96, 2400))
    script = f"""
import resource
from stitching.io.picture_reader import read_picture
read_picture({str(small)!r})  # loads what is needed
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for more in (20_000_000, 60_000_000, 75_000_000):
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, resource.RLIM_INFINITY))
    try:
        read_picture({str(large)!r})
    except MemoryError:
        print("MemoryError")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("MemoryError\n" * 3, "")


def test_in_a_folder_a_shot_is_taken_once(tmp_path):
    for name in ("1.NEF", "1.JPG", "2.dng", "3.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in expand_inputs([tmp_path])] == ["1.JPG", "2.dng", "3.jpg"]
    assert [path.name for path in expand_inputs([f"{tmp_path}/*.NEF"])] == ["1.NEF"]


def test_values_above_the_white_level_are_not_brightened(tmp_path):
    """The white level is that of the header, not the highest value that the picture has."""
    half = read_picture(write_dng(tmp_path / "a.dng", np.full((64, 96, 3), 0.25)))
    np.testing.assert_allclose(half.pixels[32, 48], srgb(np.full(3, 0.25)), atol=65535 / WHITE * 4)
