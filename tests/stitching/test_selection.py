"""Choosing among warps and blends: what costs, and who is taken."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import coffee

from stitching.blending.blend import Blend
from stitching.geometry.pixel_maps import Field, pixel_grid, remap
from stitching.selection import CLEARLY, DOUBTFUL, ENOUGH, Candidate, choose, smooth_map_xy, visible_cost
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
    return visible_cost(pair_of(scene(), target), blend, target if natural is None else natural)


def bent(picture: Picture, height: float, length: float = 40) -> Picture:
    """With waves of `height` and `length` px along its columns."""
    map_xy = pixel_grid(H, W)
    map_xy[..., 1] += height * np.sin(2 * np.pi * map_xy[..., 0] / length)
    return remap(picture, map_xy.astype(np.float32))


# --- what a stitch costs ---


def test_what_fits_costs_nothing() -> None:
    for column in (FIRST, 121, 180, 239, LAST):  # at the rim of a picture, too
        assert cost(scene(), cut_at(column)) < 0.01 * ENOUGH


@pytest.mark.parametrize("shift", [4, 12])
def test_a_clean_passage_costs_less_than_a_broken_one(shift: int) -> None:
    clean, broken = scene(), np.roll(scene(), shift, axis=0)
    assert cost(clean, cut_at(180)) < 0.1 * cost(broken, cut_at(180))


def test_a_passage_costs_what_lies_on_it() -> None:
    """What differs beside the passage shows nowhere; where the whole passage runs through it, it costs most."""
    target = scene()
    target[:, 190:230] = 255 - target[:, 190:230]
    natural = scene()
    beside, through = (visible_cost(pair_of(natural, target), cut_at(column), target) for column in (150, 210))
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
    assert cost(scene(), mixed) < 0.05 * ENOUGH  # where both show the same, mixing harms nothing


def test_a_wavy_target_costs_more_than_a_straight_one() -> None:
    """The reference shows something else, so that no passage is better than the other."""
    other = np.ascontiguousarray(scene()[::-1])
    blend = cut_at(FIRST + 1)
    costs = [visible_cost(pair_of(other, bent(scene(), waves)), blend, scene()) for waves in (0, 4, 8)]
    assert costs[0] < 0.8 * costs[1]
    assert costs[1] < costs[2]


def test_a_shape_that_the_reference_shows_is_not_broken() -> None:
    wavy = bent(scene(), 6)
    fitting = visible_cost(pair_of(wavy, wavy), cut_at(150), scene())
    assert fitting < 0.1 * visible_cost(pair_of(scene(), wavy), cut_at(150), scene())


def test_brightness_that_the_gain_takes_away_does_not_show() -> None:
    dark = (scene() * 0.5).astype(np.uint8)
    assert cost(dark, cut_at(180, gain=2.0)) < 0.2 * cost(dark, cut_at(180))


def test_without_an_overlap_nothing_shows() -> None:
    pair = pair_of(scene(), scene())
    pair.target_valid[:, :LAST] = False
    assert visible_cost(pair, cut_at(LAST), scene()) == 0


# --- the shape that a target should have ---


def placed(map_xy: Field, trusted: NDArray[np.bool_]) -> Placement:
    return Placement(map_xy, np.ones(trusted.shape, bool), trusted, np.zeros_like(map_xy), 1.0)


def test_a_smooth_placement_keeps_its_shape_and_waves_fade() -> None:
    plain = 1.3 * pixel_grid(H, W) + np.float32([20, -5])
    wavy = plain.copy()
    wavy[..., 1] += 6 * np.sin(2 * np.pi * plain[..., 0] / 20)
    inner = slice(40, -40), slice(40, -40)
    for map_xy in (plain, wavy):
        smooth = smooth_map_xy(placed(map_xy, np.ones((H, W), bool)))
        assert smooth.dtype == np.float32
        assert np.abs(smooth - plain)[inner].max() < 1


def test_only_what_is_trusted_gives_the_shape() -> None:
    plain, trusted = pixel_grid(H, W), np.ones((H, W), bool)
    map_xy = plain.copy()
    trusted[100:120, 160:200] = False
    map_xy[~trusted] = 1e4
    assert np.abs(smooth_map_xy(placed(map_xy, trusted)) - plain)[40:-40, 40:-40].max() < 10


def test_where_nothing_is_trusted_the_shape_is_finite() -> None:
    nothing = np.zeros((H, W), bool)
    assert np.isfinite(smooth_map_xy(placed(pixel_grid(H, W), nothing))).all()


# --- who is taken ---


def candidates(*costs: float) -> Iterator[Candidate]:
    """Of warps `w0`, `w1`, ...; made when they are asked for."""
    nothing = cast(Any, None)
    for number, value in enumerate(costs):
        yield Candidate(f"w{number}", "seam", nothing, nothing, nothing, value)


@pytest.mark.parametrize("value", [0, 0.5 * ENOUGH, ENOUGH])
def test_the_first_that_is_good_enough_is_taken_and_no_other_is_made(value: float) -> None:
    asked = candidates(value, 0)
    chosen, why = choose(asked)
    assert chosen.warp == "w0"
    assert "w1" not in why
    assert next(asked).warp == "w1"  # still there


@pytest.mark.parametrize(
    ("costs", "taken"),
    [
        ((2.0,), "w0"),
        ((2.0, 1.9, 2.1), "w0"),
        ((2.0, 2.0 * CLEARLY), "w0"),  # not clearly
        ((2.0, 1.99 * CLEARLY, 1.9 * CLEARLY), "w1"),
        ((9.0, 8.0 * CLEARLY, 7.0 * CLEARLY**2), "w2"),
        ((9.0, 0.0, 0.0), "w1"),
    ],
)
def test_a_later_one_is_taken_only_where_it_is_clearly_better(costs: tuple[float, ...], taken: str) -> None:
    chosen, _ = choose(candidates(*(ENOUGH * value for value in costs)))
    assert chosen.warp == taken


@pytest.mark.parametrize(
    ("sure", "taken"),
    [
        ((0.9, 1.0), "w0"),
        ((0.9 * DOUBTFUL, DOUBTFUL), "w1"),
        ((0.3, 0.3), "w1"),  # as sure, and it may see more
        ((0.4, 0.3), "w0"),
        ((0.0, None), "w0"),
        ((0.3, None), "w0"),  # nobody has checked it: it would have to show clearly less
        ((None, 1.0), "w0"),
        ((0.2, 0.3, 0.9), "w2"),
        ((0.2, 0.6, 0.9), "w1"),  # sure enough: no other is asked for
    ],
)
def test_where_the_first_may_be_wrong_a_surer_one_is_taken(sure: tuple[float | None, ...], taken: str) -> None:
    chosen, why = choose(replace(one, sure=it) for one, it in zip(candidates(*[0.1 * ENOUGH] * 3), sure, strict=False))
    assert chosen.warp == taken
    assert ("sure of" in why) == (sure[0] is not None and sure[0] < DOUBTFUL)


def tried(*cost_and_sure: tuple[float, float | None]) -> Iterator[Candidate]:
    costs = [cost for cost, _ in cost_and_sure]
    return (replace(it, sure=sure) for it, (_, sure) in zip(candidates(*costs), cost_and_sure, strict=True))


def test_a_surer_one_of_which_clearly_more_shows_is_not_taken() -> None:
    assert choose(tried((10, 0.3), (11 / CLEARLY, 0.9)))[0].warp == "w0"


def test_where_a_surer_one_is_taken_the_unchecked_one_is_not() -> None:
    """It has the coarse alignment that the surer one has left."""
    less = 0.5 * CLEARLY * ENOUGH
    assert choose(tried((ENOUGH, 0.2), (ENOUGH, 0.4), (less, None)))[0].warp == "w1"
    assert choose(tried((ENOUGH, 0.2), (ENOUGH, 0.1), (less, None)))[0].warp == "w2"


def test_the_words_name_who_is_taken_and_everyone_tried() -> None:
    chosen, why = choose(candidates(*(ENOUGH * value for value in (4, 3, 1.5))))
    assert why.startswith(f"{chosen.warp} warp, seam blend")
    for number, value in enumerate((4, 3, 1.5)):
        assert f"{ENOUGH * value:.0f} (w{number}, seam)" in why
    assert "\n" not in why
