"""A batch of scenes as tensors on the device that renders."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """The n triangles of b scenes, one scene after the other; see Scene for frames, units and ranges."""

    corners: Tensor  # (n, 3, 3) float64
    normals: Tensor  # (n, 3, 3)
    uv: Tensor  # (n, 3, 2)
    openness: Tensor  # (n, 3)
    texture: Tensor  # (n,) int64
    tint: Tensor  # (n, 3)
    surface: Tensor  # (n,) int32
    kind: Tensor  # (n,) uint8
    casts_shadow: Tensor  # (n,) bool
    scene: Tensor  # (n,) int64, 0 .. b - 1
    to_sun: Tensor  # (b, 3)
    sun: Tensor  # (b, 3)
    ambient: Tensor  # (b, 3)
    zenith: Tensor  # (b, 3)
    horizon: Tensor  # (b, 3)
    cloud: Tensor  # (b,) int64
    cloudiness: Tensor  # (b,)

    @property
    def device(self) -> torch.device:
        """Device of all tensors."""
        return self.corners.device


def batch_scenes(scenes: Sequence[Scene], device: torch.device) -> SceneBatch:
    """Concatenate scenes on a device."""

    def rows(name: str, dtype: torch.dtype) -> Tensor:
        parts = np.concatenate([getattr(scene, name) for scene in scenes])
        return torch.from_numpy(parts).to(device, dtype)

    def light(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.from_numpy(np.stack([getattr(scene.light, name) for scene in scenes])).to(device, dtype)

    counts = [len(scene.corners) for scene in scenes]
    return SceneBatch(
        corners=rows("corners", torch.float64),
        normals=rows("normals", torch.float32),
        uv=rows("uv", torch.float32),
        openness=rows("openness", torch.float32),
        texture=rows("texture", torch.int64),
        tint=rows("tint", torch.float32),
        surface=rows("surface", torch.int32),
        kind=rows("kind", torch.uint8),
        casts_shadow=rows("casts_shadow", torch.bool),
        scene=torch.repeat_interleave(torch.arange(len(scenes)), torch.tensor(counts)).to(device),
        to_sun=light("to_sun"),
        sun=light("sun"),
        ambient=light("ambient"),
        zenith=light("zenith"),
        horizon=light("horizon"),
        cloud=light("cloud", torch.int64),
        cloudiness=light("cloudiness"),
    )
