"""Parallax: how far a placement is from one homography, and that blends are told of it."""

import numpy as np
import pytest
from synthetic import two_planes

import stitching
from stitching import Options
from stitching.blending import registry
from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.base_warp import parallax
from stitching.warping.placement import Placement


def test_parallax_is_in_px_of_the_grid():
    """A grid of half as many px as the pictures have; a near thing is 10 px of it away."""
    coarse = 2 * pixel_grid(60, 80)
    map_xy = coarse.copy()
    map_xy[20:40, 30:50, 0] += 20
    covered = np.ones((60, 80), bool)
    covered[:, 45:] = False
    found = parallax(Placement(map_xy, covered, covered, np.zeros_like(map_xy), 0.5), coarse)
    assert found[30, 40] == pytest.approx(10)
    assert found[10, 10] == 0
    assert found[30, 48] == 0  # not covered


def test_a_near_thing_of_a_pair_has_parallax():
    stitched = stitching.stitch(two_planes().reference, two_planes().target, Options(warp="classical"))
    found = stitched.aligned.parallax[stitched.aligned.overlap]
    near = np.percentile(found, 95) - np.median(found)
    assert near > 10  # px; the box is 40 px off the wall


def test_the_seams_of_many_pictures_are_told_of_parallax(monkeypatch):
    told, seam = [], registry.seam
    monkeypatch.setattr(registry, "seam", lambda pair, *rest: told.append(pair.parallax) or seam(pair, *rest))
    stitching.stitch_many([two_planes().reference, two_planes().target], Options(warp="classical"))
    assert len(told) == 1
    assert told[0].max() > 10
