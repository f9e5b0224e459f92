from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_panoramas import make_panorama
from picture_files import refused

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid
from stitching.geometry.rectangles import Rectangle
from stitching.io.warp_file import WarpField, load_warp, save_warp
from stitching.mosaic.warp_file import (
    check_fits,
    check_mosaic_warps,
    holds_mosaic_warps,
    load_mosaic_warps,
    placements,
    save_mosaic_warps,
    to_mosaic_warps,
)


@pytest.fixture
def warps():
    return to_mosaic_warps(make_panorama())


@pytest.fixture
def path(tmp_path, warps):
    save_mosaic_warps(tmp_path / "rig.npz", warps)
    return tmp_path / "rig.npz"


def contents(path):
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def test_saved_warps_are_loaded_as_they_were(warps, path):
    loaded = load_mosaic_warps(path)
    for name in ("picture_count", "canvas", "scale", "motion", "focal", "frame_size", "residual"):
        assert getattr(loaded, name) == getattr(warps, name), name
    for before, after in zip(warps.pictures, loaded.pictures, strict=True):
        assert (after.position, after.size, after.window) == (before.position, before.size, before.window)
        for name in ("to_picture", "map", "trusted"):
            assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=name == "map")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("lying", "spherical"), [(False, False), (True, False), (False, True)])
def test_a_curved_canvas_comes_back(tmp_path, warps, lying, spherical):
    canvas = Canvas(Surface(300.0, warps.canvas.surface.centre, lying, spherical), (-3, 5), (440, 160))
    save_mosaic_warps(tmp_path / "rig.npz", replace(warps, canvas=canvas, focal=300.0, motion="affine"))
    loaded = load_mosaic_warps(tmp_path / "rig.npz")
    assert (loaded.canvas, loaded.focal, loaded.motion) == (canvas, 300.0, "affine")


def test_pictures_are_placed_again_in_the_same_order_and_places(path):
    panorama = make_panorama()
    for placed, again in zip(panorama.placed, placements(load_mosaic_warps(path)), strict=True):
        source = panorama.sources[placed.picture]
        assert (again.position, again.window) == (source.position, placed.window)
        assert np.array_equal(again.to_picture, panorama.arrangement.to_picture[placed.picture])
        assert np.array_equal(again.placement.map_xy, placed.placement.map_xy)
        assert np.array_equal(again.placement.covered, placed.placement.covered)
        assert np.isnan(again.placement.residual).all()


def test_what_is_not_covered_is_guessed_smoothly_and_not_trusted(warps):
    holed = warps.pictures[0].map.copy()
    holed[20:30, 20:30] = np.nan
    first = placements(replace(warps, pictures=(replace(warps.pictures[0], map=holed),)))[0].placement
    assert not first.covered[20:30, 20:30].any()
    assert not first.trusted[20:30, 20:30].any()
    assert np.abs(first.map_xy - warps.pictures[0].map).max() < 8


def test_warps_fit_as_many_pictures_of_the_same_sizes(warps):
    sources = make_panorama().sources
    check_fits(warps, 4, sources)  # the fourth belonged to no other
    with refused("for 4 pictures, but 3 were given", "same order"):
        check_fits(warps, 3, sources)
    other = (replace(sources[0], size=(160, 200)), *sources[1:])
    with refused("picture 3 of 200 x 160", "row_0.jpg has 160 x 200"):
        check_fits(warps, 4, other)


def a_pair_warp():
    grid = pixel_grid(160, 240)
    return WarpField(grid, np.ones((160, 240), bool), 1.0, grid, 1.0, (0, 0), 0.0, (240, 160), (240, 160), (240, 160))


def test_warps_of_a_pair_and_of_many_pictures_are_told_apart(tmp_path, path):
    pair = tmp_path / "pair.npz"
    save_warp(pair, a_pair_warp())
    assert (holds_mosaic_warps(path), holds_mosaic_warps(pair)) == (True, False)
    assert not holds_mosaic_warps(tmp_path / "missing.npz")
    with refused(str(pair), "warp of a pair", "two pictures"):
        load_mosaic_warps(pair)
    with refused(str(path), "the warps of 4 pictures"):
        load_warp(path)


# --- files that hold no warps ---


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip file at all", bytes(1000)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "rig.npz").write_bytes(content)
    with refused("rig.npz", "--save-warp"):
        load_mosaic_warps(tmp_path / "rig.npz")


def test_a_missing_file_is_refused(tmp_path):
    with refused("no such file"):
        load_mosaic_warps(tmp_path / "rig.npz")


DAMAGED = {
    "version": ({"version": 99}, "version 99"),
    "count": ({"picture_count": 10**6}, "picture_count 1000000"),
    "fewer": ({"picture_count": 2}, "rows"),
    "motion": ({"motion": 7}, "motion 7"),
    "scale": ({"scale": 3.0}, "scale 3"),
    "nan": ({"scale": np.nan}, "scale nan"),
    "canvas": ({"canvas_size": [0, 10]}, "canvas_size"),
    "huge canvas": ({"canvas_size": [2**20, 2**20]}, "canvas_size 1048576 x 1048576"),
    "focal": ({"focal": 1e-3}, "focal"),
    "residual": ({"residual": np.inf}, "residual"),
    "same position": ({"positions": [1, 1, 0]}, "positions"),
    "position": ({"positions": [1, 2, 9]}, "positions"),
    "huge window": ({"windows": [[0, 0, 2**40, 2**40]] * 3}, "windows of"),
    "other window": ({"windows": [[0, 0, 100, 81]] * 3}, "map_0"),
    "empty window": ({"windows": [[5, 5, 5, 5]] * 3}, "windows of"),
    "off the canvas": ({"windows": [[900, 0, 1000, 80]] * 3}, "Rectangle"),
    "singular": ({"to_picture": np.zeros((3, 3, 3))}, "inverted"),
    "infinite": ({"to_picture": np.full((3, 3, 3), np.inf)}, "inverted"),
    "pickled": ({"map_1": np.array([{}], object)}, "map_1"),
    "of integers": ({"map_1": np.zeros((80, 100, 2), int)}, "map_1"),
    "nothing": ({"map_1": np.full((80, 100, 2), np.nan, np.float32)}, "covers nothing"),
    "outside": ({"map_1": np.full((80, 100, 2), 500, np.float32)}, "leaves its picture"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_warps_are_refused(tmp_path, path, name):
    changes, words = DAMAGED[name]
    np.savez(tmp_path / "bad.npz", **contents(path) | changes)
    with refused("bad.npz", words):
        load_mosaic_warps(tmp_path / "bad.npz")


@pytest.mark.parametrize("name", ["scale", "windows", "map_2", "trusted_0", "surface_focal"])
def test_nothing_may_be_missing(tmp_path, path, name):
    parts = contents(path)
    del parts[name]
    np.savez(tmp_path / "bad.npz", **parts)
    with refused("bad.npz", name):
        load_mosaic_warps(tmp_path / "bad.npz")


def test_warps_made_in_python_are_checked_too(warps):
    check_mosaic_warps(warps)
    first = replace(warps.pictures[0], window=Rectangle(0, 0, 99, 80))
    with refused("map of (80, 100, 2)"):
        check_mosaic_warps(replace(warps, pictures=(first, *warps.pictures[1:])))


def test_the_documents_name_all_arrays(path):
    formats = (Path(__file__).parents[3] / "docs" / "stitching" / "formats.md").read_text()
    names = {name.replace("_0", "_N") for name in contents(path) if not name.endswith(("_1", "_2"))}
    assert not {name for name in names if f"`{name}`" not in formats}
