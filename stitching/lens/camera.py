"""The camera and the lens that took a photograph, as its metadata names them."""

import math
from dataclasses import dataclass

DIAGONAL_35MM = math.hypot(36, 24)  # mm


@dataclass(frozen=True)
class Camera:
    """What a photograph's metadata says; "" or None where it says nothing.

    Attributes:
        make, model: of the camera.
        lens: name of the lens.
        focal: focal length, mm.
        focal_35mm: focal length of a camera of 36 x 24 mm with the same view, mm.
        aperture: f-number.
        distance: of what is in focus, m.
    """

    make: str = ""
    model: str = ""
    lens: str = ""
    focal: float | None = None
    focal_35mm: float | None = None
    aperture: float | None = None
    distance: float | None = None
