"""How lenses bend rays: from x / z and y / z to where these lie on a film at distance 1.

Sources: OpenCV, module calib3d, "Detailed Description" of the pinhole camera with k1..k6, p1, p2 (Brown 1971; the
rational form is of Claus & Fitzgibbon 2005), and namespace fisheye (Kannala & Brandt 2006). COLMAP's cameras
(Schoenberger & Frahm 2016, colmap.github.io/cameras.html) are the same formulas with fewer coefficients.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stitching.geometry.pixel_maps import Points


class Distortion(Protocol):
    """Where a lens shows rays."""

    def bend(self, rays: Points) -> Points:
        """Rays (..., 2) -> places (..., 2) on a film at distance 1."""


@dataclass(frozen=True)
class BrownDistortion:
    """Radial, of rational form, and tangential: a lens that is nearly perspective. Names are those of OpenCV."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0

    def bend(self, rays: Points) -> Points:
        """x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)."""
        x, y = rays[..., 0], rays[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        radial = radial / (1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6)))
        xy = 2 * x * y
        bent_x = x * radial + self.p1 * xy + self.p2 * (r2 + 2 * x * x)
        bent_y = y * radial + self.p1 * (r2 + 2 * y * y) + self.p2 * xy
        return np.stack([bent_x, bent_y], axis=-1)


@dataclass(frozen=True)
class FisheyeDistortion:
    """A fisheye lens: the angle to the axis becomes the distance from the centre."""

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0

    def bend(self, rays: Points) -> Points:
        """r' = t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8), where t = atan(r)."""
        length = np.hypot(rays[..., 0], rays[..., 1])
        angle = np.arctan(length)
        a2 = angle * angle
        bent = angle * (1 + a2 * (self.k1 + a2 * (self.k2 + a2 * (self.k3 + a2 * self.k4))))
        return rays * (bent / np.maximum(length, 1e-12))[..., None]
