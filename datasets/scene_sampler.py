"""What a sample will show, before anything is rendered: a scene and a request for its cameras. Needs no device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.camera_request import CameraRequest, draw_request
from datasets.options import SampleOptions
from datasets.scenes.recipes import build_scene
from datasets.scenes.scene import Scene
from datasets.textures.bank import TextureBank


@dataclass(frozen=True, eq=False)
class SampledScene:
    """Sample `index`, ready to be rendered."""

    index: int
    scene: Scene
    request: CameraRequest
    photometry_rng: np.random.Generator


class SceneSampler:
    """Draws the scene of a sample at random. Small enough to be sent to other processes."""

    def __init__(self, options: SampleOptions, seed: int, bank: TextureBank, meshes: Sequence[Scene] = ()) -> None:
        """`meshes`: scenes to choose from instead of the recipes."""
        self._options, self._seed, self._meshes = options, seed, meshes
        self._bank = _mean_colours(bank)

    def __call__(self, index: int) -> SampledScene:
        """The scene of sample `index`; depends on the seed, the index and the options alone."""
        scene_rng, camera_rng, photometry_rng = np.random.default_rng([self._seed, index]).spawn(3)
        if self._meshes:
            scene = self._meshes[int(scene_rng.integers(len(self._meshes)))]
        else:
            scene = build_scene(str(scene_rng.choice(self._options.scenes)), scene_rng, self._bank)
        return SampledScene(index, scene, draw_request(self._options, scene.standpoint, camera_rng), photometry_rng)


def _mean_colours(bank: TextureBank) -> TextureBank:
    """The bank with each texture reduced to one texel, its mean: all that the recipes look at."""
    count = len(bank.kinds)
    texels = bank.texels[bank.starts[:, -1]]
    return TextureBank(texels, np.arange(count, dtype=np.int64)[:, None], np.ones(count, np.int32), bank.kinds)
