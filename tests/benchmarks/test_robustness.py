"""The robustness benchmark: conditions change what they say and keep the truth; wrong stitches count as wrong."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import robustness_conditions
import synthetic
from banks import small_bank
from fake_renderer import open_fake
from robustness import BAD_ERROR, Outcome, main, measure, options_of, ov_errors, stretch, table
from robustness_conditions import (
    CONDITIONS,
    MAX_SCALE,
    NATURAL,
    PERIODIC,
    Case,
    SampleSet,
    cases,
    clean,
    exposed,
    low_light,
    periodic_bank,
    scaled,
    with_people,
    zoomed,
)

from datasets import generate as generate_module
from datasets.options import SampleOptions
from datasets.scenes.recipes import build_scene
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid, remap, rescale
from stitching.stitcher import stitch

SIZE = (266, 200)  # px of the pictures; renderings are 1.5 times as large
RESAMPLING_ERROR = 6.0  # grey levels; half of the resampled pixels differ by less


def generator(seed=0):
    return np.random.default_rng(seed)


def two_planes():
    scene = synthetic.two_planes()
    grid = pixel_grid(*scene.visible.shape)
    return Case(scene.reference, scene.target, grid, scene.map_xy.astype(np.float32), scene.visible)


def identical_pair():
    """Twice the same picture, in tones that no exposure clips."""
    picture = cv2.convertScaleAbs(synthetic.two_planes().reference, alpha=0.4, beta=60)
    grid = pixel_grid(*picture.shape[:2])
    return Case(picture, picture, grid, grid, np.ones(picture.shape[:2], bool))


def disagreement(case):
    """(n,) grey levels between the smoothed pictures at positions that the truth calls the same."""
    reference, target = (cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in (case.reference, case.target))
    difference = remap(reference, case.reference_xy).astype(int) - remap(target, case.target_xy)
    return np.abs(difference)[case.known]


def linear(picture):
    """Linear light, 0..1, of sRGB values."""
    values = picture / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("scale", [1 / 1.5, 0.8, 1, 1.3, 1.5])
def test_scale_changes_size_and_keeps_the_truth(scale):
    case = zoomed(two_planes(), SIZE, scale)
    assert case.reference.shape == case.target.shape == (SIZE[1], SIZE[0], 3)
    for map_xy in (case.target_xy, case.reference_xy):
        assert (map_xy[case.known] > -0.5).all()
        assert (map_xy[case.known] < np.array(SIZE) - 0.5).all()
    assert case.known.mean() > 0.3
    assert np.median(disagreement(case)) < RESAMPLING_ERROR
    shifted = replace(case, reference_xy=case.reference_xy + np.float32(6))
    assert np.median(disagreement(shifted)) > 2 * np.median(disagreement(case))
    ratios = []
    for one in (case, zoomed(two_planes(), SIZE, 1)):
        steps = [np.median(np.diff(xy[..., 0], axis=1)[case.known[:, 1:]]) for xy in (one.target_xy, one.reference_xy)]
        ratios.append(steps[0] / steps[1])
    assert ratios[0] / ratios[1] == pytest.approx(scale, rel=0.01)


def test_scales_lie_on_both_sides_of_one():
    scales = []
    for seed in range(12):
        case = scaled(identical_pair(), SIZE, generator(seed))
        steps = [np.median(np.diff(xy[..., 0], axis=1)) for xy in (case.target_xy, case.reference_xy)]
        scales.append(steps[0] / steps[1])
    assert 0.99 / MAX_SCALE < min(scales) < 0.85
    assert 1.15 < max(scales) < 1.01 * MAX_SCALE


@pytest.mark.parametrize("stops", [1.0, 2.0])
def test_exposures_are_so_many_stops_apart(stops):
    signs = set()
    for seed in range(6):
        before, after = (
            clean(identical_pair(), SIZE, generator()),
            exposed(identical_pair(), SIZE, generator(seed), stops),
        )
        difference = np.log2(np.median(linear(after.target)) / np.median(linear(after.reference)))
        assert abs(difference) == pytest.approx(stops, abs=0.1)
        for name in ("target_xy", "reference_xy", "known"):
            assert np.array_equal(getattr(after, name), getattr(before, name))
        signs.add(np.sign(difference))
    assert signs == {-1, 1}


def test_low_light_is_dark_and_each_picture_has_noise_of_its_own():
    case, day = low_light(identical_pair(), SIZE, generator()), clean(identical_pair(), SIZE, generator())
    for dark, bright in ((case.reference, day.reference), (case.target, day.target)):
        assert np.log2(np.mean(linear(bright)) / np.mean(linear(dark))) == pytest.approx(3, abs=0.3)
    noise = case.reference.astype(float) - case.target
    assert noise.std() == pytest.approx(6 * np.sqrt(2), rel=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_people_stand_elsewhere_and_what_they_hide_is_not_known(seed):
    before, after = clean(identical_pair(), SIZE, generator()), with_people(identical_pair(), SIZE, generator(seed))
    new = [(a != b).any(axis=2) for a, b in ((after.reference, before.reference), (after.target, before.target))]
    for changed in new:
        assert 0.02 < changed.mean() < 0.6
    assert (new[0] & new[1]).sum() < 0.7 * (new[0] | new[1]).sum()
    assert 0 < after.known.sum() < before.known.sum()
    assert not (after.known & ~before.known).any()
    for changed, map_xy in zip(new, (after.reference_xy, after.target_xy), strict=True):
        assert not remap(changed.astype(np.uint8), map_xy, cv2.INTER_NEAREST)[after.known].any()
    again = with_people(identical_pair(), SIZE, generator(seed))
    assert np.array_equal(after.target, again.target)


def test_periodic_textures_repeat_and_build_the_same_scenes():
    bank = periodic_bank(64)
    for number, (start, side) in enumerate(zip(bank.starts[:, 0], bank.sides, strict=True)):
        texture = bank.texels[start : start + side * side].reshape(side, side, 4)
        assert np.array_equal(texture, np.roll(texture, side // 2, axis=0))
        assert np.array_equal(texture, np.roll(texture, side // 2, axis=1))
        assert bank.kinds[number] in ("photo", *small_bank().kinds)
    assert set(PERIODIC + NATURAL) <= set(bank.kinds) == set(small_bank().kinds)
    usual, periodic = (build_scene("street", generator(3), one) for one in (small_bank(), bank))
    assert np.array_equal(usual.corners, periodic.corners)
    assert np.array_equal(usual.standpoint.eye, periodic.standpoint.eye)


def test_sets_are_generated_once(tmp_path, monkeypatch):
    generated = []

    def run_here(task, indices, processes):
        for some in indices:
            generated.extend(some)
            yield task(some)

    monkeypatch.setattr(generate_module, "run_local", run_here)
    monkeypatch.setitem(robustness_conditions.SETS, "clean", SampleSet(open_renderer=open_fake))
    options = SampleOptions(size=(96, 80))
    found = {name: list(cases(name, tmp_path, options, 2, 5)) for name in ("base", "low-light", "base")}
    assert generated == [0, 1]
    for pairs in found.values():
        assert [name for name, _ in pairs] == ["000000", "000001"]
        assert pairs[0][1].target.shape == (80, 96, 3)
    bright, dark = (found[name][0][1] for name in ("base", "low-light"))
    assert np.array_equal(bright.reference_xy, dark.reference_xy)
    assert dark.target.mean() < bright.target.mean()


def test_options_of_the_sets_are_valid():
    for condition in CONDITIONS.values():
        replace(SampleOptions(), **robustness_conditions.SETS[condition.samples].options)  # raises InputError


@pytest.mark.parametrize(("focal", "forward_scale"), [(None, 1.0), (None, 0.5), (300.0, 1.0)])
def test_errors_are_px_of_the_reference_on_whatever_canvas(focal, forward_scale):
    grid = pixel_grid(60, 80)
    case = Case(*[np.zeros((60, 80, 3), np.uint8)] * 2, grid, 0.9 * grid + np.float32([30, 5]), grid[..., 0] > 20)
    canvas = Canvas(Surface(focal, (40.0, 30.0)), (-17, 9), (200, 100))
    nodes = rescale(pixel_grid(int(60 * forward_scale), int(80 * forward_scale)), 1 / forward_scale)
    forward = canvas.from_reference(0.9 * nodes.astype(float) + (33, 9)).astype(np.float32)
    stitched = SimpleNamespace(canvas=canvas, warp=SimpleNamespace(forward=forward, forward_scale=forward_scale))
    errors = ov_errors(stitched, case)
    assert errors.shape == (case.known.sum(),)
    assert np.median(errors) == pytest.approx(5, abs=0.05)


def test_a_stitch_is_measured_against_the_truth():
    case = clean(two_planes(), (400, 300), generator())
    stitched = stitch(case.reference, case.target, options_of("classical"))
    errors = ov_errors(stitched, case)
    assert np.median(errors) < 0.5
    moved = ov_errors(stitched, replace(case, reference_xy=case.reference_xy + np.float32([30, 40])))
    assert np.median(moved) == pytest.approx(50, abs=1)
    found = measure("base", "homography", "one", case, options_of("homography+seam"))
    assert (found.failed, found.wrong, found.warned) == ("", False, True)  # of the parallax that it leaves
    assert found.ov is not None
    assert found.ov > errors.mean()
    assert found.over_3 is not None
    assert found.over_3 > (errors > BAD_ERROR).mean()
    wrong = replace(case, reference_xy=case.reference_xy + np.float32([30, 0]))  # 5 % of the width are 20 px
    assert measure("base", "homography", "one", wrong, options_of("homography")).wrong


def test_pictures_of_different_things_fail():
    case = clean(identical_pair(), SIZE, generator())
    noise = generator().integers(0, 256, case.target.shape, np.uint8)
    found = measure("base", "homography", "one", replace(case, target=noise), options_of("homography"))
    assert "overlap" in found.failed
    assert found.wrong is None


def test_stretch_is_the_ratio_of_sides():
    grid = pixel_grid(80, 120)
    assert stretch(grid) == pytest.approx(1)
    assert stretch(grid * np.float32([2, 1])) == pytest.approx(2)
    turned = np.stack([grid[..., 1], -grid[..., 0]], axis=-1)
    assert stretch(turned) == pytest.approx(1)


def test_the_table_counts_what_failed_what_is_wrong_and_what_was_warned_of():
    right = Outcome("base", "network", "0", 1.0, "", False, True, 1.0, 2.0, 0.5, 0.25, 1.5, 0.0, 0.5)
    wrong = replace(right, pair="1", wrong=True, warned=False, ov=100.0, ov_median=90.0, over_3=0.75)
    failed = Outcome("base", "network", "4", 1.0, "no overlap")
    _, line = table([right, replace(right, warned=False), wrong, replace(wrong, warned=True), failed])
    assert line == [
        "base", "network", "5", "20%", "40%", "1 of 2", "1 of 2", "51.00", "45.25", "50.0%", "1.50", "0.00%", "50.00%",
        "1.00",
    ]  # fmt: skip
    headings, line = table([failed])
    assert line == ["base", "network", "1", "100%", "0%", "0 of 0", "0 of 0", *["-"] * 7]
    assert len(headings) == len(line)


def test_unknown_methods_are_refused():
    picture = identical_pair().reference
    for method in ("nonsense", "homography+nonsense"):
        with pytest.raises(InputError, match="nonsense"):
            stitch(picture, picture, options_of(method))


def test_unknown_methods_are_refused_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["robustness.py", str(tmp_path / "out"), "--methods", "classical", "nope"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: --methods: no warp called 'nope'" in err
    assert list(tmp_path.iterdir()) == []
