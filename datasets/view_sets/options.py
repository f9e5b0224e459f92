"""Options of sets of pictures."""

import math
from dataclasses import dataclass

from datasets.options import SampleOptions
from stitching.errors import require

MAX_VIEWS = 16  # `ViewSet.seen` has a bit for each picture


@dataclass(frozen=True)
class ViewOptions:
    """How many cameras see a scene, and how they stand."""

    views: int = 2
    ring: bool = False  # they look outwards all around, else they stand in a row

    def check(self, options: SampleOptions) -> None:
        """Check the numbers.

        Raises:
            InputError: names the option, what was given and what is possible.
        """
        require(2 <= self.views <= MAX_VIEWS, f"--views {self.views}", f"2 to {MAX_VIEWS}")
        needed = 360 / (1 - min(options.overlap[0], 0.95)) / options.fov[1]
        given = f"--ring --views {self.views}"
        possible = f"{math.ceil(needed)} or more with this --overlap and --fov; else lower --overlap or widen --fov"
        require(not self.ring or self.views >= needed, given, possible)
