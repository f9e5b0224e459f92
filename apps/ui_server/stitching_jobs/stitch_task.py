"""What the page's server gives to the process that stitches, and what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.progress import MANY_STAGES, PAIR_STAGES
from stitching.adjustment.surface_choice import Projection
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Levels
from stitching.options import Options


@dataclass(frozen=True)
class TaskPicture:
    """A picture to stitch.

    Attributes:
        number: names it in requests.
        path: of its file.
        name: for the user.
        size: (w, h) px, upright.
        leave_out, keep: painted masks, see `masks.py`; None: there is none.
    """

    number: int
    path: Path
    name: str
    size: tuple[int, int]
    leave_out: Path | None = None
    keep: Path | None = None


def is_pair(pictures: Sequence[TaskPicture], projection: Projection) -> bool:
    """Whether two pictures are stitched as a pair, and not as a set whose projection was asked for."""
    return len(pictures) == 2 and projection == "auto"


@dataclass(frozen=True)
class StitchTask:
    """What is to be stitched.

    Attributes:
        pictures: two or more.
        reference: position of the picture whose view is kept; None: the one in the middle.
        options: see `Options`.
        folder: empty, for the results.
    """

    pictures: tuple[TaskPicture, ...]
    reference: int | None
    options: Options
    folder: Path

    @property
    def is_pair(self) -> bool:
        """Whether the pictures are stitched as a pair."""
        return is_pair(self.pictures, self.options.projection)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that are reported, in order."""
        return PAIR_STAGES if self.is_pair else MANY_STAGES


@dataclass(frozen=True)
class Outcome:
    """What was stitched. In the task's folder are `pixels.npy` (H, W, 3), `alpha.npy` (H, W), and views as PNG.

    Attributes:
        size: (w, h) of the panorama, px.
        summary: see `Summary` and `MosaicSummary`.
        warnings: one line each.
        views: names of the PNG files.
        metadata, levels: of the reference, to write the panorama with.
    """

    size: tuple[int, int]
    summary: dict[str, Any]
    warnings: list[str]
    views: list[str]
    metadata: Metadata = field(repr=False)
    levels: Levels | None = None
