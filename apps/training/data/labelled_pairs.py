"""Photographed pairs with the warp of a stitch in place of a ground truth: what the matching is fine-tuned on."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from apps.pair_folders import PairFiles
from apps.training.data.photographed_pairs import cache_file, pair_files, read_photograph
from datasets.arrays import Floats, Pixels
from datasets.examples.example_files import labelled_pair, load_labelled_pair, save_labelled_pair
from datasets.pair_batch import PairArrays
from datasets.sample import Visibility
from stitching.errors import InputError
from stitching.geometry.pixel_maps import Size, inside, pixel_grid, push_pull, remap, rescale
from stitching.io.warp_file import WarpField
from stitching.options import Options
from stitching.single_steps import estimate_warp

PLAIN = Options(lens="none")  # the network is shown photographs as they are
_DETAIL = 2.0  # px of a picture per px of the window: lessons also show parts of a pair
_KEPT = 64  # pairs that stay in the memory of a process, about 2 MB each


@dataclass(frozen=True)
class LabelledPairs:
    """The pairs of a folder with the default warp of `parastitch stitch` as labels. Can be pickled.

    That warp tells of the pixels of the reference where the target shows the same, so the two exchange their roles. A
    pixel is visible where the pictures agree on the warp, and outside where the warp leaves the target; of others
    nothing is known. Where no warp is found, there are no labels.

    size: (width, height) of the window, px.
    cache: folder that keeps labels, named by all that decides them.
    """

    folder: Path
    size: Size
    cache: Path | None = None

    def __call__(self, index: int) -> PairArrays:
        """Pair `index` of `PhotographedPairs`, both pictures in the size of the reduced reference.

        Raises InputError where a file is damaged or a picture transparent in part.
        """
        files = pair_files(self.folder.absolute())[index]
        return _labelled(files, files.digest(), self.size, self.cache, index)


@lru_cache(maxsize=_KEPT)
def _labelled(files: PairFiles, contents: str, size: Size, cache: Path | None, index: int) -> PairArrays:
    """contents: of the pictures, so that others are never taken for them."""
    if cache is None:
        return _label(files, size, index)
    path = cache_file(cache, files, "labels", str(index), str(size))
    if not path.exists():
        save_labelled_pair(path, _label(files, size, index))
    return load_labelled_pair(path, index)


def _label(files: PairFiles, size: Size, index: int) -> PairArrays:
    detailed = round(size[0] * _DETAIL**0.5), round(size[1] * _DETAIL**0.5)
    reference, target = (read_photograph(path, detailed) for path in (files.reference, files.target))
    h, w = reference.shape[:2]
    target = np.asarray(cv2.resize(target, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    try:
        warp, mask = _labels_of_reference(estimate_warp(files.reference, files.target, PLAIN), (w, h))
    except InputError:  # the pictures could be read, so it means that they do not fit together
        warp, mask = pixel_grid(h, w), np.full((h, w), Visibility.BEHIND, np.uint8)
    return labelled_pair(index, target, reference, warp, mask)


def _labels_of_reference(warp: WarpField, size: Size) -> tuple[Floats, Pixels]:
    """For pictures reduced to `size` (w, h): target px of every reference px (h, w, 2), and `Visibility` (h, w)."""
    pixels = pixel_grid(size[1], size[0])
    of_reference, of_target = (np.array(full) / size for full in (warp.reference_size, warp.target_size))
    canvas = warp.canvas.from_reference(rescale(pixels.astype(np.float64), of_reference))
    on_map = rescale(canvas, warp.scale).astype(np.float32)
    found = rescale(remap(warp.map, on_map).astype(np.float64), 1 / of_target).astype(np.float32)
    trusted = remap(warp.trusted.astype(np.uint8), on_map, cv2.INTER_NEAREST) > 0
    outside = ~inside(found, size)  # also where nothing of the target is: not a number
    mask = np.where(outside, Visibility.OUTSIDE, np.where(trusted, Visibility.VISIBLE, Visibility.BEHIND))
    moves = push_pull(np.where(outside[..., None], 0, found - pixels), (~outside & trusted).astype(np.float32))
    return pixels + moves, mask.astype(np.uint8)
