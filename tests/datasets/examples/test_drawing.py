"""Pairs drawn on windows in batches: pictures and truth go exactly where the homographies say."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from training_pairs import arrays_of
from worlds import hall_with_a_box

from datasets.examples.drawing import draw_examples, draw_pictures
from datasets.examples.window_transforms import WindowTransforms
from datasets.pair_batch import collate
from datasets.sample import Visibility
from stitching.geometry.homographies import project

SIZE = (160, 120)
WINDOW = (144, 112)


@pytest.fixture(scope="module")
def sample():
    return hall_with_a_box(SIZE)


@pytest.fixture(scope="module")
def pairs(sample):
    """The pair twice."""
    return collate([arrays_of(sample)] * 2)


def transforms(reference, target):
    return WindowTransforms(*(torch.tensor(np.stack(m), dtype=torch.float64) for m in (reference, target)))


def about_middle(angle, scale, shift=(0, 0), bend=0.0):
    """(3, 3) picture px -> window px: turned by degrees and enlarged about the middle, then bent and moved."""
    turn = np.vstack([cv2.getRotationMatrix2D(((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2), angle, scale), [0, 0, 1]])
    move = np.eye(3)
    move[:2, 2] = (WINDOW[0] - SIZE[0]) / 2 + shift[0], (WINDOW[1] - SIZE[1]) / 2 + shift[1]
    return np.array([[1, 0, 0], [0, 1, 0], [bend, -bend / 2, 1]]) @ move @ turn


RAW = transforms(
    [about_middle(20, 0.8, (35, -29)), about_middle(-5, 1.1, (-20, 4), 4e-4)],
    [about_middle(-22, 1.2, (-8, 3), 5e-4), about_middle(40, 0.9, (10, 10))],
)


@pytest.fixture(scope="module")
def drawn(pairs):
    return draw_examples(pairs, RAW, WINDOW, with_stitch=True)


def grid(size):
    """(h, w, 2) px."""
    return np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), -1).astype(float)


def plane(values):
    """(h, w, c) of a tensor (c, h, w)."""
    return values.permute(1, 2, 0).numpy()


def slow_truth(sample, to_reference, to_target):
    """Codes (h, w) and residuals (h, w, 2), pixel by pixel; the warp between pixels of like neighbours, else nan."""
    codes = np.full(WINDOW[::-1], -1)
    residual = np.full((*WINDOW[::-1], 2), np.nan)
    back = np.linalg.inv(to_target)
    for y in range(WINDOW[1]):
        for x in range(WINDOW[0]):
            px, py = project(back, np.array([x, y], float))
            if not (0 <= px < SIZE[0] - 1 and 0 <= py < SIZE[1] - 1):
                continue
            left, top = int(px), int(py)
            around = sample.target.warp[top : top + 2, left : left + 2].astype(float)  # (2, 2, 2)
            same = sample.target.mask[top : top + 2, left : left + 2]
            if np.ptp(same) or np.ptp(around, axis=(0, 1)).max() > 1.6:
                continue
            a, b = px - left, py - top
            weights = np.outer([1 - b, b], [1 - a, a])
            place = project(to_reference, (weights[..., None] * around).sum((0, 1)))
            residual[y, x] = place - (x, y)
            inside = (place >= -0.5).all() and (place < np.array(WINDOW) - 0.5).all()
            codes[y, x] = same[0, 0] if inside or same[0, 0] == Visibility.BEHIND else Visibility.OUTSIDE
    return codes, residual


@pytest.mark.parametrize("number", [0, 1])
def test_the_truth_is_that_of_a_slow_computation(sample, drawn, number):
    codes, residual = slow_truth(sample, RAW.reference[number].numpy(), RAW.target[number].numpy())
    told = codes >= 0
    assert told.mean() > 0.3
    truth = drawn.truth
    for code, mask in (
        (Visibility.VISIBLE, truth.visible),
        (Visibility.OCCLUDED, truth.occluded),
        (Visibility.OUTSIDE, truth.outside),
    ):
        wrong = (codes == code) != (mask[number, 0].numpy() > 0)
        assert (wrong & told).mean() < 2e-3  # at the window's border a rounding decides
        assert (codes == code).any()
    error = np.abs(plane(truth.residual[number]) - residual).max(-1)[told]
    assert np.quantile(error, 0.99) < 0.02
    assert error.max() < 0.6


@pytest.mark.parametrize("number", [0, 1])
def test_the_reference_at_the_true_place_looks_like_the_target(drawn, number):
    truth = drawn.truth
    valid = cv2.erode(truth.visible[number, 0].numpy(), np.ones((5, 5))) > 0
    at = (grid(WINDOW) + plane(truth.residual[number])).astype(np.float32)
    there = cv2.remap(plane(drawn.reference[number]), at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    difference = np.abs(there - plane(drawn.target[number])).mean(-1)[valid]
    assert valid.mean() > 0.1
    assert np.median(difference) < 0.01
    assert np.quantile(difference, 0.98) < 0.04


def test_whole_shifts_change_nothing(sample, pairs):
    """The window shows pictures, masks and true stitch pixel by pixel."""
    shift = [np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in ((40, 30), (55, 21))]
    batch = draw_examples(pairs, transforms([shift[0]] * 2, [shift[1]] * 2), (256, 192), with_stitch=True)
    truth, (w, h) = batch.truth, SIZE
    inner = slice(21, 21 + h), slice(55, 55 + w)
    assert np.array_equal(np.rint(plane(batch.target[0])[inner] * 255), sample.target.picture)
    for code, mask in ((Visibility.OCCLUDED, truth.occluded), (Visibility.OUTSIDE, truth.outside)):
        assert np.array_equal(mask[0, 0].numpy()[inner] > 0, sample.target.mask == code)
    at = plane(truth.residual[0])[inner] + grid(SIZE) + (55 - 40, 21 - 30)
    known = sample.target.mask == Visibility.VISIBLE
    assert np.abs(at - sample.target.warp)[known].max() < 2e-3
    own = batch.reference_valid[0, 0] > 0
    assert torch.allclose(truth.stitched[0][:, own], batch.reference[0][:, own], atol=1e-5)
    assert float(truth.stitched_known[0, 0][own].mean()) > 0.97  # not where its canvas ends with the reference
    assert batch.target_valid[0].sum() == w * h


def test_true_places_lie_on_the_epipolar_lines(drawn):
    truth = drawn.truth
    for number in range(2):
        known = (truth.visible + truth.occluded)[number, 0].numpy() > 0
        here = np.insert(grid(WINDOW), 2, 1, axis=2)[known]
        there = here[:, :2] + plane(truth.residual[number])[known]
        lines = here @ truth.fundamental[number].double().numpy().T
        off = np.abs((np.insert(there, 2, 1, axis=1) * lines).sum(1)) / np.hypot(lines[:, 0], lines[:, 1])
        assert np.median(off) < 0.01
        assert torch.linalg.matrix_norm(truth.fundamental[number]) == pytest.approx(1, abs=1e-4)


def test_an_unknown_fundamental_matrix_stays_unknown(pairs):
    batch = draw_examples(replace(pairs, fundamental=torch.zeros(2, 3, 3)), RAW, WINDOW, with_stitch=True)
    assert not batch.truth.fundamental.any()


def test_segments_move_with_the_target(pairs, drawn):
    for number in range(2):
        own = drawn.truth.owner == number
        ends = pairs.segments[pairs.owner == number][:, 0].double().numpy()
        assert np.allclose(drawn.truth.segments[own].numpy(), project(RAW.target[number].numpy(), ends), atol=1e-3)


def test_without_a_stitch_nothing_of_it_is_known(pairs):
    truth = draw_examples(pairs, RAW, WINDOW, with_stitch=False).truth
    assert not truth.stitched_known.any()
    assert not truth.stitched.any()


def test_a_white_picture_has_no_dark_rim():
    to_window = torch.tensor(np.stack([about_middle(15, 0.5), about_middle(0, 1.3, bend=1e-3)]))
    pixels, valid = draw_pictures(torch.ones(2, 3, *SIZE[::-1]), to_window, WINDOW)
    assert torch.allclose(pixels, valid.expand_as(pixels), atol=1e-4)
    assert 0.2 < float(valid[0].mean()) < 0.3


def test_shrunk_pictures_do_not_alias_and_enlarged_ones_are_not_blurred():
    """Stripes a pixel wide become grey; a pair of stripes two pixels wide keeps its contrast."""
    stripes = torch.zeros(2, 3, *SIZE[::-1])
    stripes[0, ..., ::2] = 1
    stripes[1, ..., ::4] = stripes[1, ..., 1::4] = 1
    to_window = torch.tensor(np.stack([about_middle(0, 0.4), about_middle(0, 1.0)]))
    pixels, valid = draw_pictures(stripes, to_window, WINDOW)
    assert float((pixels[0][:, valid[0, 0] > 0] - 0.5).abs().max()) < 0.2
    assert float(pixels[1].max()) == pytest.approx(1, abs=1e-4)


def test_places_beyond_the_horizon_are_unknown(pairs):
    """A reference bent so far that a part of its plane lies behind the window's camera."""
    bent = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 90, 0, 1]])  # nothing is right of column 90
    batch = draw_examples(pairs, transforms([bent] * 2, [np.eye(3)] * 2), SIZE, with_stitch=True)
    depth = pairs.warp[0].permute(1, 2, 0).double().numpy() @ bent[2, :2] + bent[2, 2]
    known = (batch.truth.visible + batch.truth.occluded + batch.truth.outside)[0, 0].numpy() > 0
    assert (depth <= 0).any()
    assert not known[depth <= 0].any()
    assert torch.isfinite(batch.truth.residual).all()
