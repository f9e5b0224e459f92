"""What a sample will show, before anything is rendered: a scene and a request for its cameras. Needs no device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.camera_request import CameraRequest, draw_request
from datasets.options import SampleOptions
from datasets.scenes.recipes import build_scene
from datasets.scenes.scene import Scene
from datasets.textures.bank import TextureBank

_TOGETHER = 4  # scenes whose pairs take turns, so that neighbouring samples differ
_KEPT = 8  # scenes that a sampler remembers


@dataclass(frozen=True, eq=False)
class SampledScene:
    """Sample `index`, ready to be rendered. Samples that show the same scene share it."""

    index: int
    scene: Scene
    request: CameraRequest
    photometry_rng: np.random.Generator


class SceneSampler:
    """Draws the scene of a sample at random. Small enough to be sent to other processes."""

    def __init__(
        self,
        options: SampleOptions,
        seed: int,
        bank: TextureBank,
        meshes: Sequence[Scene] = (),
        pairs_per_scene: int = 1,
    ) -> None:
        """`meshes`: scenes to choose from instead of the recipes. The pairs of a scene have other viewpoints each."""
        self._options, self._seed, self._meshes, self._pairs = options, seed, meshes, pairs_per_scene
        self._bank = _mean_colours(bank)
        self._scenes: dict[int, Scene] = {}  # by number, the last ones

    def __call__(self, index: int) -> SampledScene:
        """The scene of sample `index`; depends on the seed, the index and the options alone."""
        group, place = divmod(index, _TOGETHER * self._pairs)
        number, pair = group * _TOGETHER + place % _TOGETHER, place // _TOGETHER
        scene_rng, camera_rng, photometry_rng = np.random.default_rng([self._seed, number]).spawn(3)
        if number not in self._scenes:
            self._scenes[number] = self._build(scene_rng)
        while len(self._scenes) > _KEPT:
            del self._scenes[next(iter(self._scenes))]
        scene = self._scenes[number]
        if pair:
            camera_rng, photometry_rng = (rng.spawn(pair)[-1] for rng in (camera_rng, photometry_rng))
        return SampledScene(index, scene, draw_request(self._options, scene.standpoint, camera_rng), photometry_rng)

    def together(self, indices: Sequence[int]) -> list[SampledScene]:
        """Those of several samples. They share their scenes also in another process, if they are sent at once."""
        return [self(index) for index in indices]

    def _build(self, rng: np.random.Generator) -> Scene:
        if self._meshes:
            return self._meshes[int(rng.integers(len(self._meshes)))]
        return build_scene(str(rng.choice(self._options.scenes)), rng, self._bank)


def _mean_colours(bank: TextureBank) -> TextureBank:
    """The bank with each texture reduced to one texel, its mean: all that the recipes look at."""
    count = len(bank.kinds)
    texels = bank.texels[bank.starts[:, -1]]
    return TextureBank(texels, np.arange(count, dtype=np.int64)[:, None], np.ones(count, np.int32), bank.kinds)
