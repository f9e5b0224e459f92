import numpy as np
import pytest

from stitching.geometry.pixel_maps import (
    compose_flows,
    evaluate_on_grid,
    forward_backward_error,
    forward_map,
    inside,
    pixel_grid,
    push_pull,
    remap,
    rescale,
    resize_field,
    smoothstep,
)


def some_known(shape, share, seed=0):
    known = (np.random.default_rng(seed).random(shape) < share).astype(np.float32)
    known[0, 0] = 1
    return known


def wavy(points):
    """A smooth map, bent as strongly as a wide-angle cylinder."""
    x, y = points[..., 0], points[..., 1]
    return np.stack([x + 3 * np.sin(x / 200) + 2 * np.cos(y / 150), 1.02 * y + 2 * np.sin(x / 170)], axis=-1)


def test_smoothstep_rises_from_0_to_1_and_is_flat_at_both_ends():
    t = np.linspace(0, 1, 1001)
    steps = np.diff(smoothstep(t))
    assert smoothstep(t)[[0, 500, 1000]].tolist() == [0, 0.5, 1]
    assert (steps > 0).all()
    assert steps[[0, -1]].max() < 0.01 * steps.max()


# --- push-pull ---


def test_push_pull_keeps_known_values():
    field = np.random.default_rng(1).normal(size=(50, 70, 2)).astype(np.float32)
    known = some_known((50, 70), 0.1)
    filled = push_pull(field, known)
    assert np.array_equal(filled[known == 1], field[known == 1])


@pytest.mark.parametrize("shape", [(50, 70), (32, 2000), (1, 70), (37, 1), (2, 2), (1, 1)])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_push_pull_fills_a_constant_with_itself_at_any_shape(shape, share):
    known = some_known(shape, share)  # at least one pixel
    field = known[..., None] * np.float32([3.5, -2])
    assert np.allclose(push_pull(field, known), [3.5, -2], atol=1e-4)


def test_push_pull_of_half_a_slope_stays_within_the_slope():
    field = pixel_grid(40, 60)
    known = np.zeros((40, 60), np.float32)
    known[:, :30] = 1
    filled = push_pull(field, known)
    assert filled[..., 0].min() >= 0
    assert filled[..., 0].max() <= 29.001
    assert np.abs(filled[:, 31:, 0] - 29).max() < 15


def test_push_pull_weighs_values_by_how_known_they_are():
    field = np.zeros((32, 32, 2), np.float32)
    known = np.ones((32, 32), np.float32)
    field[16, 16], known[16, 16] = 100, 0.5
    assert 0 < push_pull(field, known)[16, 16, 0] < 60


def test_push_pull_of_nothing_is_zero():
    assert not push_pull(np.ones((9, 9, 2), np.float32), np.zeros((9, 9), np.float32)).any()


# --- grids and scales ---


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.37])
@pytest.mark.parametrize("size", [(64, 48), (101, 77), (9, 17), (1, 1)])
def test_a_function_on_a_grid_is_exact_to_a_fiftieth_of_a_pixel(size, scale):
    drawn = evaluate_on_grid(wavy, size, scale, offset=(5, 9))
    true = wavy(rescale(pixel_grid(size[1], size[0]) + np.array([5.0, 9.0]), 1 / scale))
    assert drawn.shape == (size[1], size[0], 2)
    assert np.abs(drawn - true).max() < 0.02


def test_tiles_of_a_map_agree_with_the_map():
    whole = evaluate_on_grid(wavy, (100, 60), 0.7)
    tile = evaluate_on_grid(wavy, (30, 20), 0.7, offset=(50, 33))
    assert np.abs(tile - whole[33:53, 50:80]).max() < 0.02


def test_where_a_function_is_nan_its_map_lies_in_no_picture():
    def half(points):
        return np.where(points[..., :1] > 500, np.nan, points)

    drawn = evaluate_on_grid(half, (1000, 40), 1.0)
    assert np.isfinite(drawn).all()
    assert not inside(drawn[:, 508:], (1000, 40)).any()
    assert inside(drawn[:, :490], (1000, 40)).all()


@pytest.mark.parametrize("scale", [2.0, 0.3])
def test_rescaling_there_and_back_changes_nothing(scale):
    points = np.random.default_rng(0).uniform(-100, 5000, (50, 2))
    assert np.allclose(rescale(rescale(points, scale), 1 / scale), points, atol=1e-9)


def test_rescaling_keeps_the_borders_of_pictures():
    """A picture of w px covers -0.5 .. w - 0.5; enlarged 3 times -0.5 .. 3 w - 0.5."""
    assert np.allclose(rescale(np.array([-0.5, 9.5]), 3.0), [-0.5, 29.5])


def test_enlarging_a_slope_agrees_with_rescaled_coordinates():
    large = resize_field(pixel_grid(20, 30), (90, 60))
    assert np.allclose(large[3:-3, 3:-3], rescale(pixel_grid(60, 90), 1 / 3)[3:-3, 3:-3], atol=1e-4)


# --- sampling and moving ---


def test_sampling_at_whole_pixels_is_indexing():
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    assert np.array_equal(remap(pixels, pixel_grid(20, 30)[4:9, 7:12]), pixels[4:9, 7:12])


def test_sampling_outside_gives_the_border():
    ramp = np.arange(30, dtype=np.float32)[None].repeat(5, axis=0)
    assert remap(ramp, np.float32([[[-7, 2], [1e5, 2]]])).tolist() == [[0, 29]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inside_ends_at_the_borders_of_pixels(dtype):
    points = np.array([[-0.5, 0], [-0.6, 0], [9.5, 4.5], [9.6, 0], [np.nan, 0], [0, np.nan]], dtype)
    expected = [True, False, True, False, False, False]
    assert inside(points, (10, 5)).tolist() == expected
    assert inside(points.reshape(2, 3, 2), (10, 5)).tolist() == [expected[:3], expected[3:]]


def test_composing_two_translations_adds_them():
    first, second = np.full((10, 12, 2), 1.5, np.float32), np.full((10, 12, 2), -4, np.float32)
    assert np.allclose(compose_flows(first, second), -2.5)


def test_the_forward_backward_error_is_zero_where_the_backward_flow_undoes_the_forward_flow():
    forward = np.zeros((40, 60, 2), np.float32)
    forward[..., 0] = 5
    backward = -forward
    backward[:, 30:] += 3  # wrong by (3, 3) px for pixels that land right of column 30
    error = forward_backward_error(forward, backward)
    assert np.allclose(error[:, :24], 0)
    assert np.allclose(error[:, 26:], np.hypot(3, 3))


def test_a_forward_map_undoes_the_backward_map_to_a_tenth_of_a_pixel():
    """Of a canvas at half its size; its left fifth is not covered."""
    backward = rescale(pixel_grid(40, 60), 2.0) - np.float32([24.25, 3])
    backward[:, :12] = np.nan
    forward, scale = forward_map(backward, 0.5, (100, 80))
    assert scale <= 0.5
    rows, columns = np.nonzero(np.isfinite(backward[..., 0]))
    canvas = rescale(np.stack([columns, rows], axis=-1).astype(np.float64), 1 / 0.5)
    at = rescale(backward[rows, columns].astype(np.float64), scale)
    nearest = np.round(at).astype(int)
    h, w = forward.shape[:2]
    valid = (nearest >= 0).all(axis=1) & (nearest[:, 0] < w) & (nearest[:, 1] < h)
    found = forward[nearest[valid, 1], nearest[valid, 0]]
    # The forward map is read at the nearest whole pixel; the target moves like the canvas here.
    expected = canvas[valid] + (nearest[valid] - at[valid]) / scale
    assert valid.sum() > 1000
    assert np.abs(found - expected).max() < 0.1


def test_a_forward_map_is_interpolated_where_the_canvas_shows_nothing():
    backward = pixel_grid(60, 80) + np.float32([30, 0])
    backward[20:30, 20:30] = np.nan
    forward, scale = forward_map(backward, 1.0, (110, 60))
    assert scale == 1
    assert np.isfinite(forward).all()
    assert np.abs(forward - (pixel_grid(60, 110) - np.float32([30, 0]))).max() < 0.1
