"""Gives pictures that are stitched together the same colour profile."""

from collections.abc import Iterable
from dataclasses import replace

from stitching.io.colours.conversion import convert_pixels
from stitching.io.colours.rgb_profile import same_colours
from stitching.io.picture import Picture


def with_profile(picture: Picture, profile: bytes | None, *, in_place: bool) -> Picture:
    """A picture whose colours are those of a profile, None = sRGB; itself where its own profile means the same.

    Args:
        picture: without a profile its colours are sRGB.
        profile: an RGB profile.
        in_place: whether the pixels may be changed; else they are copied.

    Raises:
        InputError: a profile cannot be used; see `convert_pixels`.
    """
    if same_colours(picture.metadata.icc, profile):
        return picture
    pixels = picture.pixels if in_place else picture.pixels.copy()
    convert_pixels(pixels, picture.metadata.icc, profile, picture.name)
    return replace(picture, pixels=pixels, metadata=replace(picture.metadata, icc=profile))


def most_common_profile(profiles: Iterable[bytes | None]) -> bytes | None:
    """The profile that most pictures have, None = sRGB; of several that are as common, the first by its bytes.

    It does not depend on the order of the pictures.
    """
    counts: dict[bytes, int] = {}  # of those that differ, the first of each kind by its bytes
    for icc in sorted(icc or b"" for icc in profiles):
        kind = next((known for known in counts if same_colours(known or None, icc or None)), icc)
        counts[kind] = counts.get(kind, 0) + 1
    return max(counts, key=lambda kind: counts[kind]) or None
