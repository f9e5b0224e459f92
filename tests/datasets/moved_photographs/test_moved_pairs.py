"""Moved photographs: the ground truth is exact, hidden is hidden, and a pair depends on nothing but its number."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from datasets.arrays import Pixels
from datasets.moved_photographs.motion import PairPlan, draw_plan
from datasets.moved_photographs.outlines import draw_outlines
from datasets.moved_photographs.pairs import MovedPhotographs
from datasets.moved_photographs.photographs import Photographs
from datasets.moved_photographs.surfaces import Surfaces, build_surfaces, look_from_reference
from datasets.pair_batch import PairBatch
from datasets.sample import Visibility
from stitching.errors import InputError

SIZE = WIDTH, HEIGHT = 96, 72
COUNT = 8
OUTLINES = draw_outlines()


def soft_photograph(seed: int, width: int, height: int) -> Pixels:
    """Smooth colours, (h, w, 3), so that what is sampled twice differs little."""
    rough = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    soft = cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 9), None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(soft, np.uint8)


@cache
def maker(seed: int = 3) -> MovedPhotographs:
    photographs = Photographs.of([soft_photograph(i, 260 + 20 * i, 200) for i in range(4)], torch.device("cpu"))
    return MovedPhotographs(photographs, OUTLINES, SIZE, seed)


@cache
def pairs() -> PairBatch:
    return maker()(range(COUNT))


def plans(count: int = COUNT) -> list[PairPlan]:
    return [draw_plan(np.random.default_rng([3, index]), SIZE, maker().photographs) for index in range(count)]


def look_up(picture: Tensor, places: Tensor) -> Tensor:
    """Pictures (b, c, h, w) at places (b, 2, h', w') px."""
    grid = (places.permute(0, 2, 3, 1) + 0.5) * 2 / torch.tensor(picture.shape[:1:-1]) - 1  # (b, h', w', 2)
    return grid_sample(picture, grid, padding_mode="border", align_corners=False)


def test_the_warped_reference_is_the_target_where_it_is_visible() -> None:
    batch = pairs()
    visible = batch.mask == Visibility.VISIBLE
    difference = (look_up(batch.reference, batch.warp) - batch.target).abs().mean(1)[visible]
    assert len(difference) > 1000
    assert difference.median() < 1.5 / 255
    assert difference.quantile(0.9) < 0.04  # the rest lies at the soft edges of layers


def boundless(surfaces: Surfaces) -> Surfaces:
    """For looking at places that are no grid of pixels: layers are looked for at all of them."""
    layers = (
        replace(layer, reference=replace(layer.reference, rows=slice(None), columns=slice(None)))
        for layer in surfaces.layers
    )
    return replace(surfaces, layers=tuple(layers))


def test_visible_pixels_come_back_and_in_front_of_occluded_ones_is_something_else() -> None:
    """Looking exactly at the place in the reference to which a target pixel belongs."""
    occluded = 0
    for number, plan in enumerate(plans()):
        surfaces = boundless(build_surfaces([plan], SIZE, maker().photographs, maker().outlines))
        warp, mask = pairs().warp[number], pairs().mask[number]
        back = look_from_reference(surfaces, warp[None]).warp[0]
        y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
        distance = torch.hypot(back[0] - x, back[1] - y)
        assert distance[mask == Visibility.VISIBLE].max() < 0.02
        assert (distance[mask == Visibility.OCCLUDED] > 0.05).all()
        occluded += int((mask == Visibility.OCCLUDED).sum())
    assert occluded > 200


def test_codes_say_whether_the_place_is_inside_the_other_picture() -> None:
    batch = pairs()
    x, y = batch.warp.unbind(1)
    inside = (x >= -0.5) & (x < WIDTH - 0.5) & (y >= -0.5) & (y < HEIGHT - 0.5)
    seen = (batch.mask == Visibility.VISIBLE) | (batch.mask == Visibility.OCCLUDED)
    assert torch.equal(seen, inside & (batch.mask != Visibility.BEHIND))
    assert torch.isfinite(batch.warp).all()
    assert not (batch.mask == Visibility.BEHIND).any()


def test_the_stitch_contains_the_reference_and_is_black_around_its_canvas() -> None:
    batch = pairs()
    for number, plan in enumerate(plans()):
        (left, top), (width, height) = plan.origin, plan.canvas_size
        assert batch.origins[number].tolist() == [left, top]
        inner = slice(-top, HEIGHT - top), slice(-left, WIDTH - left)
        assert torch.equal(batch.stitched[number][:, *inner], batch.reference[number])
        assert batch.stitched_known[number][inner].all()
        assert not batch.stitched[number, :, height:].any()
        assert not batch.stitched_known[number, :, width:].any()


def test_a_pair_depends_on_its_number_and_the_seed_alone() -> None:
    alone = maker()([2])
    assert alone.indices == (2,)
    for name in ("reference", "target", "warp", "mask"):
        torch.testing.assert_close(getattr(alone, name)[0], getattr(pairs(), name)[2], rtol=1e-4, atol=1e-3)
    assert not torch.equal(maker(4)([2]).target, alone.target)


def test_pairs_made_together_are_those_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU makes them."""
    monkeypatch.setattr("datasets.moved_photographs.pairs._TOGETHER", {"cpu": COUNT})
    together, alone = maker()(range(COUNT)), pairs()
    same = together.mask == alone.mask
    assert same.float().mean() > 0.999
    assert ((together.warp - alone.warp).abs().amax(1)[same] < 0.05).float().mean() > 0.999
    for name in ("reference", "target"):
        assert (getattr(together, name) - getattr(alone, name)).abs().mean() < 2 / 255


def test_overlap_is_spread_widely() -> None:
    mask = maker()(range(40)).mask
    overlap = (mask == Visibility.VISIBLE).float().mean((1, 2))
    assert overlap.min() < 0.45
    assert overlap.max() > 0.8
    assert 0.45 < overlap.mean() < 0.75
    assert overlap.quantile(0.05) > 0.15


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        MovedPhotographs.load(tmp_path, SIZE, 0)


def test_large_photographs_are_shrunk(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((600, 2048, 3), np.uint8))
    assert MovedPhotographs.load(tmp_path, SIZE, 0).photographs.sizes == [(1024, 300)]


def test_blank_photographs_are_chosen_less_often() -> None:
    blank = np.full((60, 80, 3), 120, np.uint8)
    rough = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    shares = Photographs.of([blank, rough], torch.device("cpu")).shares
    assert shares.sum() == pytest.approx(1)
    assert 0 < shares[0] < 0.2 * shares[1]


def test_a_photograph_that_cannot_be_used_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cv2.imwrite(str(tmp_path / "good.png"), np.full((300, 400, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    made = MovedPhotographs.load(tmp_path, SIZE, 0)
    assert len(made.photographs.sizes) == 1
    (record,) = caplog.records
    assert "dot.png: 1 x 1 px: expected at least 32 px a side; left out" in record.getMessage()
