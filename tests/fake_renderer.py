"""Valid samples without ray casting, at no cost, each from its index alone."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.options import SampleOptions
from datasets.sample import Geometry, Sample, View, Visibility

BREAKING = "PARASTITCH_TEST_BREAKING"  # environment: "INDEX HOW"


class FakeRenderer:
    """Two flat views of one painting, the target further right and with a square before it."""

    def __init__(self, options: SampleOptions, seed: int) -> None:
        self.options, self.seed = options, seed
        self.checksum = "0123abcd"
        self.left_out: tuple[str, ...] = ()
        self.seconds = {"scene": 0.0, "render": 0.0}

    def samples(self, indices: Sequence[int]) -> list[Sample]:
        return [self(index) for index in indices]

    def __call__(self, index: int) -> Sample:
        _break(index)
        self.seconds["render"] += 0.5
        random = np.random.default_rng((self.seed, index))
        w, h = self.options.size
        shift = int(random.uniform(0.2, 0.6) * w)
        painting = cv2.resize(random.integers(0, 256, (6, 9, 3), np.uint8), (w + shift, h))
        reference, target = painting[:, :w].copy(), painting[:, shift:].copy()
        parallax = float(random.uniform(1, 20))
        facts = {
            "scene": str(random.choice(["room", "street"])),
            "requested": {"overlap": 1 - shift / w, "parallax": parallax, "fov": float(random.uniform(45, 75))},
            "achieved": {"overlap": 1 - shift / w, "parallax": parallax * 1.01, "warp_median": float(shift)},
            "depth": {"p10": 1.5, "median": float(random.uniform(2, 50)), "p90": 60.0},
        }
        return Sample(
            index=index,
            reference=self._view(reference, -shift),
            target=self._view(target, shift),
            stitched=painting,
            clean_stitched=painting,
            stitched_mask=_stitched_mask(w, h, shift),
            origin=(0, 0),
            segments=random.uniform(0, h, (2, 2, 2, 2)).astype(np.float32),
            segments_visible=np.ones((2, 2), np.float32),
            facts=facts,
        )

    def _view(self, picture: NDArray[np.uint8], shift: int) -> View:
        h, w = picture.shape[:2]
        x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        warp = np.stack([x + shift + np.sin(y / 9), y], axis=-1)
        inside = (warp[..., 0] >= -0.5) & (warp[..., 0] < w - 0.5)
        mask = np.where(inside, Visibility.VISIBLE, Visibility.OUTSIDE).astype(np.uint8)
        mask[inside & (y < 4)] = Visibility.OCCLUDED
        normals = np.tile(np.array([0.6, 0, -0.8], np.float32), (h, w, 1))
        geometry = Geometry(x + 1, normals, x.astype(np.int32), (x % 3).astype(np.uint8), mask)
        return View(picture, picture, warp, mask, geometry)


def _stitched_mask(w: int, h: int, shift: int) -> NDArray[np.uint8]:
    columns = np.arange(w + shift)
    return np.tile((columns < w) + 2 * (columns >= shift), (h, 1)).astype(np.uint8)


def _break(index: int) -> None:
    """Fail at the sample that the environment names, which reaches worker processes too."""
    at, _, how = os.environ.get(BREAKING, "-1 ").partition(" ")
    if int(at) == index:
        if how == "die":
            os._exit(7)
        raise RuntimeError("no such\nscene")


def open_fake(options: SampleOptions, seed: int, device: str = "cpu") -> FakeRenderer:
    return FakeRenderer(options, seed)


def without_processes(patch: pytest.MonkeyPatch) -> None:
    """Let `generate` compute in this process: workers take a second to start."""
    patch.setattr("datasets.generate.run_local", lambda task, indices, processes: (task(i) for i in indices))


def contents(folder: Path) -> dict[str, Any]:
    """Relative path -> bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
