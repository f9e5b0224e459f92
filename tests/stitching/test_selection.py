"""Which warp `auto` takes."""

import numpy as np
import pytest

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.pixel_maps import pixel_grid
from stitching.selection import (
    MIN_CONFIDENCE,
    MIN_MATCHES,
    MIN_USABLE_SHARE,
    UsedWarp,
    consistent_share,
    dense_warp_for,
)
from stitching.warping.placement import Placement


def aligned(matches: int, confidence: float, method: str = "homography") -> Alignment:
    points = np.zeros((matches, 2))
    return Alignment(np.eye(3), Matches(points, points), method, 1, confidence)


@pytest.mark.parametrize(
    ("alignment", "warp"),
    [
        (aligned(MIN_MATCHES, MIN_CONFIDENCE), "classical"),
        (aligned(MIN_MATCHES - 1, 1.0), "matches"),
        (aligned(1000, MIN_CONFIDENCE - 0.01), "matches"),
        (aligned(0, 0.3, "translation"), "matches"),
    ],
)
def test_the_network_is_asked_where_the_coarse_alignment_is_uncertain(alignment: Alignment, warp: str) -> None:
    assert dense_warp_for(alignment) == warp


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
