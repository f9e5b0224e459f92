import numpy as np
import pytest

from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid, push_pull
from stitching.warping.extrapolate import fading, planar

H, W = 160, 200
PLANE = np.array([[1.03, 0.02, -4.0], [-0.01, 0.98, 3.0], [8e-5, -5e-5, 1.0]])


@pytest.fixture
def overlap():
    mask = np.zeros((H, W), bool)
    mask[:, :120] = True
    return mask


@pytest.fixture
def motion():
    """What a plane of the scene does, everywhere."""
    grid = pixel_grid(H, W).astype(np.float64)
    return (project(PLANE, grid) - grid).astype(np.float32)


def known_of(overlap):
    known = overlap.astype(np.float32)
    known[40:60, 30:50] = 0
    return known


@pytest.mark.parametrize("extension", [fading, planar])
def test_what_is_known_stays_and_all_is_finite(extension, overlap, motion):
    known = known_of(overlap)
    extended = extension(motion * known[..., None], known, overlap)
    assert np.abs(extended - motion)[known > 0].max() < 1e-4
    assert np.isfinite(extended).all()


def test_a_plane_goes_on_as_a_plane(overlap, motion):
    extended = planar(motion * overlap[..., None], overlap.astype(np.float32), overlap)
    assert np.abs(extended - motion).max() < 0.01  # px, up to 80 px from what is known


def test_lone_wrong_pixels_do_not_move_what_lies_outside(overlap, motion):
    rng = np.random.default_rng(0)
    known = known_of(overlap)
    known[:, 90:120] = 0
    lone = rng.random((H, 30)) < 0.05
    known[:, 90:120][lone] = 1
    given = motion * known[..., None]
    given[:, 90:120][lone] += 30
    extensions = planar(given, known, overlap), push_pull(given, known)
    off, taken_in = (np.abs(extended - motion)[:, 140:].max() for extended in extensions)
    assert off < 0.05 * taken_in  # of what lone pixels do where they count like others


def test_in_the_overlap_both_fill_alike(overlap, motion):
    known = known_of(overlap)
    given = motion * known[..., None]
    assert np.abs(planar(given, known, overlap) - fading(given, known, overlap))[overlap].max() < 1e-4


def test_nothing_known_moves_nothing(overlap, motion):
    nothing = np.zeros((H, W), np.float32)
    assert not planar(motion, nothing, overlap).any()
    assert not planar(motion, nothing, np.zeros_like(overlap)).any()


def test_fading_ends_at_the_coarse_alignment():
    narrow = np.zeros((H, 2000), bool)
    narrow[:, :50] = True
    field = np.full((H, 2000, 2), 5, np.float32)
    assert np.abs(fading(field, narrow.astype(np.float32), narrow)[:, -1]).max() < 0.1
