"""A pair from end to end, through `stitching.stitch`."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from picture_files import refused
from skimage.data import coffee
from synthetic import SIZE, two_planes

import stitching
from stitching import InputError, Options, load_warp, pair_placement, save_warp
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.blending.multiband import SEAM_REACH
from stitching.geometry.pixel_maps import remap

W, H = SIZE
GREEN = np.array([0, 255, 0])
STAGES = ["read", "align", "warp", "blend", "compose"]


def stitch(reference, target, options=None, **inputs):
    """By the classical warp where the test says nothing else: `auto` takes longer where it asks the network."""
    return stitching.stitch(reference, target, options or classical(), **inputs)


def classical(**options):
    return Options(warp="classical", **options)


@pytest.fixture(scope="module")
def stitched():
    return stitch(two_planes().reference, two_planes().target)


def origin_of(stitched):
    """(x, y) of the panorama's first pixel in the reference's frame (on the plane, at full size)."""
    return np.array(stitched.canvas.origin) + stitched.crop.origin


def frame_of(stitched):
    """Rows and columns of the panorama that lie on the reference (on the plane, at full size)."""
    x, y = origin_of(stitched)
    return slice(-y, -y + H), slice(-x, -x + W)


def reference_alone(stitched):
    """(H, W): pixels of the reference that no blending changes."""
    weight = cv2.resize(stitched.blend.weight, stitched.pictures.size)[stitched.crop.slices]
    far = cv2.distanceTransform((weight == 1).astype(np.uint8), cv2.DIST_L2, 5) > SEAM_REACH + 5
    return far[frame_of(stitched)]


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


def same(first, second):
    return np.array_equal(first.panorama, second.panorama) and np.array_equal(first.alpha, second.alpha)


# --- a good stitch ---


def test_the_panorama_holds_both_pictures(stitched):
    height, width = stitched.panorama.shape[:2]
    assert stitched.panorama.dtype == np.uint8
    assert stitched.alpha.shape == (height, width)
    assert width > W + 40
    assert height >= H
    assert (stitched.alpha == 255).sum() > W * H + 40 * 0.9 * H


def test_alpha_is_all_or_nothing_and_nothing_is_black(stitched):
    assert set(np.unique(stitched.alpha)) <= {0, 255}
    assert not stitched.panorama[stitched.alpha == 0].any()
    assert stitched.alpha[frame_of(stitched)].min() == 255


def test_the_reference_keeps_its_pixels_where_it_is_shown(stitched):
    alone = reference_alone(stitched)
    assert alone.sum() > 0.05 * W * H
    assert np.array_equal(stitched.panorama[frame_of(stitched)][alone], two_planes().reference[alone])


def test_there_is_no_ghost_of_the_box(stitched):
    """Where the panorama shows the reference's frame it looks like the reference, box and all."""
    scene = two_planes()
    off = difference(stitched.panorama[frame_of(stitched)], scene.reference).max(axis=2)
    assert off.mean() < 5
    assert (off > 40).mean() < 0.03


def test_new_content_is_the_targets(stitched):
    """Right of the reference the wall goes on, as the target saw it."""
    scene = two_planes()
    grid = np.stack(np.meshgrid(np.arange(stitched.alpha.shape[1]), np.arange(stitched.alpha.shape[0])), axis=-1)
    wall = grid + origin_of(stitched)
    mapped = wall @ scene.wall[:, :2].T + scene.wall[:, 2]
    map_xy = (mapped[..., :2] / mapped[..., 2:]).astype(np.float32)
    true = cv2.remap(scene.target, map_xy[..., 0], map_xy[..., 1], cv2.INTER_CUBIC)
    new = (wall[..., 0] > W + 15) & (stitched.alpha == 255)
    assert new.sum() > 5000
    assert difference(stitched.panorama, true)[new].mean() < 8


def test_the_summary_can_be_written_as_json(stitched):
    summary = json.loads(json.dumps(stitched.summary.as_dict()))
    assert summary["alignment"] == "homography"
    assert summary["planes"] >= 2
    assert summary["confidence"] > 0.8
    assert summary["matches"] > 200
    assert 0.7 < summary["overlap"] < 1
    assert summary["parallax_p90"] > 30
    assert summary["parallax_median"] < 1
    assert set(summary["seconds"]) == set(STAGES)
    assert summary["warnings"] == []


def test_the_same_pair_gives_the_same_panorama(stitched):
    assert same(stitched, stitch(two_planes().reference, two_planes().target))


def test_the_pictures_given_are_not_changed(stitched):
    scene = two_planes()
    reference, target = scene.reference.copy(), scene.target.copy()
    stitch(reference, target, classical(crop=True))
    assert np.array_equal(reference, scene.reference)
    assert np.array_equal(target, scene.target)


def test_progress_is_reported_in_order():
    reported = []
    stitch(
        two_planes().reference, two_planes().target, Options(),
        progress=lambda stage, share: reported.append((stage, share)),
    )  # fmt: skip
    assert list(dict.fromkeys(stage for stage, _ in reported)) == STAGES
    for stage in STAGES:
        shares = [share for name, share in reported if name == stage]
        assert (shares[0], shares[-1]) == (0, 1)
        assert shares == sorted(shares)


def test_whatever_progress_raises_ends_the_stitch():
    def stop(stage, share):
        if stage == "warp":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stitch(two_planes().reference, two_planes().target, progress=stop)


# --- options ---


def test_the_homography_alone_is_cheaper_and_worse(stitched):
    plain = stitch(two_planes().reference, two_planes().target, Options(warp="homography"))
    assert plain.summary.consistent is None
    ghosts = [
        (difference(s.aligned.reference, s.aligned.target)[s.aligned.reference_valid & s.aligned.target_valid]).mean()
        for s in (plain, stitched)
    ]
    assert ghosts[1] < 0.7 * ghosts[0]


def test_the_homography_says_how_much_parallax_it_leaves(stitched):
    plain = stitch(two_planes().reference, two_planes().target, Options(warp="homography")).summary
    assert plain.parallax_p90 == pytest.approx(stitched.summary.parallax_p90, rel=0.5)
    assert f"leaves a parallax of {plain.parallax_p90:.0f} px" in " ".join(plain.warnings)


def test_where_no_dense_warp_is_usable_auto_takes_the_homography_and_says_so(monkeypatch):
    monkeypatch.setattr("stitching.selection.MIN_USABLE_SHARE", 1.0)
    pair = two_planes().reference, two_planes().target
    fallen_back, plain = stitch(*pair, Options()), stitch(*pair, Options(warp="homography"))
    assert same(fallen_back, plain)
    assert fallen_back.summary.warp == "homography"
    assert 0 < fallen_back.summary.consistent < 1
    assert "so the homography was taken" in fallen_back.summary.warnings[0]


def test_final_megapix_shrinks_the_panorama(stitched):
    small = stitch(two_planes().reference, two_planes().target, classical(final_megapix=0.05))
    height, width = small.panorama.shape[:2]
    assert 0.045e6 < width * height < 0.051e6
    assert width / height == pytest.approx(stitched.panorama.shape[1] / stitched.panorama.shape[0], rel=0.02)
    shrunk = cv2.resize(stitched.panorama, (width, height), interpolation=cv2.INTER_AREA)
    assert difference(small.panorama, shrunk)[small.alpha == 255].mean() < 6


def test_final_megapix_does_not_enlarge(stitched):
    assert same(stitched, stitch(two_planes().reference, two_planes().target, classical(final_megapix=50)))


def test_no_outermost_row_or_column_is_empty():
    """Near things end inside of where the coarse alignment puts the target, and masks hide the reference's rim."""
    scene = two_planes()
    mask = np.zeros((H, W), np.uint8)
    mask[7:, 9:-5] = 255
    for options in (classical(), classical(final_megapix=0.05)):
        alpha = stitch(scene.reference, scene.target, options, mask_reference=mask, mask_target=mask).alpha
        assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))


def test_a_cropped_panorama_has_no_empty_pixel(stitched):
    cropped = stitch(two_planes().reference, two_planes().target, classical(crop=True))
    assert cropped.alpha.min() == 255
    assert cropped.panorama.shape[1::-1] == cropped.crop.size
    left, top = np.subtract(cropped.crop.origin, stitched.crop.origin)
    w, h = cropped.crop.size
    assert np.array_equal(cropped.panorama, stitched.panorama[top : top + h, left : left + w])
    assert cropped.alpha.size > 0.85 * (stitched.alpha == 255).sum()


@pytest.mark.parametrize("compensator", ["gain", "field"])
def test_a_darker_target_is_brightened(compensator):
    scene = two_planes()
    dark = (scene.target * 0.7).astype(np.uint8)
    bright, plain = (stitch(scene.reference, dark, classical(compensator=name)) for name in (compensator, "none"))
    new = (slice(20, H - 20), slice(W + 10, -10))
    ratio = bright.panorama[new].mean() / plain.panorama[new].mean()
    assert ratio == pytest.approx(1 / 0.7, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        Options(warp="networks"),
        Options(warp="matches:no/such"),
        Options(blend="best"),
        Options(blend="network:no/such"),
        Options(work_megapix=0),
        Options(work_megapix=50),
        Options(final_megapix=0.0),
        Options(final_megapix=float("nan")),
        Options(compensator="magic"),
        Options(device="tpu"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_reading(options):
    with pytest.raises(InputError) as caught:
        stitch("nowhere.jpg", "nowhere.jpg", options)
    assert "nowhere" not in str(caught.value)
    assert "\n" not in str(caught.value)


# --- pictures of all kinds ---


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_pair_gives_the_same_stitch_turned(stitched, turns):
    scene = two_planes()
    turned = stitch(*(np.ascontiguousarray(np.rot90(picture, turns)) for picture in (scene.reference, scene.target)))
    panorama, alpha = (np.rot90(p, -turns) for p in (turned.panorama, turned.alpha))
    assert turned.summary.overlap == pytest.approx(stitched.summary.overlap, abs=0.01)
    assert panorama.shape[:2] == pytest.approx(stitched.panorama.shape[:2], abs=3)
    assert (alpha > 0).sum() == pytest.approx((stitched.alpha > 0).sum(), rel=0.01)
    h, w = np.minimum(panorama.shape[:2], stitched.panorama.shape[:2])
    assert difference(panorama[:h, :w], stitched.panorama[:h, :w]).mean() < 10


def test_a_picture_stitched_with_itself_stays_itself():
    picture = two_planes().reference
    stitched = stitch(picture, picture)
    assert stitched.canvas.projection == "plane"
    rows, columns = frame_of(stitched)
    assert np.array_equal(stitched.panorama[rows, columns], picture)
    assert stitched.summary.parallax_p90 < 0.2
    assert max(stitched.panorama.shape[0] - H, stitched.panorama.shape[1] - W) <= 4


def test_pictures_of_different_sizes_fit(stitched):
    scene = two_planes()
    large = cv2.resize(scene.target, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC)
    other = stitch(scene.reference, large)
    assert abs(other.canvas.size[0] - stitched.canvas.size[0]) < 12
    assert abs(other.canvas.size[1] - stitched.canvas.size[1]) < 12
    assert other.alpha[frame_of(other)].min() == 255


def test_grey_pictures_give_a_grey_panorama():
    grey = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in (two_planes().reference, two_planes().target)]
    panorama = stitch(*grey).panorama
    assert np.array_equal(panorama[..., 0], panorama[..., 1])
    assert np.array_equal(panorama[..., 0], panorama[..., 2])


def test_sixteen_bits_are_kept_to_the_last():
    scene = two_planes()
    random = np.random.default_rng(0)
    deep = [
        p.astype(np.uint16) * 257 + random.integers(0, 200, p.shape).astype(np.uint16)
        for p in (scene.reference, scene.target)
    ]
    stitched = stitch(*deep)
    assert stitched.panorama.dtype == np.uint16
    alone = reference_alone(stitched)
    assert alone.any()
    assert np.array_equal(stitched.panorama[frame_of(stitched)][alone], deep[0][alone])


def test_eight_bits_beside_sixteen_become_sixteen():
    scene = two_planes()
    stitched = stitch(scene.reference, scene.target.astype(np.uint16) * 257)
    assert stitched.panorama.dtype == np.uint16
    alone = reference_alone(stitched)
    assert alone.any()
    assert np.array_equal(stitched.panorama[frame_of(stitched)][alone], scene.reference[alone] * np.uint16(257))


def test_a_pair_that_uses_few_of_its_16_bits_is_stitched_as_with_8_and_keeps_its_values(stitched):
    scene = two_planes()
    few = [p.astype(np.uint16) * 8 + 3 for p in (scene.reference, scene.target)]
    found = stitch(*few)
    assert found.panorama.shape == pytest.approx(stitched.panorama.shape, abs=1)
    alone = reference_alone(found)
    assert alone.any()
    assert np.array_equal(found.panorama[frame_of(found)][alone], few[0][alone])
    off = difference((found.panorama[frame_of(found)] - 3.0) / 8, stitched.panorama[frame_of(stitched)])
    assert off.mean() < 1
    assert (off > 30).mean() < 0.005


@pytest.mark.parametrize("zoom", [2.5, 4])
def test_noise_of_a_finer_target_is_averaged(zoom):
    scene = np.ascontiguousarray(coffee()[..., ::-1])
    fine = cv2.resize(scene[:, 200:], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 12, (*fine.shape[:2], 1))
    panoramas = [
        stitch(scene[:, :400].copy(), np.clip(fine + n, 0, 255).astype(np.uint8), Options(warp="homography")).panorama
        for n in (0, noise)
    ]
    height, width = np.min([p.shape[:2] for p in panoramas], axis=0)
    clean, noisy = (p[20 : height - 20, 450 : width - 20].astype(np.float32) for p in panoramas)
    off = noisy - clean
    assert (off - cv2.GaussianBlur(off, (0, 0), 4)).std() < 1.3 * 12 / zoom


def test_transparent_regions_are_not_shown():
    scene = two_planes()
    opaque = np.full((H, W, 1), 255, np.uint8)
    opaque[:, :100] = 0  # the reference alone sees the left of it
    stitched = stitch(np.dstack([scene.reference, opaque]), scene.target)
    x, y = origin_of(stitched)
    assert 40 <= x < 110
    assert stitched.alpha[-y : H - y, 110 - x : W - x].all()


def test_a_mask_does_what_transparency_does():
    scene = two_planes()
    mask = np.full((H, W), 255, np.uint8)
    mask[:, :100] = 0
    transparent = stitch(np.dstack([scene.reference, mask]), scene.target)
    assert same(transparent, stitch(scene.reference, scene.target, mask_reference=mask))


def test_a_masked_thing_is_neither_matched_nor_shown():
    """A false thing is pasted into the target's new content; the mask takes it out."""
    scene = two_planes()
    target, mask = scene.target.copy(), np.full((H, W), 255, np.uint8)
    target[100:200, 300:] = GREEN
    mask[95:205, 295:] = 0
    green = [
        (difference(stitch(scene.reference, target, mask_target=m).panorama, GREEN).max(axis=2) < 40).sum()
        for m in (None, mask)
    ]
    assert green[0] > 1000
    assert green[1] < 20


def test_paths_and_arrays_give_the_same(tmp_path, stitched):
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    for path, pixels in zip(paths, (two_planes().reference, two_planes().target), strict=True):
        cv2.imwrite(str(path), pixels)
    assert same(stitched, stitch(*paths))
    assert same(stitched, stitch(str(paths[0]), two_planes().target))


def test_pictures_without_features_are_joined_by_a_shift_with_a_warning():
    random = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(random.normal(size=(300, 400)), (0, 0), 15)
    fog = 128 + 25 * smooth / np.abs(smooth).max()
    reference, target = (
        np.clip(part + random.normal(0, 2, part.shape), 0, 255).astype(np.uint8)
        for part in (fog[40:260, :280], fog[40:260, 120:])
    )
    stitched = stitch(reference, target)
    assert stitched.summary.alignment == "translation"
    assert "translation" in stitched.summary.warnings[0]
    assert abs(stitched.panorama.shape[1] - 400) < 8


# --- the verdict ---


def test_the_summary_says_what_the_verdict_rests_on(stitched):
    summary = stitched.summary.as_dict()
    assert summary["verdict"] == "right"
    assert summary["evidence"]["verified"] > 0.5
    assert summary["evidence"]["epipolar"] > 0.9
    assert summary["evidence"]["overlap"] == summary["overlap"]


def test_pictures_that_share_nothing_are_refused_even_where_they_were_aligned(monkeypatch):
    """As if features or the network had found something."""
    points = np.random.default_rng(0).uniform(50, 250, (40, 2))
    found = Alignment(np.eye(3), Matches(points, points), "homography", 1, 0.9)
    monkeypatch.setattr(pair_placement, "align_pictures", lambda *_: found)
    scene = two_planes()
    with refused("do not fit together", ": try "):
        stitch(scene.reference, scene.target[::-1, ::-1].copy())


# --- warps to keep ---


def test_a_saved_warp_gives_the_same_panorama(tmp_path, stitched):
    scene = two_planes()
    save_warp(tmp_path / "warp.npz", stitched.warp)
    path, reported = tmp_path / "warp.npz", []
    again = stitch(scene.reference, scene.target, warp=path, progress=lambda stage, _: reported.append(stage))
    assert "align" not in reported
    assert same(again, stitched)
    assert again.summary.as_dict()["alignment"] == "loaded"
    assert (again.summary.tears, again.summary.folds) == (None, None)  # of the residual, which the file has not
    assert same(again, stitch(scene.reference, scene.target, warp=load_warp(path)))


def test_a_warp_serves_the_next_pictures_of_the_same_cameras(stitched):
    """The same place in another light."""
    later = [255 - p for p in (two_planes().reference, two_planes().target)]
    again = stitch(*later, warp=stitched.warp)
    rows, columns = frame_of(again)
    assert np.array_equal(again.panorama[rows, columns][:, :40], later[0][:, :40])
    assert again.summary.confidence > 0.9
    assert not again.summary.warnings


def test_a_warp_that_does_not_fit_the_pictures_is_refused(stitched):
    scene = two_planes()
    with refused("does not fit these pictures"):
        stitch(scene.reference, scene.target[::-1, ::-1], warp=stitched.warp)


@pytest.mark.parametrize("share", [0.5, 0.15])
def test_a_warp_that_fits_in_part_gives_a_warning(stitched, share):
    """Something else stands before the rest of the scene, or near things are where a homography does not put them."""
    scene = two_planes()
    changed = scene.target.copy()
    end = round(changed.shape[0] * share)
    changed[end:] = changed[end:, ::-1]
    summary = stitch(scene.reference, changed, warp=stitched.warp).summary
    assert 0.1 <= summary.confidence < 0.7
    assert "alike on only" in " ".join(summary.warnings)


def test_a_warp_that_nothing_can_be_said_of_gives_a_warning(stitched):
    pair = two_planes().reference, two_planes().target
    blank = [np.tile(np.linspace(90, 120, p.shape[1], dtype=np.uint8)[:, None], (p.shape[0], 1, 3)) for p in pair]
    summary = stitch(*blank, warp=stitched.warp).summary
    assert summary.confidence == 0
    assert "too little to tell" in " ".join(summary.warnings)


def test_a_warp_that_no_stitch_gives_is_refused(stitched):
    scene = two_planes()
    harmful = dataclasses.replace(stitched.warp, map=np.zeros_like(stitched.warp.map))
    with refused("forward"):
        stitch(scene.reference, scene.target, warp=harmful)


def test_a_warp_for_other_sizes_is_refused(stitched):
    scene = two_planes()
    with pytest.raises(InputError, match="300") as caught:
        stitch(scene.reference[:-2], scene.target, warp=stitched.warp)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="target"):
        stitch(scene.reference, scene.target[:, :-2], warp=stitched.warp)


def test_the_warp_says_where_the_scene_is(stitched):
    """Canvas -> target of the file is the inverse of what is true, away from the hidden strip."""
    scene, warp = two_planes(), stitched.warp
    rows, columns = (some[::17] for some in np.nonzero(warp.trusted & stitched.aligned.reference_valid))
    canvas = (np.stack([columns, rows], axis=-1) + 0.5) / warp.scale - 0.5
    shown = warp.map[rows, columns]
    true = remap(scene.map_xy.astype(np.float32), shown[None])[0]
    error = np.linalg.norm(true - canvas - np.array(warp.origin), axis=1)
    assert np.median(error) < 0.2
    assert (error < 2).mean() > 0.97


def test_forward_and_backward_map_agree(stitched):
    warp = stitched.warp
    h, w = warp.forward.shape[:2]
    canvas = (warp.forward + 0.5) * warp.scale - 0.5
    back = cv2.remap(np.nan_to_num(warp.map, nan=-1e4), canvas[..., 0], canvas[..., 1], cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(w), np.arange(h))
    own = (np.stack([x, y], axis=-1) + 0.5) / warp.forward_scale - 0.5
    error = np.linalg.norm(back - own, axis=2)
    assert np.median(error) < 0.3
    assert (error < 2).mean() > 0.9


# --- refused ---


@pytest.mark.parametrize("colour", [0, 128, 255, (20, 200, 90)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_of_one_colour_are_refused(colour, depth):
    flat = np.full((H, W, 3), colour, depth)
    for pair in ((flat, two_planes().target), (two_planes().reference, flat)):
        with pytest.raises(InputError, match="shows nothing") as caught:
            stitch(*pair)
        assert "\n" not in str(caught.value)


def test_a_picture_too_long_to_sample_is_refused():
    strip = np.random.default_rng(0).integers(0, 256, (40, 33000, 3), np.uint8)
    with pytest.raises(InputError, match="33000 x 40"):
        stitch(strip, two_planes().target)


def test_unrelated_pictures_are_refused():
    other = np.ascontiguousarray(coffee()[..., ::-1])[:, 100:]
    mirrored = cv2.GaussianBlur(two_planes().target[::-1, ::-1], (0, 0), 3)
    with pytest.raises(InputError, match="no overlap"):
        stitch(other, mirrored)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match=f"{W} x {H}"):
        stitch(two_planes().reference, two_planes().target, mask_target=np.full((H, W - 1), 255, np.uint8))


def test_a_mask_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match="mask"):
        stitch(two_planes().reference, two_planes().target, mask_reference=np.zeros((H, W), np.uint8))


def test_a_mask_over_all_of_the_overlap_is_refused():
    scene = two_planes()
    mask = np.zeros((H, W), np.uint8)
    mask[:, 370:] = 255
    with pytest.raises(InputError, match="no overlap"):
        stitch(scene.reference, scene.target, mask_target=mask)


def test_what_is_no_picture_is_refused():
    for nothing in ([1, 2, 3], 7, None):
        with pytest.raises(InputError):
            stitch(nothing, two_planes().target)


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().crop = True
