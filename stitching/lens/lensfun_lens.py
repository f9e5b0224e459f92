"""Lenses out of lensfun's collection of measured lenses (package lensfunpy): distortion, projection and vignetting.

lensfun's own `Modifier` says where an ideal picture's points are in the photograph. Its corrections are all round, and
the centre is the photograph's, so one row of it, from the centre outwards, is the whole lens. Colour fringes
(transverse chromatic aberration) are left.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Points, Size
from stitching.lens.camera import DIAGONAL_35MM, Camera

WIDEST_ANGLE, SAMPLES = math.radians(84), 2000  # of a ray to the axis; of angles up to there
UNKNOWN_DISTANCE = 1000.0  # m; lensfun's own for "far"
SAME_ASPECT = 0.02  # by so much a photograph's aspect may differ from its sensor's without being a part of it


@dataclass(frozen=True, eq=False)
class LensfunLens:
    """A lens of lensfun's at one focal length, behind it a camera; see `LensModel`.

    Attributes:
        name: lensfun's.
        photograph_size: (w, h), px.
        unit: px of the ideal picture per unit of a ray.
        radii, places: (n,), distances from the centre of the ideal picture and of the photograph, px, rising from 0.
        falloff: k1, k2, k3 of the light 1 + k1 r^2 + k2 r^4 + k3 r^6; zeros where it is not known.
        corner: distance from the centre where r = 1, px.
    """

    name: str
    photograph_size: Size
    unit: float
    radii: NDArray[np.float64]
    places: NDArray[np.float64]
    falloff: tuple[float, float, float]
    corner: float

    @property
    def focal(self) -> float:
        """Px of the photograph per unit of a ray, at the centre."""
        return self.unit * float(self.places[1] / self.radii[1])

    def project(self, rays: Points) -> Points:
        """Rays (..., 2) -> px of the photograph (..., 2); NaN beyond 84 degrees and where the lens turns back."""
        ideal = np.linalg.norm(rays, axis=-1) * self.unit
        places = np.interp(ideal, self.radii, self.places, right=np.nan)
        least = self.radii[1]  # px; up to there the scale is the same
        scale = np.where(ideal > least, places / np.maximum(ideal, least), self.places[1] / least) * self.unit
        return np.asarray(rays * scale[..., None] + self._centre)

    def light(self, points: Points) -> NDArray[np.float64]:
        """Share of the light at px of the photograph (..., 2) -> (...); linear, not of the sRGB values."""
        squared = ((points - self._centre) ** 2).sum(axis=-1) / self.corner**2
        k1, k2, k3 = self.falloff
        return np.asarray(np.clip(1 + squared * (k1 + squared * (k2 + squared * k3)), 0.0, 1.0))

    @property
    def _centre(self) -> NDArray[np.float64]:
        return (np.asarray(self.photograph_size, np.float64) - 1) / 2


def lensfun_lens(lens: Any, name: str, crop: float, camera: Camera, focal: float, size: Size) -> LensfunLens:
    """What lensfun knows of a lens, at the settings of one photograph.

    Args:
        lens: `lensfunpy.Lens`.
        name: what messages call it.
        crop: the camera's crop factor: how often its sensor's diagonal goes into that of 36 x 24 mm.
        camera: aperture and distance of the photograph; vignetting is known only with the aperture.
        focal: mm.
        size: (w, h) of the upright photograph, px. One cropped to another aspect than the sensor's is taken for the
            middle of it, a turned one for turned.
    """
    import lensfunpy

    sensor = _sensor_size(size, crop)
    diagonal = math.hypot(sensor[0] - 1, sensor[1] - 1)  # lensfun counts from centre to centre of the pixels
    unit = focal * crop / DIAGONAL_35MM * diagonal
    modifier = lensfunpy.Modifier(lens, crop, *sensor)
    flags = lensfunpy.ModifyFlags
    modifier.initialize(
        focal,
        camera.aperture or 0.0,
        camera.distance or UNKNOWN_DISTANCE,
        scale=1.0,
        targeom=lensfunpy.LensType.RECTILINEAR,
        flags=flags.DISTORTION | flags.GEOMETRY,
    )
    radii = unit * np.tan(np.linspace(0, WIDEST_ANGLE, SAMPLES))
    places = _places(modifier, sensor, radii)
    falloff = _falloff(lens, focal, camera)
    return LensfunLens(name, size, unit, radii[: len(places)], places, falloff, diagonal / 2 * crop / lens.crop_factor)


def _places(modifier: Any, sensor: Size, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the photograph's centre, px, of what is `radii` (n,) px from the ideal picture's; rising."""
    x, y = (sensor[0] - 1) / 2, (sensor[1] - 1) / 2
    # Point by point: of several points in a row lensfun's vector instructions are 0.1 to 0.4 px wrong at 12 Mpx.
    found = [modifier.apply_geometry_distortion(x + radius, y, 1, 1) for radius in radii]
    if found[0] is None:  # neither distortion nor another projection
        return radii
    places = np.array([one[0, 0, 0] for one in found], np.float64) - x
    backward = np.flatnonzero(~(np.diff(places) > 0))  # where a polynomial turns back
    return places[: backward[0] + 1] if len(backward) else places


def _falloff(lens: Any, focal: float, camera: Camera) -> tuple[float, float, float]:
    """Coefficients of the light that arrives; zeros where lensfun does not know them."""
    if camera.aperture is None:
        return 0.0, 0.0, 0.0
    from lensfunpy import VignettingModel

    found = lens.interpolate_vignetting(focal, camera.aperture, camera.distance or UNKNOWN_DISTANCE)
    if found is None or found.model != VignettingModel.PA:
        return 0.0, 0.0, 0.0
    k1, k2, k3 = found.terms[:3]
    return float(k1), float(k2), float(k3)


def _sensor_size(size: Size, crop: float) -> Size:
    """The picture (w, h) of the whole sensor, px, that a photograph is the middle of."""
    long, short = max(size), min(size)
    # 36 x 24, APS-C, and 1 inch are 3:2; Micro 4/3, compact cameras and phones 4:3.
    native = 4 / 3 if 1.9 < crop < 2.6 or crop > 2.8 else 3 / 2
    aspect = long / short
    if aspect > native * (1 + SAME_ASPECT):
        short = round(long / native)
    elif aspect < native / (1 + SAME_ASPECT):
        long = round(short * native)
    return (long, short) if size[0] >= size[1] else (short, long)
