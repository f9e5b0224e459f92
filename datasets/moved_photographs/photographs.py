"""Photographs in memory, and parts of them as textures at two sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from datasets.arrays import Doubles, Pixels
from datasets.textures.photographs import map_photographs, warn_of
from stitching.geometry.pixel_maps import Size

_MAX_SIDE = 1024  # px; larger photographs are shrunk when they are loaded
_SHARPER = 0.5  # halvings by which the finer texture is preferred; costs a little aliasing
_PLENTY = 12.0  # grey levels between neighbours; photographs with less detail are chosen less often
_BRIGHT = 110.0  # mean grey; darker photographs are chosen less often


@dataclass(frozen=True)
class Crop:
    """A part of a photograph, px."""

    photograph: int
    left: int
    top: int
    width: int
    height: int
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Photographs:
    """Photographs on the device that moves them, at most _MAX_SIDE px large."""

    pictures: tuple[Tensor, ...]  # (1, 3, h, w) uint8 BGR, the colours of a pixel together in memory
    shares: Doubles  # (n,) how often each is chosen

    @staticmethod
    def load(folder: Path | None, device: torch.device) -> "Photographs":
        """Photographs of a folder and its subfolders, else scikit-image's; warns of those that cannot be used.

        Raises InputError as `datasets.textures.photographs.map_photographs` does.
        """
        pictures, left_out = map_photographs(_bounded, folder, _MAX_SIDE)
        warn_of(left_out)
        return Photographs.of(pictures, device)

    @staticmethod
    def of(arrays: Sequence[Pixels], device: torch.device) -> "Photographs":
        """Photographs (h, w, 3) BGR; blank and dark ones, of which wallpapers have many, are chosen less often."""
        weights = np.array([_weight(array) for array in arrays])
        channels_first = (torch.from_numpy(array).permute(2, 0, 1)[None] for array in arrays)  # (1, 3, h, w)
        return Photographs(tuple(picture.to(device) for picture in channels_first), weights / weights.sum())

    @property
    def sizes(self) -> list[Size]:
        """(width, height) of each, px."""
        return [(picture.shape[3], picture.shape[2]) for picture in self.pictures]


def draw_crop(rng: np.random.Generator, photographs: Photographs, aspect: float, parts: tuple[float, float]) -> Crop:
    """A part of a random photograph; parts: of the largest one of that aspect ratio, lowest and highest."""
    photograph = int(rng.choice(len(photographs.shares), p=photographs.shares))
    width, height = photographs.sizes[photograph]
    largest = np.array([min(width, height * aspect), min(height, width / aspect)])
    w, h = np.maximum(largest * rng.uniform(*parts), 8).astype(int).tolist()
    left, top = rng.integers((width - w + 1, height - h + 1)).tolist()
    return Crop(photograph, left, top, w, h, mirrored=bool(rng.integers(2)))


@dataclass(frozen=True, eq=False)
class Texture:
    """b textures and their halves. Positions on them are -1 .. 1 from side to side, both axes."""

    levels: tuple[Tensor, Tensor]  # (b, 3, h, w) and (b, 3, h / 2, w / 2), 0 .. 1

    def sample(self, positions: Tensor) -> Tensor:
        """(b, 3, h, w) colours at positions (b, 2, h, w), between the two sizes by the mean texels a pixel."""
        grid = positions.permute(0, 2, 3, 1)  # (b, h, w, 2)
        fine, coarse = (grid_sample(level, grid, padding_mode="border", align_corners=False) for level in self.levels)
        height, width = self.levels[0].shape[2:]
        level = (change_per_pixel(positions) * (width * height) ** 0.5 / 2).log2() - _SHARPER
        return torch.lerp(fine, coarse, level.clamp(0, 1).view(-1, 1, 1, 1))


def change_per_pixel(positions: Tensor) -> Tensor:
    """(b,) mean change of positions (b, 2, h, w) from a pixel to the next: the root of the area that a pixel covers."""
    step = 8  # px between the positions that are looked at
    coarse = positions[:, :, ::step, ::step]
    across = (coarse[:, :, :-1, 1:] - coarse[:, :, :-1, :-1]) / step
    down = (coarse[:, :, 1:, :-1] - coarse[:, :, :-1, :-1]) / step
    area = (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]).abs()
    return area.clamp_min(1e-12).log().mean((1, 2)).mul(0.5).exp()


def cut(photographs: Photographs, crops: Sequence[Crop], size: Size) -> Texture:
    """Parts of photographs as textures of (width, height) texels."""
    fine = torch.cat([_cut(photographs.pictures[crop.photograph], crop, size) for crop in crops])
    coarse = _resized(fine, (size[0] // 2, size[1] // 2))
    return Texture((fine.float() / 255, coarse.float() / 255))


def _cut(picture: Tensor, crop: Crop, size: Size) -> Tensor:
    part = picture[:, :, crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    texture = _resized(part, size)
    return texture.flip(3) if crop.mirrored else texture


def _resized(picture: Tensor, size: Size) -> Tensor:
    """(n, 3, h, w) 0 .. 255. A GPU smooths only floats before it shrinks them; a CPU is six times as fast on bytes."""
    values = picture.float() if picture.is_cuda else picture
    return interpolate(values, (size[1], size[0]), mode="bilinear", antialias=True)


def _bounded(picture: Pixels) -> Pixels:
    scale = _MAX_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _weight(picture: Pixels) -> float:
    """0.05 .. 1, by the mean of the differences between neighbours and by the mean grey."""
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (384, 256), interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32)
    detail = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return max(0.05, float(min(1, detail / _PLENTY) * min(1, grey.mean() / _BRIGHT)))
