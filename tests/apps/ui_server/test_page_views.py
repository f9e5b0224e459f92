"""What the page shows of a stitched pair."""

import cv2
import numpy as np
import pytest
from synthetic import two_planes

from apps.ui_server.stitching_jobs import views
from stitching import Options, stitch
from stitching.io.metadata.contents import Metadata


@pytest.mark.parametrize("side", [1600, 200])
def test_reference_and_target_lie_where_the_panorama_shows_them_at_any_size(tmp_path, monkeypatch, side):
    monkeypatch.setattr(views, "VIEW_SIDE", side)
    scene = two_planes()
    stitched = stitch(scene.reference, scene.target, Options(crop=True))
    views.draw_panorama_view(stitched.panorama, stitched.alpha, Metadata(), None, tmp_path / "panorama.png")
    assert views.draw_pair_views(stitched, tmp_path) == ["reference", "target"]
    names = ("panorama", "reference", "target")
    panorama, *alone = (cv2.imread(str(tmp_path / f"{name}.png")).astype(int) for name in names)
    w, h = stitched.crop.size
    assert max(panorama.shape) == min(side, max(w, h))
    assert all(picture.shape == panorama.shape for picture in alone)
    differences = [np.abs(picture - panorama).max(axis=2) for picture in alone]
    assert np.mean(np.min(differences, axis=0) < 12) > 0.95  # nearly every pixel comes from one of them
    assert all(np.mean(difference < 12) > 0.2 for difference in differences)
