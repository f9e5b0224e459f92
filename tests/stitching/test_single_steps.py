"""Align, estimate a warp and apply it, each as a function of its own."""

import cv2
import numpy as np
import pytest
from lens_scenes import lens_named, textured_photograph
from synthetic import SIZE, two_planes

import stitching
from stitching import InputError, Options, WarpField, load_warp, save_warp
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid, remap
from stitching.io.picture import Picture
from stitching.lens_correction import with_lens

W, H = SIZE
CLASSICAL = Options(warp="classical")


@pytest.fixture(scope="module")
def warp():
    return stitching.estimate_warp(two_planes().reference, two_planes().target, CLASSICAL)


@pytest.fixture(scope="module")
def stitched():
    return stitching.stitch(two_planes().reference, two_planes().target, CLASSICAL)


def test_aligning_gives_a_homography_near_the_true_places_of_the_wall():
    scene = two_planes()
    found = stitching.align(scene.reference, scene.target)
    wall = scene.visible & ~scene.on_box
    y, x = np.nonzero(wall)
    places = project(found.homography, np.stack([x, y], axis=-1).astype(np.float64))
    assert np.median(np.linalg.norm(places - scene.map_xy[wall], axis=1)) < 8  # px; parallax of the box is 40
    assert len(found.matches) > 50


def test_the_warp_is_that_of_a_stitch(warp, stitched):
    assert np.array_equal(warp.map, stitched.warp.map, equal_nan=True)
    assert np.array_equal(warp.trusted, stitched.warp.trusted)
    assert warp.canvas == stitched.canvas


def test_the_target_lands_on_what_the_reference_shows(warp):
    scene = two_planes()
    drawn, alpha = stitching.apply_warp(warp, scene.target)
    x, y = -np.array(warp.origin)
    frame = slice(y, y + H), slice(x, x + W)
    shown = alpha[frame] > 0
    apart = np.abs(drawn[frame].astype(int) - scene.reference).mean(axis=2)
    assert shown.mean() > 0.4
    assert np.median(apart[shown]) < 4


def test_the_reference_is_drawn_unchanged_on_a_plane(warp):
    drawn, alpha = stitching.apply_warp(warp, two_planes().reference, part="reference")
    x, y = -np.array(warp.origin)
    assert np.array_equal(drawn[y : y + H, x : x + W], two_planes().reference)
    assert (alpha > 0).sum() == W * H
    assert alpha[y, x] == 255


def test_depths_keep_their_type_and_values(warp):
    depth = np.full((H, W), 7.5, np.float32)
    drawn, alpha = stitching.apply_warp(warp, depth)
    assert drawn.dtype == np.float32
    assert drawn.shape == alpha.shape
    assert np.abs(drawn[alpha > 0] - 7.5).max() < 1e-4
    assert not drawn[alpha == 0].any()


def test_a_single_channel_keeps_its_axis(warp):
    depth = np.linspace(1, 2, H * W, dtype=np.float32).reshape(H, W, 1)
    drawn, alpha = stitching.apply_warp(warp, depth)
    flat, _ = stitching.apply_warp(warp, depth[..., 0])
    assert drawn.shape == (*alpha.shape, 1)
    assert np.array_equal(drawn[..., 0], flat)


def test_what_was_measured_through_a_lens_lies_where_its_photograph_does(tmp_path):
    photograph, cameras = textured_photograph(lens_named("fisheye")), tmp_path / "cameras.txt"
    cameras.write_text("1 OPENCV_FISHEYE 320 240 180 183.6 163.5 118 0.03 -0.01 0.004 -0.001")
    size = with_lens(Picture(photograph), str(cameras)).size
    grid = pixel_grid(size[1], size[0])
    unmoved = WarpField(grid, np.isfinite(grid[..., 0]), 1.0, grid, 1.0, (0, 0), 0.0, size, size, size)
    cv2.imwrite(str(tmp_path / "photograph.png"), photograph)
    measured = photograph[..., 1].astype(np.float32) / 255
    for part in ("target", "reference"):
        drawn, alpha = stitching.apply_warp(unmoved, tmp_path / "photograph.png", part=part, lens=str(cameras))
        found, where = stitching.apply_warp(unmoved, measured, part=part, lens=str(cameras))
        assert (alpha > 0).mean() > 0.5
        assert (where != alpha).mean() < 0.01
        apart = np.abs(found * 255 - drawn[..., 1])[(where > 0) & (alpha > 0)]
        assert np.percentile(apart, 99) < 1  # but where cubic interpolation leaves 0..255


def test_labels_stay_labels(warp):
    labels = np.where(two_planes().on_box, 200, 3).astype(np.uint8)
    drawn, alpha = stitching.apply_warp(warp, labels, nearest=True)
    assert set(np.unique(drawn[alpha > 0])) == {3, 200}


def test_a_position_of_the_target_lands_where_the_forward_map_says(warp):
    x, y = np.meshgrid(np.arange(W, dtype=np.float32), np.arange(H, dtype=np.float32))
    drawn, alpha = stitching.apply_warp(warp, np.dstack([x, y]))
    trusted = cv2.resize(warp.trusted.astype(np.uint8), warp.canvas_size, interpolation=cv2.INTER_NEAREST) > 0
    rows, columns = (found[::16] for found in np.nonzero((alpha > 0) & trusted))
    there = remap(warp.forward, (drawn[rows, columns] * warp.forward_scale)[:, None])[:, 0]
    assert np.median(np.linalg.norm(there - np.stack([columns, rows], axis=-1), axis=1)) < 0.5


def test_a_warp_file_and_a_picture_file_do_as_well(warp, tmp_path):
    save_warp(tmp_path / "warp.npz", warp)
    cv2.imwrite(str(tmp_path / "target.png"), two_planes().target)
    drawn, alpha = stitching.apply_warp(tmp_path / "warp.npz", tmp_path / "target.png")
    expected = stitching.apply_warp(load_warp(tmp_path / "warp.npz"), two_planes().target)
    assert np.array_equal(drawn, expected[0])
    assert np.array_equal(alpha, expected[1])


@pytest.mark.parametrize(
    ("picture", "choices", "words"),
    [
        (np.zeros((H, W + 1), np.uint8), {}, f"{W + 1} x {H} px: expected a picture as large as the target"),
        (np.zeros((H, W), np.int64), {}, "int64"),
        (np.zeros((H, W, 7), np.uint8), {}, r"\(300, 400, 7\)"),
        (np.zeros((H, W), np.uint8), {"part": "left"}, "part 'left': expected target or reference"),
        (12, {}, "int"),
        (
            np.zeros((H, W), np.uint8),
            {"lens": None},
            "lens: NoneType: expected auto, none, a file or the name of a lens",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(warp, picture, choices, words):
    with pytest.raises(InputError, match=words):
        stitching.apply_warp(warp, picture, **choices)


def test_things_of_other_types_are_named(warp):
    first, second = two_planes().reference, two_planes().target
    with pytest.raises(InputError, match=r"options: ndarray: expected stitching\.Options"):
        stitching.align(first, second, second)
    with pytest.raises(InputError, match="warp: ndarray: expected a WarpField, or its file"):
        stitching.apply_warp(warp.map, second)
    with pytest.raises(InputError, match=r"mask: list: expected a path or an array"):
        stitching.align(first, second, mask_target=[[1]])
    for pictures in ("a.png", b"a.png", 7, (one for one in (first, second))):
        with pytest.raises(InputError, match=r"the pictures are one .*; expected a list of paths or arrays"):
            stitching.stitch_many(pictures)


def test_pictures_that_do_not_fit_are_refused_and_aligned_without_confidence():
    first, second = np.random.default_rng(0).integers(0, 256, (2, 200, 200, 3), np.uint8)
    assert stitching.align(first, second).confidence < 0.3
    with pytest.raises(InputError, match=r"do not fit|no overlap"):
        stitching.estimate_warp(first, second)


def test_notebooks_show_the_panorama(stitched):
    shown = cv2.imdecode(np.frombuffer(stitched._repr_png_(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(shown[..., :3][stitched.alpha > 0], stitched.panorama[stitched.alpha > 0])
    assert np.array_equal(shown[..., 3], stitched.alpha)
    assert repr(stitched).startswith(f"<Stitched {stitched.panorama.shape[1]} x {stitched.panorama.shape[0]}: ")
    assert len(repr(stitched)) < 200
