"""Lessons: what a pair with truth is turned into for training, another example each time.

The raw lesson shows both pictures turned, scaled and shifted by homographies of their own, so that the match of a
pixel can be anywhere. The aligned lesson shows the target after a coarse alignment, as PWM gets it.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from datasets.examples.alignments import draw_alignments
from datasets.examples.batch import ExampleBatch, join_examples
from datasets.examples.drawing import draw_examples
from datasets.examples.starts import draw_starts
from datasets.examples.window_transforms import (
    WindowTransforms,
    corners_of,
    from_corners,
    move,
    translation,
    turn_and_scale,
)
from datasets.examples.windows import MARGIN, MIN_SCALE
from datasets.pair_batch import PairBatch, select_pair
from stitching.geometry.pixel_maps import Size

_PLAIN = 0.3  # share of the raw examples whose pictures are neither turned nor shifted, as photographs come
_MAX_TURN = math.radians(45)  # between the raw pictures
_COMMON_TURN = math.radians(10)  # of both
_MAX_ENLARGEMENT = math.sqrt(2)  # of a raw picture, against the largest that fits; 1 / that the other way
_MAX_SHIFT = 0.25  # of the window, by which the middle of a raw picture moves
_PERSPECTIVE = 0.08  # of a picture's sides, by which its corners move
_CROPPED = 0.5  # share of the aligned examples whose window is smaller than the target


@dataclass(frozen=True)
class LessonOptions:
    """size: (width, height) of the windows, px. raw_share: of the examples, the rest is aligned.

    stitch: draw the true stitch of aligned examples.
    """

    size: Size
    raw_share: float
    stitch: bool = True


def teach(pairs: PairBatch, options: LessonOptions, generator: torch.Generator) -> ExampleBatch:
    """One example of each pair, drawn at random: pictures still without photometry.

    generator: on the CPU, so that the same examples are drawn for every device.
    """
    b = len(pairs.indices)
    raw = torch.rand(b, generator=generator) < options.raw_share
    raw_transforms = raw_lesson(pairs, options.size, generator)
    aligned_transforms = aligned_lesson(pairs, options.size, generator)
    chosen = raw[:, None, None].to(raw_transforms.reference.device)
    transforms = WindowTransforms(
        torch.where(chosen, raw_transforms.reference, aligned_transforms.reference),
        torch.where(chosen, raw_transforms.target, aligned_transforms.target),
    )
    return draw_starts(_draw(pairs, transforms, options.size, raw | (not options.stitch)), generator)


def _draw(pairs: PairBatch, transforms: WindowTransforms, size: Size, bare: Tensor) -> ExampleBatch:
    """Draw examples, on a CPU one after the other, which keeps them in its cache; bare (b,) ones without a stitch."""
    if pairs.fundamental.is_cuda:
        batch = draw_examples(pairs, transforms, size, with_stitch=True)
        return _without_stitches(batch, bare)
    drawn = []
    for k, is_bare in enumerate(bare.tolist()):
        one = WindowTransforms(transforms.reference[k : k + 1], transforms.target[k : k + 1])
        drawn.append(draw_examples(select_pair(pairs, k), one, size, with_stitch=not is_bare))
    return join_examples(drawn)


def _without_stitches(batch: ExampleBatch, which: Tensor) -> ExampleBatch:
    """The batch with nothing known of the true stitches of some examples (b,) bool."""
    assert batch.truth is not None
    kept = (~which).to(batch.truth.stitched)[:, None, None, None]
    stitched, known = batch.truth.stitched * kept, batch.truth.stitched_known * kept
    return replace(batch, truth=replace(batch.truth, stitched=stitched, stitched_known=known))


def raw_lesson(pairs: PairBatch, size: Size, generator: torch.Generator) -> WindowTransforms:
    """Both pictures where they happen to lie: turned by up to 45 degrees against each other, up to twice as large."""
    b, device = len(pairs.indices), pairs.fundamental.device

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(b, *shape, generator=generator, dtype=torch.float64) - 1

    moved = (torch.rand(b, generator=generator) >= _PLAIN).double()
    common = _COMMON_TURN * uniform()
    found = []
    for way, pictures in ((-0.5, pairs.reference), (0.5, pairs.target)):
        picture = pictures.shape[3], pictures.shape[2]
        corners = corners_of(picture, common).expand(b, 4, 2)
        sides = corners.new_tensor(picture)
        bent = from_corners(corners, corners + _PERSPECTIVE * sides * uniform(4, 2) * moved[:, None, None])
        fitting = min(size[0] / picture[0], size[1] / picture[1])
        scale = fitting * _MAX_ENLARGEMENT ** (uniform() * moved)
        turn = turn_and_scale((common + way * _MAX_TURN * uniform()) * moved, scale)
        shift = _MAX_SHIFT * uniform(2) * moved[:, None] * sides.new_tensor(size)
        middle = (sides - 1) / 2
        to_window = translation(shift + (sides.new_tensor(size) - 1) / 2) @ turn @ translation(-middle.expand(b, 2))
        found.append((to_window @ bent).to(device))
    return WindowTransforms(*found)


def aligned_lesson(pairs: PairBatch, size: Size, generator: torch.Generator) -> WindowTransforms:
    """The target coarsely aligned on a window of the reference's plane that holds it, or a part of it."""
    alignments = draw_alignments(pairs, generator)
    b, device = len(alignments), alignments.device
    picture = pairs.target.shape[3], pairs.target.shape[2]
    turn = _COMMON_TURN * (2 * torch.rand(b, generator=generator, dtype=torch.float64) - 1).to(device)
    turned = turn_and_scale(turn, torch.ones_like(turn)) @ alignments
    outline, _ = move(corners_of(picture, turned).expand(b, 4, 2), turned)
    low, high = outline.amin(1), outline.amax(1)
    room = outline.new_tensor(size) * (1 - 2 * MARGIN)
    most = min(1.0, math.sqrt(size[0] * size[1] / (picture[0] * picture[1])))  # as much detail as windows show
    whole = (room / (high - low)).amin(1).clamp(MIN_SCALE * most, most)
    enlargement = torch.rand(b, generator=generator) * (torch.rand(b, generator=generator) < _CROPPED)
    scale = whole * (1 / whole).clamp_min(1) ** enlargement.to(whole)
    slack = ((high - low) * scale[:, None] - room).abs()
    shift = slack * (torch.rand(b, 2, generator=generator).to(slack) - 0.5)
    middle = (outline.new_tensor(size) - 1) / 2 - scale[:, None] * (low + high) / 2 + shift
    plane = translation(middle) @ turn_and_scale(turn, scale)
    return WindowTransforms(plane, plane @ alignments)
