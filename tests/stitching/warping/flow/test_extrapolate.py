import numpy as np
import pytest

from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid, push_pull
from stitching.warping.flow.extrapolate import extrapolate_fading, extrapolate_on_plane

H, W = 160, 200
PLANE = np.array([[1.03, 0.02, -4.0], [-0.01, 0.98, 3.0], [8e-5, -5e-5, 1.0]])


@pytest.fixture
def overlap():
    mask = np.zeros((H, W), bool)
    mask[:, :120] = True
    return mask


@pytest.fixture
def motion():
    """How a plane of the scene moves, everywhere."""
    grid = pixel_grid(H, W).astype(np.float64)
    return (project(PLANE, grid) - grid).astype(np.float32)


def known_of(overlap):
    known = overlap.astype(np.float32)
    known[40:60, 30:50] = 0
    return known


@pytest.mark.parametrize("extrapolate", [extrapolate_fading, extrapolate_on_plane])
def test_what_is_known_stays_and_all_is_finite(extrapolate, overlap, motion):
    known = known_of(overlap)
    result = extrapolate(motion * known[..., None], known, overlap)
    assert np.abs(result - motion)[known > 0].max() < 1e-4
    assert np.isfinite(result).all()


def test_a_plane_goes_on_as_a_plane(overlap, motion):
    result = extrapolate_on_plane(motion * overlap[..., None], overlap.astype(np.float32), overlap)
    assert np.abs(result - motion).max() < 0.01  # px, up to 80 px from what is known


def test_lone_wrong_pixels_do_not_move_what_lies_outside(overlap, motion):
    rng = np.random.default_rng(0)
    known = known_of(overlap)
    known[:, 90:120] = 0
    lone = rng.random((H, 30)) < 0.05
    known[:, 90:120][lone] = 1
    given = motion * known[..., None]
    given[:, 90:120][lone] += 30
    results = extrapolate_on_plane(given, known, overlap), push_pull(given, known)
    error, push_pull_error = (np.abs(result - motion)[:, 140:].max() for result in results)
    assert error < 0.05 * push_pull_error  # in which lone pixels count like others


def test_in_the_overlap_both_fill_alike(overlap, motion):
    known = known_of(overlap)
    given = motion * known[..., None]
    assert (
        np.abs(extrapolate_on_plane(given, known, overlap) - extrapolate_fading(given, known, overlap))[overlap].max()
        < 1e-4
    )


def test_nothing_known_moves_nothing(overlap, motion):
    nothing = np.zeros((H, W), np.float32)
    assert not extrapolate_on_plane(motion, nothing, overlap).any()
    assert not extrapolate_on_plane(motion, nothing, np.zeros_like(overlap)).any()


def test_fading_ends_at_the_coarse_alignment():
    narrow = np.zeros((H, 2000), bool)
    narrow[:, :50] = True
    field = np.full((H, 2000, 2), 5, np.float32)
    assert np.abs(extrapolate_fading(field, narrow.astype(np.float32), narrow)[:, -1]).max() < 0.1
