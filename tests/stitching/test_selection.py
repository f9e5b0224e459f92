"""Choosing among warps and blends: what costs, and who is taken."""

from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import coffee

from stitching.blending.blend import Blend
from stitching.geometry.pixel_maps import Field, pixel_grid, remap
from stitching.selection import (
    MAX_ACCEPTED_COST,
    MIN_CONSISTENT_SHARE,
    REPLACING_COST_RATIO,
    Candidate,
    VisibleCost,
    best_candidate,
    explain_choice,
    natural_map_xy,
    visible_cost,
)
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

H, W = 240, 360
FIRST, LAST = 120, 240  # columns of the overlap

Picture = NDArray[np.uint8]


def scene() -> Picture:
    return cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (W, H), interpolation=cv2.INTER_AREA)


def pair_of(reference: Picture, target: Picture) -> AlignedPair:
    """The reference sees columns up to `LAST`, the target those from `FIRST` on."""
    reference_valid, target_valid = np.zeros((2, H, W), bool)
    reference_valid[:, :LAST], target_valid[:, FIRST:] = True, True
    return AlignedPair(
        np.where(reference_valid[..., None], reference, 0), np.where(target_valid[..., None], target, 0),
        reference_valid, target_valid, target_valid, np.zeros((H, W), bool),
    )  # fmt: skip


def cut_at(column: int, gain: float = 1.0) -> Blend:
    """The reference left of a column, the target right of it."""
    weight = np.broadcast_to(np.arange(W) < column, (H, W)).astype(np.float32)
    return Blend(weight, np.full((H, W, 3), gain, np.float32))


def cost(target: Picture, blend: Blend, natural: Picture | None = None) -> float:
    """Of the scene and a target on the same canvas; `natural`: in the shape that it should have."""
    return visible_cost(pair_of(scene(), target), blend, target if natural is None else natural).total


def bent(picture: Picture, height: float, length: float = 40) -> Picture:
    """With waves of `height` and `length` px along its columns."""
    map_xy = pixel_grid(H, W)
    map_xy[..., 1] += height * np.sin(2 * np.pi * map_xy[..., 0] / length)
    return remap(picture, map_xy.astype(np.float32))


# --- what a stitch costs ---


def test_what_fits_costs_nothing() -> None:
    for column in (FIRST, 121, 180, 239, LAST):  # at the rim of a picture, too
        assert cost(scene(), cut_at(column)) < 0.01 * MAX_ACCEPTED_COST


@pytest.mark.parametrize("shift", [4, 12])
def test_a_clean_passage_costs_less_than_a_broken_one(shift: int) -> None:
    clean, broken = scene(), np.roll(scene(), shift, axis=0)
    assert cost(clean, cut_at(180)) < 0.1 * cost(broken, cut_at(180))


def test_a_passage_costs_what_lies_on_it() -> None:
    """What differs beside the passage shows nowhere; where the whole passage runs through it, it costs most."""
    target = scene()
    target[:, 190:230] = 255 - target[:, 190:230]
    natural = scene()
    beside, through = (visible_cost(pair_of(natural, target), cut_at(column), target).total for column in (150, 210))
    half = target.copy()
    half[: H // 2] = natural[: H // 2]
    assert beside < 0.1 * through
    assert beside < cost(half, cut_at(210)) < through


def test_a_cut_costs_less_than_a_ghost() -> None:
    """Half of each over all of the overlap looks like neither."""
    target = np.roll(scene(), 8, axis=1)
    ramp = np.interp(np.arange(W), (FIRST, LAST), (1, 0)).astype(np.float32)
    mixed = Blend(np.broadcast_to(ramp, (H, W)).copy(), np.ones((H, W, 3), np.float32))
    assert cost(target, cut_at(180)) < cost(target, mixed)
    assert cost(scene(), mixed) < 0.05 * MAX_ACCEPTED_COST  # where both show the same, mixing harms nothing


def test_a_wavy_target_costs_more_than_a_straight_one() -> None:
    """The reference shows something else, so that no passage is better than the other."""
    other = np.ascontiguousarray(scene()[::-1])
    blend = cut_at(FIRST + 1)
    costs = [visible_cost(pair_of(other, bent(scene(), waves)), blend, scene()).total for waves in (0, 4, 8)]
    assert costs[0] < 0.8 * costs[1]
    assert costs[1] < costs[2]


def test_a_shape_that_the_reference_shows_is_not_broken() -> None:
    wavy = bent(scene(), 6)
    fitting = visible_cost(pair_of(wavy, wavy), cut_at(150), scene()).total
    assert fitting < 0.1 * visible_cost(pair_of(scene(), wavy), cut_at(150), scene()).total


def test_brightness_that_the_gain_takes_away_does_not_show() -> None:
    dark = (scene() * 0.5).astype(np.uint8)
    assert cost(dark, cut_at(180, gain=2.0)) < 0.2 * cost(dark, cut_at(180))


def test_without_an_overlap_nothing_shows() -> None:
    pair = pair_of(scene(), scene())
    pair.target_valid[:, :LAST] = False
    assert visible_cost(pair, cut_at(LAST), scene()).total == 0


# --- the shape that a target should have ---


def placed(map_xy: Field, trusted: NDArray[np.bool_]) -> Placement:
    return Placement(map_xy, np.ones(trusted.shape, bool), trusted, np.zeros_like(map_xy), 1.0)


def test_a_smooth_placement_keeps_its_shape_and_waves_fade() -> None:
    plain = 1.3 * pixel_grid(H, W) + np.float32([20, -5])
    wavy = plain.copy()
    wavy[..., 1] += 6 * np.sin(2 * np.pi * plain[..., 0] / 20)
    inner = slice(40, -40), slice(40, -40)
    for map_xy in (plain, wavy):
        smooth = natural_map_xy(placed(map_xy, np.ones((H, W), bool)))
        assert smooth.dtype == np.float32
        assert np.abs(smooth - plain)[inner].max() < 1


def test_only_what_is_trusted_gives_the_shape() -> None:
    plain, trusted = pixel_grid(H, W), np.ones((H, W), bool)
    map_xy = plain.copy()
    trusted[100:120, 160:200] = False
    map_xy[~trusted] = 1e4
    assert np.abs(natural_map_xy(placed(map_xy, trusted)) - plain)[40:-40, 40:-40].max() < 10


def test_where_nothing_is_trusted_the_shape_is_finite() -> None:
    nothing = np.zeros((H, W), bool)
    assert np.isfinite(natural_map_xy(placed(pixel_grid(H, W), nothing))).all()


# --- which candidate is taken ---


def candidates(*cost_and_share: tuple[float, float | None]) -> list[Candidate]:
    """Candidates `w0`, `w1`, ... of these costs and consistent shares."""
    unused = cast(Any, None)
    return [
        Candidate(f"w{number}", "seam", unused, unused, unused, VisibleCost(cost, 0.0), share)
        for number, (cost, share) in enumerate(cost_and_share)
    ]


def chosen_of(*cost_and_share: tuple[float, float | None]) -> str:
    return best_candidate(candidates(*cost_and_share)).warp_name


@pytest.mark.parametrize(
    ("cost", "share", "acceptable"),
    [
        (0.0, None, True),
        (MAX_ACCEPTED_COST, 1.0, True),
        (MAX_ACCEPTED_COST, MIN_CONSISTENT_SHARE, True),
        (1.01 * MAX_ACCEPTED_COST, 1.0, False),
        (0.0, 0.99 * MIN_CONSISTENT_SHARE, False),
    ],
)
def test_a_candidate_is_accepted_by_its_cost_and_its_consistency(
    cost: float, share: float | None, acceptable: bool
) -> None:
    (candidate,) = candidates((cost, share))
    assert candidate.is_acceptable == acceptable


def test_distortion_counts_in_the_total_cost() -> None:
    assert VisibleCost(10.0, 2.0).total > VisibleCost(10.0, 0.0).total == 10


@pytest.mark.parametrize(
    ("costs", "taken"),
    [
        ((2.0,), "w0"),
        ((2.0, 1.9, 2.1), "w0"),
        ((2.0, 2.0 * REPLACING_COST_RATIO), "w0"),
        ((2.0, 1.99 * REPLACING_COST_RATIO, 1.9 * REPLACING_COST_RATIO), "w1"),
        ((9.0, 8.0 * REPLACING_COST_RATIO, 7.0 * REPLACING_COST_RATIO**2), "w2"),
        ((9.0, 0.0, 0.0), "w1"),
    ],
)
def test_a_later_candidate_is_taken_only_where_its_cost_is_clearly_lower(costs: tuple[float, ...], taken: str) -> None:
    assert chosen_of(*((MAX_ACCEPTED_COST * cost, None) for cost in costs)) == taken


@pytest.mark.parametrize(
    ("shares", "taken"),
    [
        ((0.9, 1.0), "w0"),
        ((0.9 * MIN_CONSISTENT_SHARE, MIN_CONSISTENT_SHARE), "w1"),
        ((0.3, 0.3), "w1"),  # as consistent, and its overlap may be larger
        ((0.4, 0.3), "w0"),
        ((0.0, None), "w0"),
        ((0.3, None), "w0"),  # unchecked: its cost would have to be clearly lower
        ((None, 1.0), "w0"),
        ((0.2, 0.3, 0.9), "w2"),
        ((0.2, 0.6, 0.9), "w1"),
    ],
)
def test_a_doubtful_warp_gives_way_to_a_more_consistent_one(shares: tuple[float | None, ...], taken: str) -> None:
    assert chosen_of(*((0.1 * MAX_ACCEPTED_COST, share) for share in shares)) == taken


def test_a_more_consistent_one_of_a_clearly_higher_cost_is_not_taken() -> None:
    assert chosen_of((10, 0.3), (11 / REPLACING_COST_RATIO, 0.9)) == "w0"


def test_once_a_more_consistent_one_was_taken_the_unchecked_one_is_not() -> None:
    """It has the coarse alignment that the more consistent one has left."""
    low = 0.5 * REPLACING_COST_RATIO * MAX_ACCEPTED_COST
    assert chosen_of((MAX_ACCEPTED_COST, 0.2), (MAX_ACCEPTED_COST, 0.4), (low, None)) == "w1"
    assert chosen_of((MAX_ACCEPTED_COST, 0.2), (MAX_ACCEPTED_COST, 0.1), (low, None)) == "w2"


def test_the_explanation_names_the_chosen_one_and_every_cost() -> None:
    tried = candidates((484, 0.45), (467, 0.44), (70, None))
    assert explain_choice(tried, tried[2]) == (
        "w2 warp, seam blend; visible-seam cost: w0 484 (45% of the overlap consistent), "
        "w1 467 (44% of the overlap consistent), w2 70: chosen"
    )
    assert explain_choice(tried[2:], tried[2]) == "w2 warp, seam blend; visible-seam cost: w2 70"
