import dataclasses
import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from picture_files import refused

from stitching.errors import InputError, JobError
from stitching.geometry.pixel_maps import forward_map, inside, pixel_grid, rescale
from stitching.io.warp_file import WarpField, check_warp, load_warp, save_warp, uncovered_share


def a_warp(**changes):
    """The warp of a canvas of 240 x 160 px at half its size; its left fifth is not covered."""
    backward = rescale(pixel_grid(80, 120), 2.0) - np.float32([48.5, 0])
    backward[:, :24] = np.nan
    trusted = np.isfinite(backward[..., 0])
    trusted[20:40, 60:80] = False
    forward, forward_scale = forward_map(backward, 0.5, (200, 160))
    warp = WarpField(
        map=backward,
        trusted=trusted,
        scale=0.5,
        forward=forward,
        forward_scale=forward_scale,
        origin=(-6, -14),
        focal=423.5,
        reference_size=(180, 140),
        target_size=(200, 160),
        canvas_size=(240, 160),
    )
    return dataclasses.replace(warp, **changes)


def contents(warp):
    return {field.name: getattr(warp, field.name) for field in dataclasses.fields(warp)} | {"version": 2}


def test_a_cylinder_of_a_wide_lens_can_be_loaded(tmp_path):
    save_warp(tmp_path / "warp.npz", a_warp(focal=54.0))
    assert load_warp(tmp_path / "warp.npz").focal == 54


def assert_refused(path, *words):
    with refused(str(path), *words):
        load_warp(path)


@pytest.mark.parametrize("horizontal_axis", [False, True])
def test_a_saved_warp_is_loaded_as_it_was(tmp_path, horizontal_axis):
    warp, path = a_warp(horizontal_axis=horizontal_axis), tmp_path / "warp.npz"
    save_warp(path, warp)
    loaded = load_warp(path)
    for field in dataclasses.fields(WarpField):
        before, after = getattr(warp, field.name), getattr(loaded, field.name)
        assert np.array_equal(before, after, equal_nan=field.name in ("map", "forward")), field.name
        assert type(before) is type(after), field.name
    assert [path] == list(tmp_path.iterdir())


def test_the_axis_of_a_warp_of_version_1_is_vertical(tmp_path):
    parts = contents(a_warp()) | {"version": 1}
    del parts["horizontal_axis"]
    np.savez(tmp_path / "warp.npz", **parts)
    surface = load_warp(tmp_path / "warp.npz").canvas.surface
    assert (surface.focal, surface.horizontal_axis) == (423.5, False)


@pytest.mark.parametrize(
    ("zoom", "target_size", "reference_size", "canvas_size", "scale"),
    [
        (1 / 50, (10000, 8000), (200, 160), (200, 160), 1.0),  # a target of far more pixels
        (6.2, (600, 400), (600, 400), (3720, 2480), 0.2),  # one that shows far more
        (1.0, (100, 80), (5000, 4000), (5000, 4000), 0.14),  # one that shows far less
    ],
)
def test_warps_of_pictures_that_differ_much_are_read_again(
    tmp_path, zoom, target_size, reference_size, canvas_size, scale
):
    w, h = (round(side * scale) for side in canvas_size)
    backward = rescale(pixel_grid(h, w), 1 / (scale * zoom))
    covered = inside(backward, target_size)
    backward[~covered] = np.nan
    forward, forward_scale = forward_map(backward, scale, target_size)
    warp = WarpField(
        backward, covered, scale, forward, forward_scale, (0, 0), 0.0, reference_size, target_size, canvas_size
    )
    save_warp(tmp_path / "warp.npz", warp)
    assert np.array_equal(load_warp(tmp_path / "warp.npz").map, backward, equal_nan=True)


def test_a_saved_warp_is_read_by_numpy_without_pickle(tmp_path):
    save_warp(tmp_path / "warp.npz", a_warp())
    with np.load(tmp_path / "warp.npz", allow_pickle=False) as stored:
        assert {"map", "scale", "origin", "forward", "version"} <= set(stored.files)
        assert stored["map"].shape == (80, 120, 2)


def test_a_warp_that_cannot_be_written_leaves_no_file(tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(JobError, match="No space left"):
        save_warp(tmp_path / "warp.npz", a_warp())
    assert not list(tmp_path.iterdir())


# --- files that are no warps ---


def test_a_missing_warp_is_refused(tmp_path):
    assert_refused(tmp_path / "warp.npz", "no such file", "--save-warp")
    assert_refused(tmp_path, "a folder", "--save-warp")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip file at all", b"\x93NUMPY\x01\x00", bytes(1000)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "warp.npz"
    path.write_bytes(content)
    assert_refused(path, "--save-warp")


def test_a_lone_array_is_refused(tmp_path):
    np.save(tmp_path / "warp.npy", a_warp().map)
    assert_refused(tmp_path / "warp.npy", "--save-warp")


def test_a_warp_cut_short_is_refused(tmp_path):
    whole = tmp_path / "whole.npz"
    save_warp(whole, a_warp())
    data, path = whole.read_bytes(), tmp_path / "warp.npz"
    for share in (0.02, 0.3, 0.9, 0.999):
        path.write_bytes(data[: int(len(data) * share)])
        assert_refused(path, "damaged")


def test_a_warp_with_a_flipped_bit_is_loaded_unchanged_or_refused(tmp_path):
    whole = tmp_path / "whole.npz"
    save_warp(whole, a_warp())
    data, path = bytearray(whole.read_bytes()), tmp_path / "warp.npz"
    found = []
    for at in np.random.default_rng(0).integers(0, len(data), 150):
        broken = data.copy()
        broken[at] ^= 1 << (at % 8)
        path.write_bytes(broken)
        with suppress(InputError):
            found.append(load_warp(path).map)
    assert 1 < len(found) < 100
    assert all(np.array_equal(map_, a_warp().map, equal_nan=True) for map_ in found)


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    path = tmp_path / "warp.npz"
    np.savez(path, **contents(a_warp()) | {"map": np.array([Trap()], object)})
    assert_refused(path, "pickled")
    np.savez(path, **contents(a_warp()), more=np.array([Trap()], object))
    assert load_warp(path).canvas_size == (240, 160)


def test_a_zip_file_with_something_else_inside_is_refused(tmp_path):
    path = tmp_path / "warp.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("map.txt", "hello")
    assert_refused(path)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("version", 3, "version"),
        ("version", np.nan, "version"),
        ("version", "new", "version"),
        ("map", np.zeros((80, 120), np.float32), "map"),
        ("map", np.zeros((80, 120, 3), np.float32), "map"),
        ("map", np.zeros((80, 120, 2), np.complex64), "map"),
        ("map", np.zeros((81, 120, 2), np.float32), "map"),
        ("forward", np.zeros((5, 2), np.float32), "forward"),
        ("forward", np.zeros((80, 101, 2), np.float32), "forward"),
        ("trusted", np.zeros((80, 121), bool), "trusted"),
        ("trusted", np.zeros((80, 120), np.uint8), "trusted"),
        ("scale", 0.0, "scale"),
        ("scale", -1.0, "scale"),
        ("scale", np.nan, "scale"),
        ("scale", 1.5, "scale"),
        ("scale", [0.5, 0.5], "scale"),
        ("forward_scale", 0.0, "scale"),
        ("forward_scale", np.inf, "scale"),
        ("focal", -3.0, "focal"),
        ("focal", np.inf, "focal"),
        ("focal", 1e-9, "focal"),
        ("horizontal_axis", 1.0, "horizontal_axis"),
        ("horizontal_axis", [True, False], "horizontal_axis"),
        ("origin", [1, 2, 3], "origin"),
        ("origin", 5, "origin"),
        ("origin", [np.nan, 0], "origin"),
        ("origin", [9, -14], "origin"),
        ("origin", [-6, -50], "origin"),
        ("origin", [2**62, 2**62], "origin"),
        ("canvas_size", [240, -160], "canvas"),
        ("canvas_size", [0, 0], "canvas"),
        ("canvas_size", [24000, 16000], "canvas"),
        ("canvas_size", [2**62, 2**62], "canvas"),
        ("reference_size", [2**63 - 1, 1], "reference_size"),
        ("reference_size", [300, 140], "origin"),
        ("target_size", [[200, 160]], "target_size"),
        ("target_size", [2**40, 2**40], "target_size"),
    ],
)
def test_a_warp_with_a_wrong_part_is_refused(tmp_path, name, value, word):
    path = tmp_path / "warp.npz"
    np.savez(path, **contents(a_warp()) | {name: value})
    assert_refused(path, word, "--save-warp")


def _numbers_in_range(low, high, shape):
    return np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("part", "damage", "word"),
    [
        ("map", lambda map_xy: np.full_like(map_xy, np.nan), "covers nothing"),
        ("map", lambda map_xy: np.where(np.isnan(map_xy), np.nan, np.float32(1e30)), "leaves"),
        ("map", lambda map_xy: np.where(np.isnan(map_xy), np.nan, np.float32(np.inf)), "leaves"),
        ("map", lambda map_xy: map_xy + np.float32([20, 0]), "leaves"),
        ("map", lambda map_xy: np.where([True, False], np.nan, map_xy).astype(np.float32), "NaN"),
        ("map", lambda map_xy: np.where(pixel_grid(80, 120)[..., 1:] < 40, np.nan, map_xy), "without"),
        ("map", np.zeros_like, "misses"),
        ("map", lambda map_xy: _numbers_in_range(0, 159, map_xy.shape), "misses"),
        ("forward", lambda forward: np.full_like(forward, np.nan), "NaN"),
        ("forward", lambda forward: forward * np.float32(1e30), "forward"),
        ("forward", lambda forward: forward + np.float32([9, 0]), "misses"),
        ("forward", np.zeros_like, "misses"),
        ("forward", lambda forward: _numbers_in_range(0, 159, forward.shape), "misses"),
    ],
)
def test_maps_that_no_stitch_gives_are_refused(tmp_path, part, damage, word):
    """From a file, and as a `WarpField` of a user's own."""
    warp, path = a_warp(), tmp_path / "warp.npz"
    harmful = dataclasses.replace(warp, **{part: damage(getattr(warp, part))})
    with refused(word):
        check_warp(harmful)
    save_warp(path, harmful)
    assert_refused(path, word)


def test_a_large_canvas_with_a_tiny_map_is_refused(tmp_path):
    tiny = a_warp().map[:3, -3:]
    parts = {"canvas_size": [30000, 30000], "scale": 1e-4, "map": tiny, "trusted": np.ones((3, 3), bool)}
    np.savez(tmp_path / "warp.npz", **contents(a_warp()) | parts)
    assert_refused(tmp_path / "warp.npz", "canvas_size 30000 x 30000")
    parts |= {"canvas_size": [800, 800], "scale": 3 / 800}
    np.savez(tmp_path / "warp.npz", **contents(a_warp()) | parts)
    assert_refused(tmp_path / "warp.npz", "scale")


@pytest.mark.parametrize("name", ["map", "scale", "origin", "version", "canvas_size", "horizontal_axis"])
def test_a_warp_with_a_missing_part_is_refused(tmp_path, name):
    parts = contents(a_warp())
    del parts[name]
    np.savez(tmp_path / "warp.npz", **parts)
    assert_refused(tmp_path / "warp.npz", name)


def test_an_empty_map_of_an_empty_canvas_is_refused(tmp_path):
    empty = {"map": np.zeros((0, 0, 2), np.float32), "trusted": np.zeros((0, 0), bool), "canvas_size": [0, 0]}
    np.savez(tmp_path / "warp.npz", **contents(a_warp()) | empty)
    assert_refused(tmp_path / "warp.npz", "canvas")


def test_an_array_too_large_for_memory_is_refused(tmp_path):
    """A few bytes that claim to be 2 TB."""
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (500000, 500000, 2)}
    np.lib.format.write_array_header_1_0(header, shape)
    path = tmp_path / "warp.npz"
    np.savez(path, **{name: value for name, value in contents(a_warp()).items() if name != "map"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("map.npy", header.getvalue() + bytes(100))
    assert_refused(path)


def test_what_the_target_does_not_show_may_be_missing(tmp_path):
    """A mask, or the bent rims of a picture without the distortion of its lens."""
    warp = a_warp()
    holed = np.where(pixel_grid(80, 120)[..., 1:] < 40, np.float32(np.nan), warp.map)
    missing = uncovered_share(holed, warp.forward, warp.scale)
    assert 0.3 < missing < 0.7
    save_warp(tmp_path / "warp.npz", dataclasses.replace(warp, map=holed, uncovered=missing))
    assert load_warp(tmp_path / "warp.npz").uncovered == missing
    for wrong in (1.5, -0.1, np.nan):
        with refused("uncovered"):
            check_warp(dataclasses.replace(warp, uncovered=wrong))
