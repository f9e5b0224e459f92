import numpy as np
import pytest

from stitching.reporting import visualize

RED = (0, 0, 255)  # BGR


def flow(x: float, y: float) -> np.ndarray:
    return np.full((2, 3, 2), (x, y), np.float32)


def test_flow_colours_of_no_movement_is_white_and_of_the_unknown_black() -> None:
    field = flow(0, 0)
    field[0, 0] = np.nan
    colours = visualize.flow_colours(field, limit=1)
    assert (colours[0, 0] == 0).all()
    assert (colours[1] == 255).all()


def test_flow_colours_tell_directions_apart_and_saturate_at_the_limit() -> None:
    assert tuple(visualize.flow_colours(flow(5, 0), limit=5)[0, 0]) == RED
    assert tuple(visualize.flow_colours(flow(-50, 0), limit=5)[0, 0])[::2] == (255, 0)  # bluish cyan
    assert (visualize.flow_colours(flow(0, 5), limit=5) != visualize.flow_colours(flow(0, -5), limit=5)).any()
    half = visualize.flow_colours(flow(2.5, 0), limit=5)[0, 0]
    assert 100 < half[0] < 160  # half of the way from white to red
    assert half[2] == 255


def test_flow_legend_shows_the_colours_of_the_field() -> None:
    wheel, disc = visualize.flow_legend(101)
    assert wheel.shape == (101, 101, 3)
    assert (wheel[50, 50] == 255).all()
    assert tuple(wheel[50, 100]) == RED
    assert disc[50, 0]
    assert not disc[0, 0]


def test_heat_map_brightens_with_the_value_and_is_black_where_there_is_none() -> None:
    values = np.array([[0, 1, 2, 4, 9, np.nan, 3]], np.float32)
    mask = np.array([[True, True, True, True, True, True, False]])
    brightness = visualize.heat_map(values, mask, limit=4)[0].sum(axis=1)
    assert (np.diff(brightness[:4].astype(int)) > 0).all()
    assert brightness[4] == brightness[3]
    assert (brightness[5:] == 0).all()


@pytest.mark.parametrize(("top", "limit"), [(4.2, 5), (0.031, 0.04), (3, 3), (95, 100), (0, 1)])
def test_scales_end_at_a_round_number(top: float, limit: float) -> None:
    values = np.full((4, 4), top, np.float32)
    assert visualize.robust_limit(values, values >= 0) == pytest.approx(limit)


def test_scale_of_nothing_is_one() -> None:
    assert visualize.robust_limit(np.full((2, 2), np.nan, np.float32), np.ones((2, 2), bool)) == 1


def test_weight_colours_are_those_of_the_pictures() -> None:
    colours = visualize.weight_colours(np.array([[0, 1]], np.float32))
    assert tuple(colours[0, 0]) == visualize.TARGET_COLOUR
    assert tuple(colours[0, 1]) == visualize.REFERENCE_COLOUR


def test_coverage_shows_each_kind_in_its_colour() -> None:
    reference, target = np.array([[1, 0, 1, 0, 0]], bool), np.array([[0, 1, 1, 0, 0]], bool)
    picture = visualize.coverage_colours(reference, target, np.array([[0, 0, 0, 1, 0]], bool))
    kinds = [
        visualize.REFERENCE_COLOUR,
        visualize.TARGET_COLOUR,
        visualize.OVERLAP_COLOUR,
        visualize.HOLE_COLOUR,
    ]
    assert [tuple(pixel) for pixel in picture[0]] == [*kinds, (0, 0, 0)]


def test_seam_lies_where_the_lead_changes_and_not_along_the_border() -> None:
    reference, target = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    reference[5:35, :40], target[5:35, 20:] = True, True
    weight = np.zeros((40, 60), np.float32)
    weight[5:35, :30] = 1
    line = visualize.seam_line(weight, reference, target)
    assert line[5:35, 29:31].all()
    line[5:35, 29:31] = False
    assert not line.any()


def test_difference_ignores_exposure_and_shows_a_shift() -> None:
    texture = np.random.default_rng(0).integers(40, 120, (20, 20, 1), dtype=np.uint8).repeat(3, axis=2)
    both = np.ones((20, 20), bool)
    both[:, :4] = False
    assert visualize.difference(texture, texture * np.uint8(2), both).max() <= 2
    apart = visualize.difference(texture, np.roll(texture, 1, axis=0), both)
    assert apart[both].mean() > 20
    assert (apart[~both] == 0).all()


def test_stripes_stay_inside_the_holes_and_leave_gaps() -> None:
    holes = np.zeros((60, 60), bool)
    holes[10:50, 10:50] = True
    striped = visualize.stripes(holes)
    assert not striped[~holes].any()
    assert 0.3 < striped[holes].mean() < 0.7


def test_overlaid_leaves_the_picture_alone() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    painted = visualize.overlaid(picture, np.eye(2, dtype=bool), (1, 2, 3))
    assert not picture.any()
    assert tuple(painted[1, 1]) == (1, 2, 3)
    assert not painted[0, 1].any()


def test_grid_of_an_unmoved_target_is_straight_and_reaches_its_border() -> None:
    forward = np.stack(np.meshgrid(np.arange(101), np.arange(61)), axis=-1).astype(np.float32)
    lines = visualize.grid_lines(forward, cells=10)
    assert all(np.ptp(line, axis=0).min() == 0 for line in lines)
    points = np.concatenate(lines)
    assert points.min(axis=0).tolist() == [0, 0]
    assert points.max(axis=0).tolist() == [100, 60]


def test_grid_breaks_where_the_warp_is_unknown() -> None:
    forward = np.stack(np.meshgrid(np.arange(101), np.arange(61)), axis=-1).astype(np.float32)
    forward[:, 40:60] = np.nan
    lines = visualize.grid_lines(forward, cells=10)
    assert all(np.isfinite(line).all() for line in lines)
    assert not any(line[:, 0].min() < 40 <= line[:, 0].max() for line in lines)


def test_field_within_a_mask_is_kept_as_it_is() -> None:
    field, photo = np.full((2, 2, 3), 200, np.uint8), np.zeros((2, 2, 3), np.uint8)
    shown = visualize.within(field, np.eye(2, dtype=bool), photo)
    assert (shown[0, 0] == 200).all()
    assert (shown[0, 1] < 200).all()
