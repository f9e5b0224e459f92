"""The texture bank: what is in it, its smaller copies, seams, and folders that cannot be used."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.textures.bank import checksum, load_bank
from datasets.textures.patterns import PATTERNS
from datasets.textures.photographs import map_photographs, warn_of
from stitching.errors import InputError

SIDE = 32


@pytest.fixture(autouse=True, scope="module")
def patterns_drawn_once(tmp_path_factory):
    """They are the same in every bank and take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def photograph(shape=(60, 60), seed=1):
    """Noise on a slope from dark to bright: a seam stands out."""
    slope = np.linspace(20, 220, shape[1]) + np.linspace(0, 20, shape[0])[:, None]
    return np.clip(slope[..., None] + np.random.default_rng(seed).normal(0, 2, (*shape, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two pictures, one of them in a folder below, and a file that is none."""
    (tmp_path / "below").mkdir()
    cv2.imwrite(str(tmp_path / "b.png"), photograph())
    cv2.imwrite(str(tmp_path / "below" / "a.JPG"), photograph(seed=2))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._b.png").write_bytes(b"what some file systems keep beside a file")
    return tmp_path


def of_kind(bank, kind):
    return np.flatnonzero(np.array(bank.kinds) == kind)


def level(bank, texture, number):
    side = int(bank.sides[texture]) >> number
    start = bank.starts[texture, number]
    return bank.texels[start : start + side * side].reshape(side, side, 4)


def test_holds_the_photographs_of_the_folder_and_all_patterns(folder):
    bank = load_bank(folder, SIDE)
    assert of_kind(bank, "photo").tolist() == [0, 1]
    assert set(bank.kinds) == {"photo", *PATTERNS}
    assert min(bank.kinds.count(name) for name in PATTERNS) > 1
    assert bank.texels.dtype == np.uint8
    assert np.all(bank.texels[:, 3] == 255)
    assert bank.sides.tolist() == [SIDE] * len(bank.kinds)


def test_variants_of_a_pattern_differ(folder):
    bank = load_bank(folder, SIDE)
    first, second = of_kind(bank, "brick")[:2]
    assert not np.array_equal(level(bank, first, 0), level(bank, second, 0))


def test_mip_levels_are_means_of_2_x_2_texels(folder):
    bank = load_bank(folder, SIDE)
    for texture in (0, int(of_kind(bank, "sign")[0])):
        for number in range(1, bank.starts.shape[1]):
            above = level(bank, texture, number - 1).astype(np.float64)
            mean = (above[::2, ::2] + above[1::2, ::2] + above[::2, 1::2] + above[1::2, 1::2]) / 4
            assert np.array_equal(level(bank, texture, number), np.floor(mean + 0.5))
        assert level(bank, texture, bank.starts.shape[1] - 1).shape == (1, 1, 4)


def test_mip_levels_are_stored_without_gaps(folder):
    bank = load_bank(folder, SIDE)
    sizes = (bank.sides[:, None] >> np.arange(bank.starts.shape[1])) ** 2
    ends = np.cumsum(sizes.ravel())
    assert np.array_equal(bank.starts.ravel(), ends - sizes.ravel())
    assert ends[-1] == len(bank.texels)


def test_a_photograph_is_made_tileable_and_not_changed_elsewhere(tmp_path):
    side, band = 128, 10
    picture = photograph((side + band, side + band))
    picture[..., :2] = picture[..., 2:]  # grey: colours are muted
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    texture = level(load_bank(tmp_path, side), 0, 0)[..., :3]
    assert np.array_equal(texture[band:, band:], picture[band:side, band:side])
    for turned in (texture.astype(float), texture.transpose(1, 0, 2).astype(float)):
        steps = np.abs(np.roll(turned, -1, axis=0) - turned).mean(axis=(1, 2))
        assert steps[-1] <= steps[:-1].max()


def test_colours_are_less_saturated_than_in_the_photograph(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 60, 3), (40, 80, 200), np.uint8))
    blue, green, red = level(load_bank(tmp_path, SIDE), 0, 0)[0, 0, :3]
    assert 40 < blue < green < red < 200


def test_long_photograph_gives_both_its_ends(tmp_path):
    long = np.zeros((40, 100, 3), np.uint8)
    long[:, 50:] = 200
    cv2.imwrite(str(tmp_path / "a.png"), long)
    cv2.imwrite(str(tmp_path / "b.png"), long.transpose(1, 0, 2))
    bank = load_bank(tmp_path, SIDE)
    means = [level(bank, texture, 0)[..., 0].mean() for texture in of_kind(bank, "photo")]
    assert means == pytest.approx([0, 200, 0, 200], abs=1)


def test_large_file_is_reduced_to_no_less_than_the_side(tmp_path):
    large = np.random.default_rng(1).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    large[:, 400:] //= 4
    cv2.imwrite(str(tmp_path / "a.png"), large)
    assert (tmp_path / "a.png").stat().st_size > 1 << 20
    texture = level(load_bank(tmp_path, 64), 0, 0)[..., :3].astype(float)
    assert texture[:, 10:30].mean() == pytest.approx(127, abs=3)
    assert texture[:, 40:].mean() == pytest.approx(31, abs=3)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_has_the_pixels_that_opencv_reads(tmp_path, factor, orientation):
    """The checksum of a data set depends on them."""
    small = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    picture = Image.fromarray(cv2.resize(small, (1203, 905), interpolation=cv2.INTER_CUBIC))
    exif = picture.getexif()
    exif[0x112] = orientation
    picture.save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    assert (tmp_path / "a.jpg").stat().st_size > 1 << 20
    (pixels,), _ = map_photographs(lambda one: one, tmp_path, 905 // factor)
    flags = cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_8
    expected = cv2.imread(str(tmp_path / "a.jpg"), flags[factor.bit_length() - 1])
    assert np.array_equal(pixels, expected)


def test_same_textures_same_checksum(folder):
    bank = load_bank(folder, SIDE)
    assert checksum(bank) == checksum(load_bank(folder, SIDE))
    cv2.imwrite(str(folder / "b.png"), photograph(seed=3))
    assert checksum(bank) != checksum(load_bank(folder, SIDE))


def test_without_a_folder_the_bundled_photographs_are_used():
    bank = load_bank(None, SIDE)
    photographs = [level(bank, texture, 0) for texture in of_kind(bank, "photo")]
    assert len(photographs) >= 5
    assert min(photograph.std() for photograph in photographs) > 5


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder"):
        load_bank(tmp_path / "nowhere", SIDE)


def test_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="holds no picture"):
        load_bank(tmp_path, SIDE)


def cut(path, share):
    cv2.imwrite(str(path), photograph())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def false_header(path):
    """A PNG of a few bytes that says it is 30000 px a side."""
    cv2.imwrite(str(path), photograph((40, 40)))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def holed(path):
    """A JPEG of which a part of the compressed rows is zero: without its decoder's complaints, a grey block."""
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = bytes(4096)
    path.write_bytes(data)


USELESS = {
    "holed.jpg": holed,
    "empty.png": lambda path: path.write_bytes(b""),
    "half.png": lambda path: cut(path, 0.5),
    "half.jpg": lambda path: cut(path, 0.5),
    "nearly.jpg": lambda path: cut(path, 0.95),
    "text.jpg": lambda path: path.write_text("I am a text"),
    "pipe.jpg": os.mkfifo,
    "dangling.jpg": lambda path: path.symlink_to("nowhere"),
    "dot.png": lambda path: cv2.imwrite(str(path), np.zeros((1, 1, 3), np.uint8)),
    "line.png": lambda path: cv2.imwrite(str(path), np.zeros((32, 2000, 3), np.uint8)),
    "huge.png": false_header,
}


@pytest.mark.parametrize("name", USELESS)
def test_a_photograph_that_cannot_be_used_is_named_and_left_out(folder, name):
    expected = load_bank(folder, SIDE)
    USELESS[name](folder / "below" / name)
    bank = load_bank(folder, SIDE)
    (line,) = bank.left_out
    assert name in line
    assert line.endswith("; left out")
    assert "\n" not in line
    assert checksum(bank) == checksum(expected)


def test_many_photographs_that_cannot_be_used_are_a_few_lines(folder):
    for i in range(30):
        (folder / f"{i}.jpg").write_bytes(b"")
    left_out = load_bank(folder, SIDE).left_out
    assert len(left_out) == 11
    assert "20 more pictures" in left_out[-1]


def test_a_folder_without_any_photograph_that_can_be_used_is_refused(tmp_path):
    for name, make in USELESS.items():
        make(tmp_path / name)
    with pytest.raises(InputError, match=rf"none of the {len(USELESS)} pictures .* first: .*dangling"):
        load_bank(tmp_path, SIDE)


def test_what_is_left_out_is_said_once_and_not_by_workers(caplog, monkeypatch):
    warn_of(("a.jpg: empty; left out",))
    assert [record.getMessage() for record in caplog.records] == ["a.jpg: empty; left out"]
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "the generator")
    warn_of(("a.jpg: empty; left out",))
    assert len(caplog.records) == 1
