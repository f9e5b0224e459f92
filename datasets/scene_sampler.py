"""What a sample will show, before anything is rendered: a scene, wishes for its cameras. Needs no device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.options import SampleOptions
from datasets.scenes.recipes import build_scene
from datasets.scenes.scene import Scene
from datasets.textures.bank import TextureBank
from datasets.viewpoints.request import CameraRequest, draw_request


@dataclass(frozen=True, eq=False)
class SampledScene:
    """Sample `index`, ready to be rendered."""

    index: int
    scene: Scene
    request: CameraRequest
    for_photometry: np.random.Generator  # the random numbers left for it


class SceneSampler:
    """Draws sample number `index` of a seed. Small enough to be sent to other processes."""

    def __init__(self, options: SampleOptions, seed: int, bank: TextureBank, meshes: Sequence[Scene] = ()) -> None:
        """`meshes`: scenes to choose from instead of the recipes."""
        self._options, self._seed, self._meshes = options, seed, meshes
        self._bank = _shrunk(bank)

    def __call__(self, index: int) -> SampledScene:
        """Depends on the seed, the index and the options alone."""
        for_scene, for_cameras, for_photometry = np.random.default_rng([self._seed, index]).spawn(3)
        if self._meshes:
            scene = self._meshes[int(for_scene.integers(len(self._meshes)))]
        else:
            scene = build_scene(str(for_scene.choice(self._options.scenes)), for_scene, self._bank)
        return SampledScene(index, scene, draw_request(self._options, scene.standpoint, for_cameras), for_photometry)


def _shrunk(bank: TextureBank) -> TextureBank:
    """One texel, the mean, of each texture: all that the recipes look at."""
    count = len(bank.kinds)
    texels = bank.texels[bank.starts[:, -1]]
    return TextureBank(texels, np.arange(count, dtype=np.int64)[:, None], np.ones(count, np.int32), bank.kinds)
