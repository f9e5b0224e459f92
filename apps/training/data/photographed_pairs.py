"""Examples of photographed pairs, which have no ground truth: SIFT alignment and classical warp, prepared once."""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from os import fsencode
from pathlib import Path

import cv2
import numpy as np

from apps.evaluation.digests import library_digest, weights_digest
from apps.pair_folders import PairFiles, find_pairs
from datasets.arrays import Pixels
from datasets.digests import code_digest, digest
from datasets.engines import job_error
from datasets.examples.example import Example, make_example
from datasets.examples.example_files import load_example, save_example
from stitching.errors import InputError, JobError
from stitching.geometry.pixel_maps import Size
from stitching.io.files import check_folder, make_folder
from stitching.io.levels import find_levels
from stitching.io.picture import to_8_bit
from stitching.io.picture_reader import read_picture

MAX_VALIDATION_PAIRS = 32  # photographed pairs that are not trained on

_ROOT = Path(__file__).parents[3]  # of the installed packages
_CODE = (  # that makes examples and labels
    _ROOT / "stitching", _ROOT / "datasets" / "examples", _ROOT / "datasets" / "sample.py", Path(__file__),
    Path(__file__).with_name("labelled_pairs.py"),
)  # fmt: skip


@dataclass(frozen=True)
class PhotographedPairs:
    """Examples of the pairs that `apps.pair_folders.find_pairs` finds in a folder. Can be pickled.

    The index of a pair is a hash of its name, so that it stays when other pairs join the folder.

    size: (width, height) of the window, px.
    jitter_alignment: make some coarse alignments worse, as they are on hard pairs.
    cache: folder that keeps prepared examples, named by all that decides them: contents of the pictures, code, options.
    """

    folder: Path
    size: Size
    jitter_alignment: bool
    cache: Path | None = None

    def __call__(self, index: int) -> Example:
        """The example of pair `index`. Raises InputError where a file is damaged or a picture transparent in part."""
        files = pair_files(self.folder.absolute())[index]
        if self.cache is None:
            return self._make(files, index)
        path = cache_file(self.cache, files, str(index), str(self.size), str(self.jitter_alignment))
        if not path.exists():
            save_example(path, self._make(files, index))
        return load_example(path)  # never the example just made: what is read is rounded, and runs must repeat

    def split(self) -> tuple[list[int], list[int]]:
        """Indices to train on, and to validate on: a tenth of them; of fewer than ten pairs, all for both.

        Raises InputError where there are none.
        """
        indices = sorted(pair_files(self.folder.absolute()))
        kept = min(MAX_VALIDATION_PAIRS, len(indices) // 10)
        return indices[kept:], indices[:kept] or indices

    def open(self) -> None:
        """Look anew what the folder holds. Raises InputError where the cache cannot be written."""
        pair_files.cache_clear()
        if self.cache is not None:
            check_folder(self.cache)
            make_folder(self.cache)

    def _make(self, files: PairFiles, index: int) -> Example:
        reference, target = read_photograph(files.reference, self.size), read_photograph(files.target, self.size)
        rng = np.random.default_rng(index) if self.jitter_alignment else None
        try:
            return make_example(reference, target, None, self.size, rng)
        except (InputError, JobError):
            raise
        except Exception as error:  # a defect: the index alone would not say which pair it is
            raise job_error(f"the example of {files.reference} and {files.target}", error) from error


def cache_file(folder: Path, files: PairFiles, *decided: str) -> Path:
    """Where a cache keeps what was made of a pair: named by the pictures' contents, what else decided it, the code."""
    return folder / f"{digest(files.digest(), *decided, _version())}.safetensors"


@cache
def _version() -> str:
    """Of the code, the libraries and the weights that make an example."""
    return digest(code_digest(_CODE), library_digest(), weights_digest(None))


@cache
def pair_files(folder: Path) -> dict[int, PairFiles]:
    """The pairs of a folder by their index."""
    return {
        int.from_bytes(blake2b(fsencode(files.name), digest_size=7).digest(), "big"): files
        for files in find_pairs(folder)
    }


def read_photograph(path: Path, size: Size) -> Pixels:
    """(h, w, 3) BGR, reduced to at most as many pixels as a picture of `size` (w, h) has."""
    picture = read_picture(path)
    if picture.valid is not None:
        raise InputError(f"{path}: transparent in part; expected an opaque photograph")
    pixels = to_8_bit(picture.pixels, find_levels(picture))
    scale = float(np.sqrt(np.prod(size) / np.prod(picture.size)))
    small = pixels if scale >= 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
