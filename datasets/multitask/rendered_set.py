"""A finite set of rendered items with label maps of several tasks; on request, some labels are wrong."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datasets.digests import code_digest, digest
from datasets.labels import Arrays, Item, LabelKind, Labels, draw_donors
from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer, open_renderer
from stitching.errors import InputError, require
from stitching.io.files import atomic_write, check_readable
from stitching.io.npz_file import ArrayForm, read_arrays

_STORED: dict[LabelKind, tuple[type[np.generic], tuple[int, ...]]] = {  # type, axes before (h, w)
    "classes": (np.uint8, ()), "binary": (np.bool_, ()), "distance": (np.float32, ()), "normals": (np.float32, (3,)),
    "colour": (np.float16, (3,)), "motion": (np.float32, (2,)),
}  # fmt: skip
_FORMS = {"u": "iu", "b": "b", "f": "f"}  # a dtype's kind: what ArrayForm calls it
_FOLDER = Path(__file__).parents[1]
_RENDERING_CODE = [
    _FOLDER / name
    for name in ("multitask", "rendering", "scenes", "textures", "viewpoints",
                 "camera_request.py", "sample_renderer.py", "scene_sampler.py")
]  # fmt: skip


class RenderedSet(Dataset[Item], ABC):
    """Items (image, labels) of generated scenes. Image and true labels depend on the seed, i and the options alone.

    Attributes:
        labels: by task, what its label maps mean.
        channels: of an image; it is float32 BGR in 0 .. 1, as rendered, one picture after the other.
    """

    labels: ClassVar[Mapping[str, Labels]]
    channels: ClassVar[int]

    def __init__(
        self,
        count: int,
        seed: int,
        options: SampleOptions,
        corrupt: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Load the textures; nothing is rendered yet.

        Args:
            count: items.
            seed: another one gives other scenes.
            options: of the pictures; photometry and what is written of samples do not matter.
            corrupt: task -> share of the items that get a wrong label map for it: they exchange theirs, so that the
                set of label maps stays the same.

        Raises:
            InputError: a number, task or share is impossible; textures or mesh cannot be used.
        """
        require(count >= 1, f"count {count}", "1 or above")
        require(seed >= 0, f"seed {seed}", "0 or above")
        unknown = set(corrupt) - set(self.labels)
        require(not unknown, f"corrupt {', '.join(sorted(unknown))}", f"tasks of {', '.join(self.labels)}")
        self._count, self._seed, self._options = count, seed, options
        self._donors = {
            task: draw_donors(task, corrupt.get(task, 0.0), count, (seed, number))
            for number, task in enumerate(self.labels)
        }
        self._renderer: SampleRenderer = open_renderer(options, seed)

    @abstractmethod
    def render(self, index: int) -> Arrays:
        """Image (channels, h, w) uint8 and true label maps of an item, as they are stored."""

    def __len__(self) -> int:
        """How many items there are."""
        return self._count

    def __getitem__(self, index: int) -> Item:
        """Render an item, and the donors of its corrupted labels. `tensors` is faster for many items."""
        if not 0 <= index < self._count:
            raise IndexError(f"item {index}: expected 0 to {self._count - 1}")
        donors = {task: int(self._donors[task][index]) for task in self.labels}
        rendered = {i: self._as_tensors(self.render(i)) for i in {index, *donors.values()}}
        return rendered[index]["image"], {task: rendered[donors[task]][task] for task in self.labels}

    def corrupted(self, task: str) -> NDArray[np.bool_]:
        """(count,) True for the items with a wrong label map for the task."""
        return np.asarray(self._donors[task] != np.arange(self._count))

    def tensors(self, cache: Path | None = None) -> Item:
        """All items stacked: images (count, channels, h, w) and label maps, for sets that fit into memory.

        Args:
            cache: folder that keeps the renderings for later calls with the same count, seed, options, textures and
                code; None: none.

        Raises:
            JobError: the cache cannot be written.
        """
        rendered = self._as_tensors(self._render_all() if cache is None else self._read_or_render(cache))
        return rendered["image"], {task: rendered[task][torch.from_numpy(self._donors[task])] for task in self.labels}

    def _render_all(self) -> Arrays:
        items = [self.render(index) for index in range(self._count)]
        return {name: np.stack([arrays[name] for arrays in items]) for name in items[0]}

    def _read_or_render(self, folder: Path) -> Arrays:
        """The true labels from the cache, rendered and stored where they are not there; corruption comes later."""
        path = folder / f"{self._file_name()}.npz"
        (w, h), stored = self._options.size, {task: _STORED[meaning.kind] for task, meaning in self.labels.items()}
        stored["image"] = np.uint8, (self.channels,)
        shapes = {name: (self._count, *axes, h, w) for name, (_, axes) in stored.items()}
        types = {name: np.dtype(scalar) for name, (scalar, _) in stored.items()}
        forms = {name: ArrayForm(_FORMS[types[name].kind], shape) for name, shape in shapes.items()}
        size = sum(types[name].itemsize * int(np.prod(shape)) for name, shape in shapes.items())
        with suppress(InputError):  # damaged or missing: render it
            check_readable(path, "rendered items")
            return read_arrays(path, forms, size)
        arrays = self._render_all()
        with atomic_write(path) as temporary:
            folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
        return arrays

    def _file_name(self) -> str:
        """Different for whatever gives other renderings."""
        o = self._options
        cameras: tuple[Any, ...] = o.fov, o.overlap, o.parallax, o.roll, o.baseline
        settings = [type(self).__name__, self._count, self._seed, o.size, o.scenes, o.supersampling, cameras]
        code = np.__version__, torch.__version__, code_digest(_RENDERING_CODE)
        return f"multitask-{digest(json.dumps(settings), self._renderer.checksum, *code)}"

    def _as_tensors(self, arrays: Arrays) -> dict[str, Tensor]:
        """Arrays as tensors in the types that networks and losses need."""
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        maps = {
            task: tensors[task].long() if meaning.kind == "classes" else tensors[task].float()
            for task, meaning in self.labels.items()
        }
        return maps | {"image": tensors["image"].float() / 255}
