"""Pictures with the lenses that drew them."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

import numpy as np

from stitching.alignment.image_circles import inside_image_circle
from stitching.errors import printable, require
from stitching.io.metadata.camera_exif import camera_of
from stitching.io.picture import Picture
from stitching.lens.lens import Lens
from stitching.lens.lens_choice import lens_for


def with_lens(picture: Picture, choice: str) -> Picture:
    """A picture of full size with its lens; what the picture without distortion does not show, or lies outside of
    the image circle of a fisheye lens, is not valid.

    Args:
        picture: as read.
        choice: as `Options.lens`.

    Raises:
        InputError: the lens that was asked for does not fit the picture.
    """
    lens = lens_of(picture, choice)
    if lens is None:
        return picture
    masks = [mask for mask in (picture.valid, lens.shown_mask(), inside_image_circle(picture)) if mask is not None]
    valid = reduce(np.minimum, masks) if masks else None
    if valid is not None:
        require(bool(valid.any()), f"{picture.name} through {lens.name}: nothing is shown", "a lens that fits it")
    return replace(picture, lens=lens, valid=valid)


def lens_of(picture: Picture, choice: str) -> Lens | None:
    """The lens of a picture of full size, None where it is not to be corrected; arguments and errors as `with_lens`."""
    camera = camera_of(picture.metadata)
    return lens_for(choice, camera, picture.size, picture.orientation, picture.name, raw=picture.is_raw)


def corrected_in_words(lenses: Iterable[str | None]) -> str:
    """What a summary's line says of the lenses that were corrected, each named once; "" where none was."""
    names = sorted({name for name in lenses if name})
    return f"; without the distortion of {printable(', '.join(names), 200)}" if names else ""
