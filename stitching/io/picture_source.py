"""A picture of a set: a small copy that stays in memory, and the way to read all of it again."""

from collections.abc import Callable
from dataclasses import dataclass

from stitching.io.picture import Picture

COPY_AREA = 0.6e6  # px of the small copies


@dataclass(frozen=True, eq=False)
class PictureSource:
    """A picture of a set. The pixels of all pictures at once would not fit into memory.

    Attributes:
        name: its path, or what the caller calls an array.
        position: in the caller's list, from 0.
        size: (w, h) px of the upright picture, without the distortion of its lens.
        copy: at most `COPY_AREA` px, with the set's bit depth and levels.
        key: hex digest of the picture's pixels, size and validity: sets are sorted by it, so that the order of the
            files has no influence.
        read: gives the full-size picture with the set's bit depth and levels; InputError where it cannot be read now.
        deep: it has 16 bits a channel itself.
        lens: name of the lens that is corrected; None = none is.
        focal: focal length that is known without matches, of half the picture's diagonal; None = none is.
    """

    name: str
    position: int
    size: tuple[int, int]
    copy: Picture
    key: str
    read: Callable[[], Picture]
    deep: bool = False
    lens: str | None = None
    focal: float | None = None


@dataclass(frozen=True)
class LeftOut:
    """A picture that the panorama does not show, and why, as a clause: "is damaged (...)"."""

    name: str
    reason: str
