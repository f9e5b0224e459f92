"""Lessons: what they may do to a pair, and that they are drawn at random but repeat."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_pairs import plane_pairs

from datasets.examples.lessons import LessonOptions, aligned_lesson, raw_lesson, teach
from datasets.examples.window_transforms import move
from datasets.sample import Visibility

SIZE = (96, 64)


@pytest.fixture(scope="module")
def pairs():
    return plane_pairs(64, (112, 80))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def decomposed(matrices, at):
    """Scale (b,) and angle (b,), degrees, of homographies near a point (2,)."""
    start = torch.tensor([at, (at[0] + 1, at[1])], dtype=torch.float64).expand(len(matrices), 2, 2)
    moved, _ = move(start, matrices)
    step = moved[:, 1] - moved[:, 0]
    return step.norm(dim=1), torch.rad2deg(torch.atan2(step[:, 1], step[:, 0]))


def test_raw_pictures_are_turned_and_scaled_against_each_other(pairs):
    transforms = raw_lesson(pairs, SIZE, seeded())
    (scale, angle), (other_scale, other_angle) = (
        decomposed(matrices, (55.5, 39.5)) for matrices in (transforms.reference, transforms.target)
    )
    turn, ratio = (angle - other_angle).abs(), torch.maximum(scale / other_scale, other_scale / scale)
    assert 30 < float(turn.max()) < 60  # 45, and a little by the perspective
    assert 1.5 < float(ratio.max()) < 2.6
    plain = (turn < 1e-6) & (ratio < 1 + 1e-6)
    assert 0.1 < float(plain.double().mean()) < 0.5
    assert torch.allclose(scale[plain], torch.tensor(64 / 80, dtype=torch.float64))


def test_the_aligned_target_fits_or_is_cropped(pairs):
    transforms = aligned_lesson(pairs, SIZE, seeded())
    corners = torch.tensor([[0.0, 0], [111, 0], [111, 79], [0, 79]], dtype=torch.float64).expand(64, 4, 2)
    outline, depth = move(corners, transforms.target)
    assert (depth > 0).all()
    inside = ((outline > -1) & (outline < torch.tensor(SIZE))).all(2).all(1)
    assert 0.3 < float(inside.double().mean()) < 0.8
    middle, _ = move(torch.tensor([[[55.5, 39.5]]], dtype=torch.float64).expand(64, 1, 2), transforms.target)
    assert ((middle > 0) & (middle < torch.tensor(SIZE))).all()


def test_raw_examples_have_no_stitch_and_large_residuals(pairs):
    raw, aligned = (teach(pairs, LessonOptions(SIZE, share), seeded()) for share in (1.0, 0.0))
    assert not raw.truth.stitched_known.any()
    assert aligned.truth.stitched_known.flatten(1).any(1).all()
    lengths = [
        float(batch.truth.residual.norm(dim=1, keepdim=True)[batch.truth.visible > 0].median())
        for batch in (raw, aligned)
    ]
    assert lengths[0] > 3 * lengths[1]


def test_a_share_of_the_examples_is_raw(pairs):
    known = teach(pairs, LessonOptions(SIZE, 0.25), seeded()).truth.stitched_known.flatten(1).any(1)
    assert 0.6 < float(known.double().mean()) < 0.9


def test_lessons_repeat_and_differ(pairs):
    first, same, other = (teach(pairs, LessonOptions(SIZE, 0.5), seeded(seed)) for seed in (0, 0, 1))
    for name in ("reference", "target", "start", "trusted"):
        assert torch.equal(getattr(first, name), getattr(same, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert first.sample_ids.tolist() == list(pairs.indices)


def test_pictures_without_anything_in_common_make_examples(pairs):
    nothing = torch.full_like(pairs.mask, int(Visibility.BEHIND))
    batch = teach(replace(pairs, mask=nothing), LessonOptions(SIZE, 0.5), seeded())
    assert not (batch.truth.visible + batch.truth.occluded + batch.truth.outside).any()
    assert all(torch.isfinite(values).all() for values in (batch.target, batch.start, batch.truth.residual))


# --- starts ---


def test_starts_are_trusted_where_visible_and_mostly_right(pairs):
    batch = teach(pairs, LessonOptions(SIZE, 0.0), seeded())
    assert not (batch.trusted * (1 - batch.truth.visible)).any()
    error = (batch.start - batch.truth.residual).norm(dim=1, keepdim=True)
    good = [float((error[k][batch.trusted[k] > 0] < 2).double().mean()) for k in range(64) if batch.trusted[k].any()]
    assert np.mean(np.array(good) > 0.99) > 0.5
    assert min(good) < 0.9  # some are wrong where they are trusted
    shares = (batch.trusted.sum((1, 2, 3)) / batch.truth.visible.sum((1, 2, 3)).clamp_min(1)).tolist()
    assert min(shares) < 0.4
    assert max(shares) > 0.8
