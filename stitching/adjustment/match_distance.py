"""How far apart the matches of a set are after an adjustment."""

from collections.abc import Mapping

import numpy as np

from stitching.adjustment.joint_fit import LIMITS, residuals
from stitching.adjustment.links import LinkedPictures
from stitching.geometry.homographies import Matrix


def match_distance(pictures: LinkedPictures, to_picture: Mapping[int, Matrix]) -> float:
    """Root mean square distance of the matches, px of the frame; outliers, beyond the adjustment's limit, left out.

    Args:
        pictures: what joins the pictures.
        to_picture: number of a picture -> (3, 3), homogeneous frame px -> homogeneous picture px.
    """
    own = zip(pictures.sizes, pictures.normalisations, strict=True)
    distance = residuals(np.stack([normalise @ to_picture[number] for number, normalise in own]), pictures.links)
    limit = LIMITS[-1]
    found = distance[distance < limit] if (distance < limit).any() else np.array([limit])
    return float(np.sqrt(np.mean(found**2))) * pictures.unit
