"""Endless batches for a training loop, straight from the renderer: no disk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count, islice

from datasets.batches import Batch, collate
from datasets.engines import do_each, failure, usable_cores
from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.scene_sampler import SampledScene
from stitching.errors import InputError


def stream(
    options: SampleOptions,
    seed: int,
    batch_size: int,
    device: str = "cpu",
    first: int = 0,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Batches without end; batch k holds samples first + k batch_size, ..., those of `parastitch generate`.

    So `first` = k * batch_size continues a training run that stopped after k batches, whatever `workers` is.
    On a CPU, each worker process makes whole samples, with one thread. On a GPU this process renders whole batches,
    workers build the scenes ahead, and the pictures pass through this process's CPU for their photometry
    (SampleOptions.photometry) on their way. A few samples per worker wait; memory stays flat. Workers end when the
    iterator is closed or dropped, and when this process ends. Scripts with workers need `if __name__ == "__main__"`,
    as workers import them.

    Args:
        options: what the samples are like.
        seed: another one gives other samples; in distributed training each process takes its own.
        batch_size: samples in a batch.
        device: where to render, and where the tensors will be: cpu, cuda, cuda:1.
        first: index of the first sample.
        workers: processes; None: one less than usable cores. 0: all is done in this process.

    Raises:
        InputError: a number is impossible; from the first batch on: textures, mesh or device cannot be used.
        JobError: from the iterator: a sample cannot be made; names its index.
    """
    workers = usable_cores() - 1 if workers is None else workers
    lowest = {"seed": 0, "batch_size": 1, "first": 0, "workers": 0}
    for name, value in zip(lowest, (seed, batch_size, first, workers), strict=True):
        if value < lowest[name]:
            raise InputError(f"{name} {value}: expected {lowest[name]} or above")
    if device == "cpu":
        return _make_by_workers(options, seed, batch_size, first, workers)
    return _render_here(options, seed, batch_size, device, first, workers)


def _make_by_workers(options: SampleOptions, seed: int, batch_size: int, first: int, workers: int) -> Iterator[Batch]:
    with closing(do_each(_Making(partial(open_renderer, options, seed)), count(first), workers)) as samples:
        while True:
            yield collate(list(islice(samples, batch_size)))


def _render_here(
    options: SampleOptions, seed: int, batch_size: int, device: str, first: int, workers: int
) -> Iterator[Batch]:
    renderer = open_renderer(options, seed, device)
    with closing(do_each(renderer.draw, count(first), workers)) as drawn:
        while True:
            yield collate(_rendered(renderer, list(islice(drawn, batch_size))), device)


def _rendered(renderer: SampleRenderer, drawn: Sequence[SampledScene]) -> list[Sample]:
    try:
        return renderer.render(drawn)
    except Exception as error:
        raise failure(f"samples {drawn[0].index} to {drawn[-1].index}", error) from error


class _Making:
    """Makes samples; opens the renderer once, where the first one is made."""

    def __init__(self, opening: Callable[[], SampleRenderer]) -> None:
        self._opening = opening
        self._renderer: SampleRenderer | None = None

    def __call__(self, index: int) -> Sample:
        self._renderer = self._renderer or self._opening()
        sample = self._renderer(index)
        # No batch holds the pictures as rendered: a smaller sample is sent sooner.
        reference, target = (replace(view, clean=view.picture) for view in (sample.reference, sample.target))
        return replace(sample, reference=reference, target=target, clean_stitched=sample.stitched)
