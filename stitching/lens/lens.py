"""A lens in front of a perspective picture: how the corrected picture lies in the photograph.

The corrected picture is what a lens without distortion shows: perspective, as fine as the photograph in its centre, and
as large as what the photograph shows. It is never made at full size: a map into it is composed with `to_photograph`,
and the photograph is sampled once.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import require
from stitching.geometry.pixel_maps import Coordinates, Grey, Size, box_outline, inside
from stitching.lens.lens_model import LensModel

WIDEST = math.tan(math.radians(60))  # of the corrected picture, to each side: a plane shows more of less
MAX_ENLARGEMENT = 4.0  # of the corrected picture's sides against the photograph's
LIGHT_STEP = 16  # px of the photograph between the values of `gains`
LEAST_LIGHT = 0.2  # darker corners are not brightened further: their noise would be seen
GAMMA = 2.2  # of the pixels' values, as of sRGB and Adobe RGB, nearly: light is corrected, not values
_DIRECTIONS, _RADII = 720, 512  # in which, and at how many places, a lens is looked at
_CHUNK = 200_000  # coordinates that are mapped at once
_UNSEEN = 1e-4  # of the photograph: the tips of its corners, between two directions
_MARGIN = 2.0  # px of the photograph beside its outline that count as shown


@dataclass(frozen=True, eq=False)
class Lens:
    """A lens model and the picture without its distortion.

    Attributes:
        model: of the lens.
        size: (w, h) px of the corrected picture.
        centre: (x, y) of the ray (0, 0) in the corrected picture, px.
        reach: length of the longest ray up to which the model is unique; beyond it the map goes on straight.
    """

    model: LensModel
    size: Size
    centre: tuple[float, float]
    reach: float

    @classmethod
    def of(cls, model: LensModel) -> "Lens":
        """Take a model; InputError where it shows nothing, or maps photographs to pictures out of all proportion."""
        reach = _unique_reach(model)
        bounds = _shown_bounds(model, reach)  # of rays: left, top, right, bottom
        focal = model.focal
        w, h = (max(1, round(float(length) * focal)) for length in bounds[2:] - bounds[:2])
        largest = MAX_ENLARGEMENT * max(model.photograph_size)
        require(
            min(w, h) >= 32 and max(w, h) <= largest,
            f"{model.name}: a lens whose corrected picture has {w} x {h} px",
            f"32 to {largest:.0f} px a side for photographs of {model.photograph_size}; check its coefficients",
        )
        x, y = (-0.5 - float(start) * focal for start in bounds[:2])
        return cls(model, (w, h), (x, y), reach)

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    @property
    def focal(self) -> float:
        """Of the corrected picture, px: that of the photograph at its centre."""
        return self.model.focal

    def to_photograph(self, points: Coordinates) -> Coordinates:
        """Points (..., 2) of the corrected picture, and beyond it, in px of the photograph; NaN only where they are."""
        if points.size > _CHUNK and len(points) > 1:  # so that little of it is in memory with all its digits
            return np.concatenate(
                [self.to_photograph(part) for part in np.array_split(points, -(-points.size // _CHUNK))]
            )
        rays = (points.astype(np.float64) - self.centre) / self.focal
        length = np.hypot(rays[..., 0], rays[..., 1])
        if not (length > self.reach).any():
            return self.model.project(rays).astype(points.dtype)
        known = rays * np.minimum(1.0, self.reach / np.maximum(length, 1e-9))[..., None]
        return (self.model.project(known) + (rays - known) * self.focal).astype(points.dtype)

    @cached_property
    def gains(self) -> NDArray[np.float32] | None:
        """(rows, columns): what the values of pixels are multiplied with against vignetting; None = nothing.

        Value (i, j) is for the photograph's px (j, i) * `LIGHT_STEP`. Of values v = light^(1 / GAMMA).
        """
        w, h = self.model.photograph_size
        x, y = (np.arange(0.0, length + LIGHT_STEP, LIGHT_STEP) for length in (w, h))
        light = self.model.light(np.stack(np.meshgrid(x, y), axis=-1))
        if np.abs(light - 1).max() < 1e-3:
            return None
        return (np.clip(light, LEAST_LIGHT, None) ** (-1 / GAMMA)).astype(np.float32)

    def shown_mask(self) -> Grey | None:
        """(h, w) of the photograph, 255 where the corrected picture shows it, else 0; None where it shows all of it.

        Px that it shows a part of have the share in between: at its rims they are stretched to many.

        What lies outside is seen more than 60 degrees from the axis, or does not lie in the lens's image circle.
        """
        w, h = self.size
        frame = (box_outline((-0.5, -0.5), (w - 0.5, h - 0.5)) - self.centre) / self.focal  # (n, 2) rays
        frame *= np.minimum(1.0, self.reach / np.hypot(frame[:, 0], frame[:, 1]))[:, None]
        outline = self.model.project(frame[np.argsort(np.arctan2(frame[:, 1], frame[:, 0]), kind="stable")])
        outward = outline - self.model.project(np.zeros((1, 2)))
        outline += _MARGIN * outward / np.maximum(np.linalg.norm(outward, axis=1), 1e-9)[:, None]
        width, height = self.model.photograph_size
        mask = np.zeros((height, width), np.uint8)
        shift = 4  # bits behind the point
        fixed = np.rint(outline.clip(-width - height, 2 * (width + height)) * (1 << shift)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, shift)
        return mask if (mask < 255).mean() > _UNSEEN else None


def _unique_reach(model: LensModel) -> float:
    """The longest ray up to which rays farther from the axis lie farther from it in the photograph, too."""
    angles = np.linspace(0, 2 * math.pi, _DIRECTIONS, endpoint=False)[:: _DIRECTIONS // 36]
    lengths = np.linspace(0, math.sqrt(2) * WIDEST, _RADII)
    rays = lengths[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (radii, directions, 2)
    with np.errstate(all="ignore"):
        points = model.project(rays)
        distance = np.linalg.norm(points - points[0, 0], axis=-1)
        grows = (np.diff(distance, axis=0) > 0).all(axis=1)  # false for NaN, too
    return float(lengths[-1] if grows.all() else lengths[grows.argmin()])


def _shown_bounds(model: LensModel, reach: float) -> NDArray[np.float64]:
    """Left, top, right and bottom of the rays that the photograph shows, at most `WIDEST` from the axis."""
    require(
        reach > 0 and bool(inside(model.project(np.zeros((1, 2))), model.photograph_size).all()),
        f"{model.name}: a lens whose axis does not lie in the photograph of {model.photograph_size} px",
        "a centre (cx, cy) inside of it, and distortion that grows from there",
    )
    angles = np.linspace(0, 2 * math.pi, _DIRECTIONS, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # (n, 2)
    shown, beyond = np.zeros(_DIRECTIONS), np.full(_DIRECTIONS, reach)
    for _ in range(40):  # halves the interval in which a ray leaves the photograph
        middle = (shown + beyond) / 2
        within = inside(model.project(directions * middle[:, None]), model.photograph_size)
        shown, beyond = np.where(within, middle, shown), np.where(within, beyond, middle)
    rays = directions * beyond[:, None]
    return np.concatenate([rays.min(axis=0), rays.max(axis=0)]).clip(-WIDEST, WIDEST)
