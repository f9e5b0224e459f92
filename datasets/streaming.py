"""Batches of samples straight from the renderer, without a disk: what keeps a GPU busy."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count

from datasets.engines import IndexBatch, job_error, run_local, usable_cores
from datasets.options import SampleOptions
from datasets.pair_batch import PairBatch
from datasets.sample_renderer import SampleRenderer, open_renderer
from stitching.errors import require


def stream(
    options: SampleOptions,
    seed: int,
    batch_size: int,
    device: str = "cpu",
    first: int = 0,
    workers: int | None = None,
    pairs_per_scene: int = 8,
) -> Iterator[PairBatch]:
    """Batches without end, without photometry; batch k holds the samples first + k batch_size, ...

    So `first` = k * batch_size continues a run that stopped after k batches, whatever `workers` is. This process
    renders whole batches on the device; workers build the scenes of whole batches ahead. Workers end when the iterator
    is closed or dropped, and when this process ends. Scripts with workers need `if __name__ == "__main__"`, as workers
    import them.

    Args:
        options: what the samples are like; their photometry and geometry are left out.
        seed: another one gives other samples; in distributed training each process takes its own.
        batch_size: samples in a batch.
        device: where to render, and where the tensors will be: cpu, cuda, cuda:1.
        first: index of the first sample.
        workers: processes; None: one less than usable cores; 0: this process builds the scenes too.
        pairs_per_scene: samples with other viewpoints each that show the same scene; four scenes take turns. With 1,
            scenes and requests are those of `parastitch generate`; viewpoints fit the requests less exactly.

    Raises:
        InputError: a number is impossible; from the first batch on: textures, mesh or device cannot be used.
        JobError: from the iterator: samples cannot be made; names their indices.
    """
    workers = usable_cores() - 1 if workers is None else workers
    require(seed >= 0, f"seed {seed}", "0 or above")
    require(batch_size >= 1, f"batch_size {batch_size}", "1 or above")
    require(first >= 0, f"first {first}", "0 or above")
    require(workers >= 0, f"workers {workers}", "0 or above")
    require(pairs_per_scene >= 1, f"pairs_per_scene {pairs_per_scene}", "1 or above")
    opened = partial(open_renderer, options, seed, device, pairs_per_scene)
    return _render_batches(opened, batch_size, first, workers)


def _render_batches(
    opened: Callable[[], SampleRenderer], batch_size: int, first: int, workers: int
) -> Iterator[PairBatch]:
    renderer = opened()
    batches = (IndexBatch(range(start, start + batch_size)) for start in count(first, batch_size))
    with closing(run_local(renderer.sample_scene.together, batches, workers)) as sampled:
        for scenes in sampled:
            try:
                batch = renderer.render_batch(scenes)
            except Exception as error:
                raise job_error(f"samples {scenes[0].index} to {scenes[-1].index}", error) from error
            yield batch
