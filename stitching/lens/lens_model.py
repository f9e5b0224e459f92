"""What is known of a lens: where its photograph shows the rays of light, and how much of the light arrives."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Points, Size


class LensModel(Protocol):
    """A calibrated lens with the camera behind it; px are those of the upright photograph."""

    @property
    def name(self) -> str:
        """What messages call it: "GoPro HERO4", or the path of a calibration file."""

    @property
    def photograph_size(self) -> Size:
        """(w, h) px of the upright photographs that it is for."""

    @property
    def focal(self) -> float:
        """Px of the photograph per unit of a ray, at the centre."""

    def project(self, rays: Points) -> Points:
        """Rays (..., 2), x / z and y / z, x to the right and y down -> px (..., 2), beyond the photograph, too.

        A formula may fold or be NaN far outside: `Lens` finds out where, and goes no further.
        """

    def light(self, points: Points) -> NDArray[np.float64]:
        """Share 0..1 of the light at photograph px (..., 2), relative to the centre: (...)."""
