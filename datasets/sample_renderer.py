"""Rendering samples: scene, viewpoints, pictures, ground truth, photometry, one stage after the other."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from datasets.options import SampleOptions
from datasets.pair_batch import PairBatch
from datasets.photometry.pictures import photograph
from datasets.rendering.ground_truth import assemble_sample, find_correspondences
from datasets.rendering.pair_renderer import RenderedPairs, render_pairs
from datasets.rendering.pair_tensors import assemble_batch
from datasets.rendering.scene_batch import batch_scenes
from datasets.rendering.shadow_maps import map_shadows
from datasets.rendering.texture_sampling import Textures
from datasets.sample import Sample
from datasets.scene_sampler import SampledScene, SceneSampler
from datasets.scenes.mesh_file import load_mesh_scenes
from datasets.scenes.scene import Scene
from datasets.textures.bank import TextureBank, checksum, load_bank, make_bank
from datasets.textures.photographs import warn_of
from datasets.viewpoints.search import MAX_MISFIT, choose_viewpoints
from stitching.network.devices import require_device

_LOOSE = 4.0  # misfit of viewpoints that training takes: it needs many pairs, not exact figures


class SampleRenderer:
    """Makes sample `index` of a seed; the same index gives the same sample on the same kind of device.

    Attributes:
        checksum: of the textures and the mesh.
        left_out: photographs that cannot be used, a line each.
        seconds: stage -> seconds spent in it so far.
        sample_scene: gives the scene of a sample by its index; can be sent to other processes.
        textures: on the device.
    """

    def __init__(
        self,
        options: SampleOptions,
        seed: int,
        device: torch.device,
        bank: TextureBank,
        meshes: Sequence[Scene] = (),
        pairs_per_scene: int = 1,
    ) -> None:
        """`meshes`: scenes to choose from instead of the recipes; `bank` holds their textures."""
        self.options, self.seed, self.device = options, seed, device
        self.checksum = checksum(bank, *(mesh.corners for mesh in meshes[:1]))
        self.left_out = bank.left_out
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.sample_scene = SceneSampler(options, seed, bank, meshes, pairs_per_scene)
        self.textures = Textures.load(bank, device)

    def __call__(self, index: int) -> Sample:
        """Make one sample."""
        return self.samples([index])[0]

    def samples(self, indices: Sequence[int]) -> list[Sample]:
        """Make samples together."""
        with self._timed("scene"):
            scenes = self.sample_scene.together(indices)
        return self.render(scenes)

    def render(self, scenes: Sequence[SampledScene]) -> list[Sample]:
        """Render samples together, which keeps a GPU busy; alone they are the same up to rounding."""
        pairs = self._render(scenes, MAX_MISFIT)
        with self._timed("truth"):
            correspondences = find_correspondences(pairs)
            samples = [
                assemble_sample(pairs, correspondences, k, one, self.options.geometry) for k, one in enumerate(scenes)
            ]
        if not self.options.photometry:
            return samples
        with self._timed("photometry"):
            return [_photographed(sample, one.photometry_rng) for sample, one in zip(samples, scenes, strict=True)]

    def render_batch(self, scenes: Sequence[SampledScene]) -> PairBatch:
        """The pairs of the same samples as tensors that never leave the device, without photometry."""
        pairs = self._render(scenes, _LOOSE)
        with self._timed("truth"):
            return assemble_batch(pairs, scenes)

    def _render(self, sampled: Sequence[SampledScene], max_misfit: float) -> RenderedPairs:
        scenes = list({id(one.scene): one.scene for one in sampled}.values())
        numbers = {id(scene): number for number, scene in enumerate(scenes)}
        with self._timed("scene"):
            batch = batch_scenes(scenes, self.device)
        with self._timed("viewpoints"):
            shown = [numbers[id(one.scene)] for one in sampled]
            views = choose_viewpoints(batch, [one.request for one in sampled], shown, self.options.size, max_misfit)
        with self._timed("render"):
            shadows = map_shadows(batch, views.points, views.point_scene)
            cameras = views.reference, views.target, views.scenes
            size, supersampling = self.options.size, self.options.supersampling
            return render_pairs(batch, self.textures, shadows, *cameras, size, supersampling)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[stage] += time.perf_counter() - start


def open_renderer(options: SampleOptions, seed: int, device: str = "cpu", pairs_per_scene: int = 1) -> SampleRenderer:
    """A renderer with its textures loaded, and its mesh if options.scene names one; warns of photographs left out.

    Raises:
        InputError: the folder of textures or the mesh cannot be used, or the device is not there.
    """
    require_device(device)
    scenes: Sequence[Scene] = ()
    if options.scene is None:
        bank = load_bank(options.textures)
        warn_of(bank.left_out)
    else:
        scenes, textures = load_mesh_scenes(options.scene)
        bank = make_bank(textures, ("mesh",) * len(textures))
    return SampleRenderer(options, seed, torch.device(device), bank, scenes, pairs_per_scene)


def _photographed(sample: Sample, rng: np.random.Generator) -> Sample:
    """The sample with the photometry of two cameras applied."""
    pair = photograph(sample.reference.clean, sample.target.clean, sample.clean_stitched, rng)
    return replace(
        sample,
        reference=replace(sample.reference, picture=pair.reference),
        target=replace(sample.target, picture=pair.target),
        stitched=pair.stitched,
        facts=sample.facts | {"photometry": pair.facts},
    )
