"""The drawn patterns of a bank, kept in the user's cache folder: drawing takes seconds, reading milliseconds."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from datasets.arrays import Pixels
from datasets.digests import code_digest, digest
from datasets.textures.patterns import PATTERNS
from stitching.errors import JobError
from stitching.io.files import atomic_write, check_readable

_SOURCES = ("house_fronts", "patterns", "pattern_store", "periodic", "signs")  # what the drawings depend on
_VARIANTS = {"facade": 8, "sign": 24}  # textures of one pattern; of the others:
_DEFAULT_VARIANTS = 5


def load_patterns(side: int) -> tuple[list[Pixels], tuple[str, ...]]:
    """All variants of all patterns, (side, side, 3) BGR each, and the pattern's name of each.

    They are read from the cache folder where the same code has drawn them before, else drawn and kept there. A
    folder that cannot be used only costs the time of drawing.
    """
    variants = [(name, i) for name in PATTERNS for i in range(_VARIANTS.get(name, _DEFAULT_VARIANTS))]
    kinds = tuple(name for name, _ in variants)
    path = _cache_folder() / f"patterns-{side}-{_version()}.npy"
    with suppress(OSError, ValueError, EOFError):
        check_readable(path, "drawn patterns")
        kept = np.load(path, mmap_mode="r")
        if kept.shape == (len(variants), side, side, 3) and kept.dtype == np.uint8:
            return list(kept), kinds
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        drawn = list(threads.map(lambda variant: _draw(variant[0], variant[1], side), variants))
    with suppress(OSError, JobError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            np.save(temporary, np.stack(drawn))
    return drawn, kinds


def _draw(name: str, variant: int, side: int) -> Pixels:
    return PATTERNS[name](np.random.default_rng([*name.encode(), variant]), side)


def _cache_folder() -> Path:
    """The folder `parastitch` in the user's cache folder (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parastitch"


def _version() -> str:
    """Changes with the code that draws and with the libraries under it."""
    sources = [Path(__file__).with_name(f"{name}.py") for name in _SOURCES]
    return digest(np.__version__, cv2.__version__, code_digest(sources))
