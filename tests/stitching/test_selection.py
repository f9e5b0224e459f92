"""Which warp `auto` takes."""

import numpy as np
import pytest

from stitching.geometry.pixel_maps import pixel_grid
from stitching.selection import MIN_USABLE_SHARE, UsedWarp, consistent_share
from stitching.warping.placement import Placement
from stitching.warping.warp import Warp


@pytest.mark.parametrize(
    ("share", "unusable"),
    [(None, False), (1.0, False), (MIN_USABLE_SHARE, False), (MIN_USABLE_SHARE - 0.01, True), (0.0, True)],
)
def test_a_warp_is_unusable_where_almost_nothing_of_it_is_consistent(share: float | None, unusable: bool) -> None:
    """Where nothing was checked nothing is known."""
    assert UsedWarp("classical", share).is_unusable == unusable


def test_only_the_overlap_counts_as_consistent() -> None:
    covered, trusted, reference = np.zeros((3, 10, 30), bool)
    covered[:, 10:], trusted[:, 15:], reference[:, :20] = True, True, True
    placement = Placement(pixel_grid(10, 30), covered, trusted, np.zeros((10, 30, 2), np.float32), 1.0)
    assert consistent_share(placement, reference) == 0.5
    assert consistent_share(placement, np.zeros((10, 30), bool)) is None


@pytest.mark.parametrize(
    ("name", "by_network", "said"),
    [
        ("matches", True, "matches"),
        ("matches", False, "classical"),
        ("matches:mine", True, "matches:mine"),
        ("matches:mine", False, "classical"),
        ("homography", False, "homography"),
    ],
)
def test_the_network_is_named_only_where_it_took_part(name: str, by_network: bool, said: str) -> None:
    valid = np.ones((10, 30), bool)
    field = np.zeros((10, 30, 2), np.float32)
    placement = Placement(pixel_grid(10, 30), valid, valid, field, 1.0)
    used = UsedWarp.of(name, Warp(field, valid.astype(np.float32), by_network=by_network), placement, valid)
    assert used.name == said
    assert used.consistent_share == (None if name == "homography" else 1.0)
