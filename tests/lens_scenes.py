"""A scene far away, photographed through a lens: what each ray shows is known, so a corrected picture is, too."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import pixel_grid
from stitching.lens.calibrated_lens import CalibratedLens
from stitching.lens.distortions import BrownDistortion, Distortion, FisheyeDistortion
from stitching.lens.lens_model import LensModel

SIZE = 320, 240
DISTORTIONS: dict[str, tuple[Distortion, float]] = {  # and the focal length, px
    "none": (BrownDistortion(), 260),
    "barrel": (BrownDistortion(k1=-0.25, k2=0.05), 200),
    "pincushion": (BrownDistortion(k1=0.12), 260),
    "rational": (BrownDistortion(k1=0.5, k2=0.1, p1=0.002, p2=-0.001, k3=0.01, k4=0.8, k5=0.2, k6=0.02), 200),
    "fisheye": (FisheyeDistortion(k1=0.03, k2=-0.01, k3=0.004, k4=-0.001), 180),
}


def lens_named(name: str) -> CalibratedLens:
    """A lens of `DISTORTIONS` for photographs of `SIZE`, its axis beside their centre."""
    distortion, focal = DISTORTIONS[name]
    return CalibratedLens.of(name, SIZE, distortion, (focal, focal * 1.02), (163.0, 117.5))


def scene(rays: NDArray[np.float64], pan: float = 0.0) -> NDArray[np.float64]:
    """(..., 3) BGR, 40 to 215, of rays (..., 2) of a camera that is turned to the right by `pan`, radians."""
    cos, sin = np.cos(pan), np.sin(pan)
    depth = np.maximum(cos - sin * rays[..., 0], 1e-3)
    x, y = (cos * rays[..., 0] + sin) / depth, rays[..., 1] / depth
    waves = [
        np.sin(25 * x + 3 * np.sin(7 * y)) + np.sin(19 * y - 2 * np.cos(5 * x + 1)) + np.sin(43 * (x + y) + k)
        for k in range(3)
    ]
    return 127.5 + 29 * np.stack(waves, axis=-1)


def rays_of(model: LensModel) -> NDArray[np.float64]:
    """(h, w, 2): the ray that each px of the photograph shows, by fixed-point iteration."""
    w, h = model.photograph_size
    places = pixel_grid(h, w).astype(np.float64)
    rays = (places - model.project(np.zeros(2))) / model.focal
    for _ in range(100):
        rays += 0.6 * (places - model.project(rays)) / model.focal
    return rays


def photograph(model: LensModel, pan: float = 0.0) -> NDArray[np.uint8]:
    """(h, w, 3) what the lens shows of the scene, without vignetting."""
    return np.rint(scene(rays_of(model), pan)).astype(np.uint8)


def textured_photograph(model: LensModel, pan: float = 0.0) -> NDArray[np.uint8]:
    """(h, w, 3) what the lens shows of a far wall with features, by a camera that is turned by `pan`, radians."""
    rng, wall = np.random.default_rng(0), np.zeros((1200, 1600, 3), np.float32)
    for cell in (5, 10, 25, 100):
        coarse = rng.normal(size=(1200 // cell, 1600 // cell, 3)).astype(np.float32)
        wall += cv2.resize(coarse, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    wall = np.clip(128 + wall * 25, 0, 255)
    rays, cos, sin = rays_of(model), np.cos(pan), np.sin(pan)
    depth = cos - sin * rays[..., 0]
    places = np.stack([(cos * rays[..., 0] + sin) / depth, rays[..., 1] / depth], axis=-1) * 350 + (800, 600)
    return np.rint(cv2.remap(wall, places.astype(np.float32), None, cv2.INTER_LINEAR)).astype(np.uint8)
