"""The order in which a training takes its examples. It depends on the seed and the step alone, so runs can resume."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

import numpy as np

from apps.training.options import TrainOptions

SourceName = Literal["generated", "photographs"]


@dataclass(frozen=True)
class ExampleKey:
    """Names one example: its source, and its index there."""

    source: SourceName
    index: int

    def __str__(self) -> str:
        return f"{self.index} ({self.source})"


def photo_steps_before(step: int, options: TrainOptions) -> int:
    """How many steps before `step` train on photographs: with --pairs every second one after the matching stage."""
    return 0 if options.pairs is None else max(0, step - options.matching_steps) // 2


def shuffled(indices: Sequence[int], seed: int, start: int) -> Iterator[int]:
    """All indices again and again, in a new order in each epoch; without the first `start` of this endless sequence."""
    for epoch in count(start // len(indices)):
        order = np.random.default_rng((seed, epoch)).permutation(indices)
        yield from order[start % len(indices) :].tolist()
        start = 0


def example_order(
    generated: Iterator[int], photographs: Iterator[int], step: int, options: TrainOptions, examples_per_step: int
) -> Iterator[ExampleKey]:
    """Keys from `step` on, `examples_per_step` for each step, all of a step from one source.

    Args:
        generated, photographs: endless indices of the two sources; that of photographs is not used without --pairs.
        step: the first one to give keys for.
        options: see `photo_steps_before`.
        examples_per_step: over all processes of a distributed training.
    """
    for number in count(step):
        photo_step = photo_steps_before(number + 1, options) > photo_steps_before(number, options)
        source: SourceName = "photographs" if photo_step else "generated"
        indices = photographs if photo_step else generated
        yield from (ExampleKey(source, index) for index in islice(indices, examples_per_step))
