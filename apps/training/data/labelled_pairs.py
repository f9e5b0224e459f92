"""Photographed pairs with the warp of a stitch in place of a ground truth: what the matching is fine-tuned on."""

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from apps.pair_folders import PairFiles
from apps.training.data.photographed_pairs import cache_file, pair_files, read_photograph
from datasets.arrays import Floats, Pixels
from datasets.engines import job_error
from datasets.examples.example_files import labelled_pair, load_labelled_pair, save_labelled_pair
from datasets.pair_batch import PairArrays
from datasets.sample import Visibility
from stitching.errors import InputError, JobError, printable
from stitching.geometry.pixel_maps import Size, inside, pixel_grid, push_pull, remap, rescale
from stitching.io.warp_file import WarpField
from stitching.options import Options
from stitching.single_steps import estimate_warp

PLAIN = Options(lens="none", device="cpu")  # photographs as they are; the same labels on every machine
_DETAIL = 2.0  # px of a picture per px of the window: lessons also show parts of a pair


@dataclass(frozen=True)
class LabelledPairs:
    """The pairs of a folder with the default warp of `parastitch stitch` as labels. Can be pickled.

    That warp tells of the pixels of the reference where the target shows the same, so the two exchange their roles. A
    pixel is visible where the pictures agree on the warp, and outside where the warp leaves the target; of others
    nothing is known. Where no warp is found, there are no labels, and a line on stderr says why.

    size: (width, height) of the window, px.
    cache: folder that keeps labels, named by all that decides them.
    """

    folder: Path
    size: Size
    cache: Path | None = None

    def __call__(self, index: int) -> PairArrays:
        """Pair `index` of `PhotographedPairs`; each picture is reduced by itself.

        Raises InputError where a file is damaged or a picture transparent in part.
        """
        files = pair_files(self.folder.absolute())[index]
        if self.cache is None:
            return _label(files, self.size, index)
        path = cache_file(self.cache, files, "labels", str(index), str(self.size))
        if not path.exists():
            save_labelled_pair(path, _label(files, self.size, index))
        return load_labelled_pair(path, index)


def _label(files: PairFiles, size: Size, index: int) -> PairArrays:
    detailed = round(size[0] * _DETAIL**0.5), round(size[1] * _DETAIL**0.5)
    reference, target = (read_photograph(path, detailed) for path in (files.reference, files.target))
    sizes = [(picture.shape[1], picture.shape[0]) for picture in (reference, target)]
    try:
        warp, mask = _labels_of_reference(estimate_warp(files.reference, files.target, PLAIN), sizes[0], sizes[1])
    except InputError as error:
        print(printable(f"{files.name}: no labels, {error}"), file=sys.stderr)
        warp, mask = pixel_grid(*reference.shape[:2]), np.full(reference.shape[:2], Visibility.BEHIND, np.uint8)
    except JobError:
        raise
    except Exception as error:  # a defect: the index alone would not say which pair it is
        raise job_error(f"the labels of {files.reference} and {files.target}", error) from error
    return labelled_pair(index, target, reference, warp, mask)


def _labels_of_reference(warp: WarpField, reference_size: Size, target_size: Size) -> tuple[Floats, Pixels]:
    """Target px of every reference px (h, w, 2), and its `Visibility` (h, w).

    reference_size, target_size: (w, h) to which the pictures are reduced.
    """
    pixels = pixel_grid(reference_size[1], reference_size[0])
    full_size = np.array(warp.reference_size) / reference_size
    canvas = warp.canvas.from_reference(rescale(pixels.astype(np.float64), full_size))
    on_map = rescale(canvas, warp.scale).astype(np.float32)
    reduced = np.array(target_size) / warp.target_size
    found = rescale(remap(warp.map, on_map).astype(np.float64), reduced).astype(np.float32)
    trusted = remap(warp.trusted.astype(np.uint8), on_map, cv2.INTER_NEAREST) > 0
    outside = ~inside(found, target_size)  # also where nothing of the target is: not a number
    mask = np.where(outside, Visibility.OUTSIDE, np.where(trusted, Visibility.VISIBLE, Visibility.BEHIND))
    moves = push_pull(np.where(outside[..., None], 0, found - pixels), (~outside & trusted).astype(np.float32))
    return pixels + moves, mask.astype(np.uint8)
