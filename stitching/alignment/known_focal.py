"""The focal length that is known of a photograph before it is matched: a prior, since crops and rounding hide in it."""

import numpy as np

from stitching.io.metadata.camera_exif import camera_of
from stitching.io.picture import Picture
from stitching.lens.camera import DIAGONAL_35MM
from stitching.lens.lensfun_search import focal_35mm_by_crop

SENSOR_ASPECTS = 4 / 3, 3 / 2, 16 / 9  # of the longer side; photographs of other aspects were cropped, or joined
SAME_ASPECT = 0.03  # share, by which sides may differ from them
FOCAL_RANGE = 0.35, 30.0  # of half the diagonal: 141 to 4 degrees; beyond, EXIF is taken for nonsense


def known_focal(picture: Picture) -> float | None:
    """Focal length of a full-size picture, of half its diagonal; None where nothing says it.

    That of its lens where one is corrected; else EXIF's of 35 mm film, which CIPA DC-008 defines by the diagonal, or
    what follows from EXIF's focal length and the camera's crop factor, which lensfunpy, where it is installed, lists.
    """
    if picture.lens is not None:
        return picture.lens.focal / (float(np.hypot(*picture.size)) / 2)
    camera = camera_of(picture.metadata)
    focal = 2 * (camera.focal_35mm or focal_35mm_by_crop(camera) or 0.0) / DIAGONAL_35MM
    aspect = max(picture.size) / min(picture.size)
    whole = any(abs(aspect / one - 1) <= SAME_ASPECT for one in SENSOR_ASPECTS)
    return focal if whole and FOCAL_RANGE[0] <= focal <= FOCAL_RANGE[1] else None
