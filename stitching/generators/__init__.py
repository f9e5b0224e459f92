"""Generators by name. A generator is a function of an `AlignedPair`; see `stitching.blend.Generator`."""

from stitching.blend import Generator
from stitching.generators.seam import seam

GENERATORS: dict[str, Generator] = {"seam": seam}
