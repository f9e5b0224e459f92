"""Where all pictures of a set lie, as the joint adjustment found it."""

from dataclasses import dataclass

import numpy as np

from stitching.geometry.homographies import MOTIONS, Matrix, Motion
from stitching.geometry.pixel_maps import Size

__all__ = ["MOTIONS", "Arrangement", "Motion"]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The pictures of one connected component in one frame.

    The frame is the camera of the reference, for a turning camera levelled: turned so that the horizon is horizontal.
    A point of the frame is written in homogeneous coordinates (u, v, w): in front of the frame's camera w > 0, and
    (u / w, v / w) are px; behind it w < 0. So all directions of a panorama of 360 degrees have a place.

    Attributes:
        motion: what moves one picture to another: "perspective" (homographies), "affine" or "translation".
        reference: number of the picture whose view is kept.
        focal: of the frame's camera, px, where all pictures are views of a turning camera; None where they are joined
            by motions of one plane.
        frame_size: (w, h) of the reference, px; its centre is the frame's principal point.
        to_picture: number of a picture -> (3, 3), homogeneous frame px -> homogeneous px of the full-size picture; with
            the sign that makes the third coordinate positive in front of the picture's camera.
        residual: root mean square distance of the matches after the adjustment, px of the frame.
        known_focal: px, that the pictures' metadata say; None where they do not.
    """

    motion: Motion
    reference: int
    focal: float | None
    frame_size: Size
    to_picture: dict[int, Matrix]
    residual: float
    known_focal: float | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the frame's principal point, px."""
        return (self.frame_size[0] - 1) / 2, (self.frame_size[1] - 1) / 2

    def homography(self, target: int, reference: int) -> Matrix:
        """(3, 3): px of the picture `target` -> px of the picture `reference`."""
        found = self.to_picture[reference] @ np.linalg.inv(self.to_picture[target])
        return np.asarray(found / found[2, 2])
