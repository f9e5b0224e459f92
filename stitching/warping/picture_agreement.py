"""Whether a loaded warp fits a pair: measured on the pictures, since the file can be of any others."""

import cv2
import numpy as np

from stitching.errors import InputError
from stitching.geometry.local_correlation import local_correlation, local_moments
from stitching.io.picture import channel_mean
from stitching.warping.warp import AlignedPair

WINDOW = 15  # px over which pictures are compared
MIN_DEVIATION = 6.0  # grey levels in the window, below which a correlation says nothing
MIN_ALIKE = 0.5  # correlation of two pictures that show the same, in any light
MIN_WINDOWS = 10  # of the texture, side by side; with less nothing can be said
MIN_AGREEMENT = 0.1  # of the textured overlap; a homography that leaves much parallax still reaches 0.2


def check_agreement(pair: AlignedPair) -> float:
    """The share of the trusted, textured overlap in which both pictures look alike after the warp, 0..1.

    0 = the overlap shows too little to tell. Pictures look alike where their local correlation is above `MIN_ALIKE`,
    so gain and offset of brightness do not matter.

    Raises:
        InputError: they look alike in less than `MIN_AGREEMENT` of it.
    """
    reference, target = (channel_mean(picture.astype(np.float32)) for picture in (pair.reference, pair.target))
    seen = (pair.trusted & pair.reference_valid).astype(np.uint8)
    inner = cv2.erode(seen, np.ones((WINDOW, WINDOW), np.uint8), borderValue=0) > 0
    variance = np.maximum(local_moments(reference, WINDOW)[1], local_moments(target, WINDOW)[1])
    textured = inner & (variance > MIN_DEVIATION**2)
    if textured.sum() < MIN_WINDOWS * WINDOW**2:
        return 0.0
    agreement = float((local_correlation(reference, target, WINDOW)[textured] > MIN_ALIKE).mean())
    if agreement < MIN_AGREEMENT:
        raise InputError(
            f"the loaded warp does not fit these pictures: they are alike on {agreement:.0%} of their textured overlap,"
            f" expected {MIN_AGREEMENT:.0%} or more; load a warp made with the same cameras in the same places"
        )
    return agreement
