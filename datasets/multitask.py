"""The scenes of the multi-task benchmark: one picture, four tasks; on request, some labels are wrong."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datasets.camera_request import CameraRequest
from datasets.digests import code_digest, digest
from datasets.labels import Arrays, Item
from datasets.options import SampleOptions
from datasets.rendering.batch_renderer import render
from datasets.rendering.cameras import FREE_DISTANCE, Cameras, look_at
from datasets.rendering.ray_hits import cast_even_grid, near_points
from datasets.rendering.scene_batch import SceneBatch, batch_scenes
from datasets.rendering.shadow_maps import map_shadows
from datasets.rendering.surface_maps import geometry_of
from datasets.sample_renderer import SampleRenderer, open_renderer
from stitching.errors import InputError, require
from stitching.io.files import atomic_write, check_readable
from stitching.io.npz_file import ArrayForm, read_arrays

TASKS = ("segmentation", "depth", "normals", "edges")

_CORRUPTION_SEED = 0x6D746C  # gives other random numbers than the scenes get
_COLUMNS = 32  # of rays, per candidate view
_STORED = {
    "image": ("iu", (3,)),
    "segmentation": ("iu", ()),
    "depth": ("f", ()),
    "normals": ("f", (3,)),
    "edges": ("b", ()),
}
_BYTES_PER_PIXEL = 3 + 1 + 4 + 3 * 4 + 1  # of these


class MultiTaskScenes(Dataset[Item]):
    """A finite set of pictures of the generator's scenes, each with a label map for each of TASKS.

    Item i is (image, labels): the image (3, h, w) float32 BGR in 0 .. 1, as rendered, of the scene of sample i of
    `parastitch generate`, taken by one upright camera, and the labels

        "segmentation"  (h, w) int64, datasets.scenes.scene.Kind
        "depth"         (h, w) float32, 1 / depth along the optical axis, 1 / m; the sky is infinitely far: 0
        "normals"       (3, h, w) float32, unit, camera frame, towards the camera; the sky has none: (0, 0, 0)
        "edges"         (h, w) float32, 1 where the surface or, by a jump, depth or normal changes, else 0

    Image and true labels depend on the seed, i and the options alone.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        options: SampleOptions = SampleOptions(size=(96, 96)),  # noqa: B008 - frozen
        corrupt: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Load the textures; nothing is rendered yet.

        Args:
            count: items.
            seed: another one gives other scenes.
            options: size, scenes or mesh, textures, field of view, supersampling; the others concern pairs only.
            corrupt: task -> share of the items that get a wrong label map for it: they exchange theirs, so that the
                set of label maps stays the same.

        Raises:
            InputError: a number, task or share is impossible; textures or mesh cannot be used.
        """
        require(count >= 1, f"count {count}", "1 or above")
        require(seed >= 0, f"seed {seed}", "0 or above")
        unknown = set(corrupt) - set(TASKS)
        require(not unknown, f"corrupt {', '.join(sorted(unknown))}", f"tasks of {', '.join(TASKS)}")
        self._count, self._seed, self._options = count, seed, options
        self._donors = {task: self._draw_donors(task, corrupt.get(task, 0.0)) for task in TASKS}
        self._renderer: SampleRenderer = open_renderer(options, seed)

    def _draw_donors(self, task: str, share: float) -> NDArray[np.int64]:
        """(count,) the item whose label map each item gets: its own, or that of the next corrupted item."""
        wrong = round(share * self._count) if 0 <= share <= 1 else -1
        possible = share == 0 or wrong >= 2
        require(possible, f"corrupt {task} {share}", f"0, or a share up to 1 of {self._count} that is 2 or more")
        donors = np.arange(self._count)
        rng = np.random.default_rng([_CORRUPTION_SEED, self._seed, TASKS.index(task)])
        chosen = rng.permutation(self._count)[:wrong]
        donors[chosen] = np.roll(chosen, 1)
        return donors

    def __len__(self) -> int:
        """How many items there are."""
        return self._count

    def __getitem__(self, index: int) -> Item:
        """Render an item, and the donors of its corrupted labels. `tensors` is faster for many items."""
        if not 0 <= index < self._count:
            raise IndexError(f"item {index}: expected 0 to {self._count - 1}")
        donors = {task: int(self._donors[task][index]) for task in TASKS}
        rendered = {i: _as_tensors(_render(self._renderer, i)) for i in {index, *donors.values()}}
        return rendered[index]["image"], {task: rendered[donors[task]][task] for task in TASKS}

    def corrupted(self, task: str) -> NDArray[np.bool_]:
        """(count,) True for the items with a wrong label map for the task."""
        return np.asarray(self._donors[task] != np.arange(self._count))

    def tensors(self, cache: Path | None = None) -> Item:
        """All items stacked: images (count, 3, h, w) and label maps, for sets that fit into memory.

        Args:
            cache: folder that keeps the renderings for later calls with the same count, seed, options, textures and
                code; None: none.

        Raises:
            JobError: the cache cannot be written.
        """
        rendered = _as_tensors(self._render_all() if cache is None else self._read_or_render(cache))
        return rendered["image"], {task: rendered[task][torch.from_numpy(self._donors[task])] for task in TASKS}

    def _render_all(self) -> Arrays:
        items = [_render(self._renderer, index) for index in range(self._count)]
        return {name: np.stack([arrays[name] for arrays in items]) for name in items[0]}

    def _read_or_render(self, folder: Path) -> Arrays:
        """The true labels from the cache, rendered and stored where they are not there; corruption comes later."""
        options = self._options
        settings = self._count, self._seed, options.size, options.scenes, options.fov, options.supersampling
        code = np.__version__, torch.__version__, code_digest([Path(__file__).parent])
        name = digest(json.dumps(settings), self._renderer.checksum, *code)
        path = folder / f"multitask-{name}.npz"
        count, (w, h) = self._count, options.size
        forms = {key: ArrayForm(kinds, (count, *axes, h, w)) for key, (kinds, axes) in _STORED.items()}
        with suppress(InputError):  # damaged or missing: render it
            check_readable(path, "rendered items")
            return read_arrays(path, forms, count * h * w * _BYTES_PER_PIXEL)
        arrays = self._render_all()
        with atomic_write(path) as temporary:
            folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
        return arrays


def _render(renderer: SampleRenderer, index: int) -> Arrays:
    """Picture and true label maps of an item."""
    options, sampled = renderer.options, renderer.sample_scene(index)
    batch = batch_scenes([sampled.scene], renderer.device)
    camera, points = _choose_camera(batch, sampled.request, options.size)
    shadows = map_shadows(batch, points, torch.zeros(len(points), dtype=torch.int64, device=batch.device))
    film = render(batch, renderer.textures, shadows, camera, batch.scene[:1], (options.size,), options.supersampling)
    geometry = geometry_of(batch, film, 0)
    return {
        "image": film.pictures[0].permute(2, 0, 1).numpy(),  # (h, w, 3) -> (3, h, w)
        "segmentation": geometry.kinds,
        "depth": 1 / geometry.depth,
        "normals": geometry.normals.transpose(2, 0, 1),
        "edges": geometry.edges > 0,
    }


def _choose_camera(batch: SceneBatch, request: CameraRequest, size: tuple[int, int]) -> tuple[Cameras, Tensor]:
    """Of the candidate views that nothing blocks, the one that shows most surfaces; and visible world points (k, 3)."""
    eyes, aims = (torch.from_numpy(points).to(batch.device) for points in (request.eyes, request.aims))
    fov = eyes.new_full((len(eyes),), request.fov)
    film = _COLUMNS, max(2, round(_COLUMNS * size[1] / size[0]))
    scenes = torch.zeros(len(eyes), dtype=torch.int64, device=batch.device)
    tiles, hits, nearness = cast_even_grid(batch, look_at(eyes, aims, fov, film), scenes, film)
    surfaces = torch.where(hits.pair < 0, 0, batch.surface[tiles.triangle[hits.pair.clamp_min(0)]])
    free = [bool((nearness[part] <= 1 / FREE_DISTANCE).all()) for part in hits.slices]
    shown = [len(surfaces[part].bincount().nonzero()) if free[k] else 0 for k, part in enumerate(hits.slices)]
    best = int(np.argmax(shown))
    return look_at(eyes[[best]], aims[[best]], fov[[best]], size), near_points(hits.film(best).points.T)


def _as_tensors(arrays: Arrays) -> dict[str, Tensor]:
    """Arrays as tensors in the types that networks and losses need."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    return tensors | {
        "image": tensors["image"].float() / 255,
        "segmentation": tensors["segmentation"].long(),
        "edges": tensors["edges"].float(),
    }
