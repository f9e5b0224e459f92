"""A set of pictures of one scene and its ground truth: cameras, depths, and which picture sees what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Floats, Pixels


@dataclass(frozen=True, eq=False)
class ViewSet:
    """n pictures of (h, w) px, in the order of the row or the ring, and their truth. Points are px, lengths m.

    Attributes:
        index: of the set in its data set.
        reference: number of the middle picture of the row; that of a ring is the first.
        pictures: n times (h, w, 3) BGR.
        intrinsics: (n, 3, 3) from a camera's frame (x right, y down, z forward) to homogeneous px.
        rotation, translation: (n, 3, 3) and (n, 3): x_camera = rotation x_world + translation.
        depth: (n, h, w) along the optical axis, at the pixel centres; sky: inf.
        seen: (n, h, w), bit k is set where picture k sees the same point; its own bit always is.
    """

    index: int
    reference: int
    pictures: tuple[Pixels, ...]
    intrinsics: Doubles
    rotation: Doubles
    translation: Doubles
    depth: Floats
    seen: NDArray[np.uint16]

    def places(self, view: int, other: int) -> Doubles:
        """(h, w, 3): for each pixel of picture `view`, its point as homogeneous px of camera `other`.

        The third coordinate is positive in front of that camera, negative behind it: a direction from its centre,
        which holds all around it. The sky lies infinitely far away.
        """
        h, w = self.depth.shape[1:]
        x, y = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(self.intrinsics[view]).T
        rotation = self.rotation[other] @ self.rotation[view].T
        moved = self.translation[other] - rotation @ self.translation[view]
        # Divided by the depth, so that the sky needs no case of its own.
        points = rays @ rotation.T + moved / self.depth[view, ..., None].astype(np.float64)
        return np.asarray(points @ self.intrinsics[other].T)

    def sees(self, other: int, view: int) -> NDArray[np.bool_]:
        """(h, w): the pixels of picture `view` whose points picture `other` sees, too."""
        return np.asarray(self.seen[view] >> other & 1 > 0)
