"""A batch of scenes as tensors on the device that renders."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class World:
    """The triangles of b scenes one after the other; see Scene for frames and ranges."""

    corners: Tensor  # (n, 3, 3) float64
    normals: Tensor  # (n, 3, 3)
    uv: Tensor  # (n, 3, 2)
    openness: Tensor  # (n, 3)
    texture: Tensor  # (n,) int64
    tint: Tensor  # (n, 3)
    surface: Tensor  # (n,) int32
    kind: Tensor  # (n,) uint8
    casts_shadow: Tensor  # (n,) bool
    scene: Tensor  # (n,) int64, which of the b
    to_sun: Tensor  # (b, 3)
    sun: Tensor  # (b, 3)
    ambient: Tensor  # (b, 3)
    zenith: Tensor  # (b, 3)
    horizon: Tensor  # (b, 3)
    cloud: Tensor  # (b,) int64
    cloudiness: Tensor  # (b,)

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.corners.device


def gather_world(scenes: Sequence[Scene], device: torch.device) -> World:
    """Put scenes side by side on a device."""

    def stack(name: str, dtype: torch.dtype) -> Tensor:
        parts = np.concatenate([getattr(scene, name) for scene in scenes])
        return torch.from_numpy(parts).to(device, dtype)

    def light(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.from_numpy(np.stack([getattr(scene.light, name) for scene in scenes])).to(device, dtype)

    counts = [len(scene.corners) for scene in scenes]
    return World(
        corners=stack("corners", torch.float64),
        normals=stack("normals", torch.float32),
        uv=stack("uv", torch.float32),
        openness=stack("openness", torch.float32),
        texture=stack("texture", torch.int64),
        tint=stack("tint", torch.float32),
        surface=stack("surface", torch.int32),
        kind=stack("kind", torch.uint8),
        casts_shadow=stack("casts_shadow", torch.bool),
        scene=torch.repeat_interleave(torch.arange(len(scenes)), torch.tensor(counts)).to(device),
        to_sun=light("to_sun"),
        sun=light("sun"),
        ambient=light("ambient"),
        zenith=light("zenith"),
        horizon=light("horizon"),
        cloud=light("cloud", torch.int64),
        cloudiness=light("cloudiness"),
    )
