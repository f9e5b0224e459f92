"""The coarse warp: the coarse alignment as a backward map, canvas -> target.

Far outside the overlap a homography stretches; there the coarse warp passes smoothly to a similarity (the idea of
SPHP, Chang et al. 2014, and AANAP, Lin et al. 2015). It is stated for the backward map, which stays finite where
the homography itself runs off to its horizon.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, project, size_variation
from stitching.geometry.pixel_maps import Points, Size, box_outline, even_grid, inside, smoothstep

MIN_SIZE_VARIATION = 1.25  # across the target, from which on a homography is blended with a similarity
MAX_SIMILARITY_SHARE = 0.5  # more would bend straight lines more than it helps
FIT_REACH = 0.1  # of the reference's diagonal, by which a point's weight in the fit of the similarity falls to 1/e
NEWTON_STEPS, MAX_NEWTON_ERROR = 8, 0.1  # target px

Similarity = tuple[complex, complex]  # (a, b): x + iy -> a (x + iy) + b
Bounds = tuple[Points, Points]  # (left, top), (right, bottom)


@dataclass(frozen=True)
class SurfaceWarp:
    """Backward map from the surface to the target: homography in the reference's frame, similarity far from it.

    Attributes:
        surface: where it is defined.
        homography: (3, 3), reference px -> target px.
        similarity: surface px -> target px.
        frame: bounds of the reference, surface px.
        blend_distance: from the frame to where the similarity has its largest share, surface px; 0 = it has none.
    """

    surface: Surface
    homography: Matrix
    similarity: Similarity
    frame: Bounds
    blend_distance: float

    def __call__(self, points: Points) -> Points:
        """(..., 2) surface px -> target px; NaN behind the target camera."""
        by_homography = project(self.homography, self.surface.to_reference(points))
        if self.blend_distance == 0:
            return by_homography
        share = self._similarity_share(points)[..., None]
        blended: Points = (1 - share) * by_homography + share * _apply_similarity(self.similarity, points)
        return blended

    def inverse(self, points: Points) -> Points:
        """(..., 2) target px -> surface px, by Newton's method; NaN where it does not converge."""
        found = self.surface.from_reference(project(np.linalg.inv(self.homography), points))
        for _ in range(NEWTON_STEPS):
            found = self._newton_step(found, points)
        converged = np.linalg.norm(self(found) - points, axis=-1) < MAX_NEWTON_ERROR
        return np.where(converged[..., None], found, np.nan)

    def _newton_step(self, found: Points, points: Points) -> Points:
        """Solve J step = points - self(found), where J has the central differences over 1 px."""
        half_x, half_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])
        by_x, by_y = self(found + half_x) - self(found - half_x), self(found + half_y) - self(found - half_y)
        a, b, c, d = by_x[..., 0], by_y[..., 0], by_x[..., 1], by_y[..., 1]
        error = points - self(found)
        step = np.stack([d * error[..., 0] - b * error[..., 1], a * error[..., 1] - c * error[..., 0]], axis=-1)
        return found + step / (a * d - b * c)[..., None]

    def _similarity_share(self, points: Points) -> Points:
        """(...): 0 in the reference's frame, rising smoothly to its largest value at `blend_distance` from it."""
        low, high = self.frame
        outside = np.maximum(np.maximum(low - points, points - high), 0)
        t = np.minimum(np.hypot(outside[..., 0], outside[..., 1]) / self.blend_distance, 1)
        return MAX_SIMILARITY_SHARE * smoothstep(np.asarray(t, np.float64))


@dataclass(frozen=True)
class CoarseWarp:
    """Backward map from a canvas to the target: the warp of its surface, in canvas px."""

    canvas: Canvas
    on_surface: SurfaceWarp

    def __call__(self, points: Points) -> Points:
        """(..., 2) canvas px -> target px; NaN behind the target camera."""
        return self.on_surface(points + np.asarray(self.canvas.origin, np.float64))

    def inverse(self, points: Points) -> Points:
        """(..., 2) target px -> canvas px; NaN where Newton's method does not converge."""
        return self.on_surface.inverse(points) - np.asarray(self.canvas.origin, np.float64)


def warp_to_surface(surface: Surface, homography: Matrix, reference_size: Size, target_size: Size) -> SurfaceWarp:
    """The backward map of a homography, target px -> reference px; with a similarity where sizes vary on a plane.

    Args:
        surface: what the panorama is painted on.
        homography: (3, 3).
        reference_size, target_size: (w, h), px.
    """
    outline = surface.from_reference(picture_outline(reference_size))
    frame = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    inverse = np.linalg.inv(homography)
    inverse = inverse / abs(inverse[2, 2])  # keeps the sign, which says what is in front of the camera
    unblended = SurfaceWarp(surface, inverse, (1, 0), frame, 0.0)
    similarity = _fit_similarity(unblended, target_size)
    blends = surface.focal is None and size_variation(homography, target_size) >= MIN_SIZE_VARIATION
    blend_distance = _overhang(similarity, frame, target_size) if blends else 0.0
    return SurfaceWarp(surface, inverse, similarity, frame, blend_distance)


def picture_outline(size: Size) -> Points:
    """(n, 2) points along the border of a picture, px."""
    return box_outline((0, 0), (size[0] - 1, size[1] - 1))


def _overhang(similarity: Similarity, frame: Bounds, target_size: Size) -> float:
    """How far the target, placed by a similarity, reaches out of the frame along x or y, surface px."""
    a, b = similarity
    low, high = frame
    placed = _to_points((_to_complex(picture_outline(target_size)) - b) / a)
    return float(max((low - placed).max(), (placed - high).max(), 0.0))


def _fit_similarity(unblended: SurfaceWarp, target_size: Size) -> Similarity:
    """The similarity closest to the homography where the target leaves the reference's frame."""
    low, high = unblended.frame
    points = even_grid(low, high)
    mapped = unblended(points)
    visible = inside(mapped, target_size)
    if visible.sum() < 3:
        return 1, 0
    points, mapped = points[visible], mapped[visible]  # (n, 2)
    edge = box_outline(low, high)
    leaving = edge[inside(unblended(edge), target_size)]
    weight = np.ones(len(points))
    if len(leaving):
        distance = np.sqrt(((points[:, None] - leaving[None]) ** 2).sum(axis=2).min(axis=1))
        weight = np.exp(-distance / (FIT_REACH * np.hypot(*(high - low))))
    return _least_squares_similarity(points, mapped, weight)


def _least_squares_similarity(points: Points, mapped: Points, weight: NDArray[np.float64]) -> Similarity:
    """The similarity (n, 2) -> (n, 2) with the smallest weighted sum of squared errors."""
    z, q = _to_complex(points), _to_complex(mapped)
    z0, q0 = np.average(z, weights=weight), np.average(q, weights=weight)
    a = (weight * (q - q0) * np.conj(z - z0)).sum() / (weight * np.abs(z - z0) ** 2).sum()
    return complex(a), complex(q0 - a * z0)


def _apply_similarity(similarity: Similarity, points: Points) -> Points:
    a, b = similarity
    return _to_points(a * _to_complex(points) + b)


def _to_complex(points: Points) -> NDArray[np.complex128]:
    """(..., 2) -> (...)."""
    result: NDArray[np.complex128] = points[..., 0] + 1j * points[..., 1]
    return result


def _to_points(values: NDArray[np.complex128]) -> Points:
    """(...) -> (..., 2)."""
    return np.stack([values.real, values.imag], axis=-1)
