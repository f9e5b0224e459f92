"""The coarse warp: the coarse alignment as a backward map on the canvas, and the canvas that holds both pictures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse import Alignment
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import Points, Size

FARTHEST = 1.5  # the canvas reaches at most this far out of the reference, in diagonals of the larger picture


LEAST_PLANE_STRETCH = 1.25  # size ratio across the target below which a homography's shapes are natural enough


MOST_PLANE_STRETCH = 2.0  # the same, above which the canvas is a cylinder


SIMILARITY_SHARE = 0.5  # of the similarity at the far end: more would bend straight lines more than it helps


GRID = 48  # samples along the longer side when outlines are traced


@dataclass(frozen=True)
class CoarseWarp:
    """Coarse alignment as a backward map: homography near the reference, similarity far from it.

    Attributes:
        canvas: where it is defined.
        homography: (3, 3), reference px -> target px.
        similarity: (a, b) complex: surface point x + iy -> target point a (x + iy) + b.
        frame: (left, top, right, bottom) of the reference on the surface.
        reach: distance from the frame at which the similarity has its largest share, surface px; 0 = it has none.
    """

    canvas: Canvas
    homography: Matrix
    similarity: tuple[complex, complex]
    frame: tuple[float, float, float, float]
    reach: float

    def __call__(self, points: Points) -> Points:
        """(..., 2) canvas px -> target px; NaN where the target cannot have seen it."""
        return self.on_surface(points + np.asarray(self.canvas.origin, np.float64))

    def on_surface(self, points: Points) -> Points:
        """(..., 2) surface px -> target px."""
        plane = project(self.homography, self.canvas.surface.to_reference(points))
        if self.reach == 0:
            return plane
        a, b = self.similarity
        similar = a * (points[..., 0] + 1j * points[..., 1]) + b
        share = self._similarity_share(points)[..., None]
        far = np.stack([similar.real, similar.imag], axis=-1)
        blended: Points = (1 - share) * plane + share * far
        return blended

    def inverse(self, points: Points) -> Points:
        """(..., 2) target px -> canvas px, by Newton's method; NaN where it does not settle."""
        found = self.canvas.from_reference(project(np.linalg.inv(self.homography), points))
        for _ in range(8):
            step_x, step_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])
            columns = self(found + step_x) - self(found - step_x), self(found + step_y) - self(found - step_y)
            a, b, c, d = columns[0][..., 0], columns[1][..., 0], columns[0][..., 1], columns[1][..., 1]
            error = points - self(found)
            move = np.stack([d * error[..., 0] - b * error[..., 1], a * error[..., 1] - c * error[..., 0]], axis=-1)
            found = found + move / (a * d - b * c)[..., None]
        settled = np.linalg.norm(self(found) - points, axis=-1) < 0.1
        return np.where(settled[..., None], found, np.nan)

    def _similarity_share(self, points: Points) -> Points:
        """0 in the reference's frame, rising smoothly to its largest at `reach` outside of it."""
        left, top, right, bottom = self.frame
        x, y = points[..., 0], points[..., 1]
        dx = np.maximum(np.maximum(left - x, x - right), 0)
        dy = np.maximum(np.maximum(top - y, y - bottom), 0)
        t = np.minimum(np.hypot(dx, dy) / self.reach, 1)
        share: Points = SIMILARITY_SHARE * t * t * (3 - 2 * t)
        return share


def plan_canvas(alignment: Alignment, reference_size: Size, target_size: Size) -> CoarseWarp:
    """Choose the surface, fit the similarity, and bound the canvas so that it holds both pictures.

    Args:
        alignment: coarse alignment in full-size px.
        reference_size, target_size: (w, h), px.

    Returns:
        The coarse warp with its canvas. Whatever the homography, the canvas reaches at most `FARTHEST`
        diagonals out of the reference.
    """
    w, h = reference_size
    centre = ((w - 1) / 2, (h - 1) / 2)
    coarse = _coarse_on(Surface(None, centre), alignment.homography, reference_size, target_size)
    if _plane_stretch(alignment.homography, target_size) > MOST_PLANE_STRETCH:
        focal = focal_length(alignment.homography, reference_size, target_size)
        coarse = _coarse_on(Surface(focal, centre), alignment.homography, reference_size, target_size)
    return coarse


def focal_length(homography: Matrix, reference_size: Size, target_size: Size) -> float:
    """Focal length (px) of the reference camera if the camera only turned; a 60 degree lens where that fails.

    Szeliski & Shum 1997, section 4: the rows of R = K^-1 H K are orthogonal and of equal length.
    """
    default = max(reference_size) / (2 * np.tan(np.deg2rad(30)))
    (rw, rh), (tw, th) = reference_size, target_size
    to_centre = np.array([[1, 0, -(rw - 1) / 2], [0, 1, -(rh - 1) / 2], [0, 0, 1]])
    from_centre = np.array([[1, 0, (tw - 1) / 2], [0, 1, (th - 1) / 2], [0, 0, 1]])
    m = to_centre @ homography @ from_centre
    candidates = []
    for numerator, denominator in (
        (-(m[0, 2] * m[1, 2]), m[0, 0] * m[1, 0] + m[0, 1] * m[1, 1]),
        (m[0, 2] ** 2 - m[1, 2] ** 2, m[1, 0] ** 2 + m[1, 1] ** 2 - m[0, 0] ** 2 - m[0, 1] ** 2),
    ):
        if abs(denominator) > 1e-9 and numerator / denominator > 0:
            candidates.append((abs(denominator), float(np.sqrt(numerator / denominator))))
    focal = max(candidates)[1] if candidates else default
    return float(focal) if 0.4 < focal / max(reference_size) < 5 else default


def _coarse_on(surface: Surface, homography: Matrix, reference_size: Size, target_size: Size) -> CoarseWarp:
    w, h = reference_size
    outline = surface.from_reference(_outline(reference_size))
    left, top = np.floor(outline.min(axis=0)).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int)
    frame = (float(left), float(top), float(right), float(bottom))
    empty = Canvas(surface, (int(left), int(top)), (int(right - left + 1), int(bottom - top + 1)))
    inverse = np.linalg.inv(homography)
    rigid = CoarseWarp(empty, inverse / abs(inverse[2, 2]), (1, 0), frame, 0)  # the sign says what is in front
    similarity = _fit_similarity(rigid, target_size)
    a, b = similarity
    corners = _outline(target_size)
    far = (corners[:, 0] + 1j * corners[:, 1] - b) / a
    reach = max(
        (left - far.real).max(),
        (far.real - right).max(),
        (top - far.imag).max(),
        (far.imag - bottom).max(),
        0.0,
    )
    diagonal = float(np.hypot(w, h))
    if surface.focal is not None or _plane_stretch(homography, target_size) < LEAST_PLANE_STRETCH:
        reach = 0.0
    warp = CoarseWarp(empty, rigid.homography, similarity, frame, float(reach))
    canvas = _bounded_canvas(warp, max(diagonal, abs(1 / a) * float(np.hypot(*target_size))), target_size)
    return CoarseWarp(canvas, rigid.homography, similarity, frame, float(reach))


def _fit_similarity(rigid: CoarseWarp, target_size: Size) -> tuple[complex, complex]:
    """The similarity closest to the homography where the target leaves the reference's frame."""
    left, top, right, bottom = rigid.frame
    grid = _grid(left, top, right, bottom)
    mapped = rigid.on_surface(grid)
    inside = _inside(mapped, target_size)
    if inside.sum() < 3:
        return 1, 0
    edge = _box_outline(left, top, right, bottom)
    leaving = edge[_inside(rigid.on_surface(edge), target_size)]
    points, places = grid[inside], mapped[inside]
    weight = np.ones(len(points))
    if len(leaving):
        distance = np.sqrt(((points[:, None] - leaving[None]) ** 2).sum(axis=2).min(axis=1))
        weight = np.exp(-distance / (0.1 * np.hypot(right - left, bottom - top)))
    z = points[:, 0] + 1j * points[:, 1]
    q = places[:, 0] + 1j * places[:, 1]
    z0, q0 = np.average(z, weights=weight), np.average(q, weights=weight)
    a = (weight * (q - q0) * np.conj(z - z0)).sum() / (weight * np.abs(z - z0) ** 2).sum()
    return complex(a), complex(q0 - a * z0)


def _bounded_canvas(warp: CoarseWarp, diagonal: float, target_size: Size) -> Canvas:
    """Bounding box of the reference's frame and of all surface points that see the target."""
    left, top, right, bottom = warp.frame
    far = FARTHEST * diagonal
    box = left - far, top - far, right + far, bottom + far
    for _ in range(3):  # each round samples the box found by the one before, so its edge gets sharper
        grid = _grid(*box)
        valid = _inside(warp.on_surface(grid), target_size)
        step = (grid[0, 1] - grid[0, 0])[0], (grid[1, 0] - grid[0, 0])[1]
        found = grid[valid] if valid.any() else np.array([[left, top]])
        box = (
            max(box[0], found[:, 0].min() - step[0]), max(box[1], found[:, 1].min() - step[1]),
            min(box[2], found[:, 0].max() + step[0]), min(box[3], found[:, 1].max() + step[1]),
        )  # fmt: skip
    outline = warp.inverse(_outline(target_size)) + np.asarray(warp.canvas.origin)
    if np.isfinite(outline).all():  # known exactly: no empty margin
        (x0, y0), (x1, y1) = outline.min(axis=0) - 1, outline.max(axis=0) + 1
        box = max(box[0], x0), max(box[1], y0), min(box[2], x1), min(box[3], y1)
    x0, y0 = int(np.floor(min(box[0], left))), int(np.floor(min(box[1], top)))
    x1, y1 = int(np.ceil(max(box[2], right))), int(np.ceil(max(box[3], bottom)))
    return Canvas(warp.canvas.surface, (x0, y0), (x1 - x0 + 1, y1 - y0 + 1))


def _plane_stretch(homography: Matrix, target_size: Size) -> float:
    """Ratio of the largest to the smallest magnification (length) over the target, 95th to 5th percentile."""
    w, h = target_size
    grid = _grid(0, 0, w - 1, h - 1)
    depth = grid @ homography[2, :2] + homography[2, 2]
    area = np.abs(np.linalg.det(homography)) / np.maximum(depth, 1e-9) ** 3
    low, high = np.percentile(area, [5, 95])
    return float(np.sqrt(high / max(low, 1e-12)))


def _inside(points: Points, size: Size) -> NDArray[np.bool_]:
    """Which (..., 2) points lie in a picture of the given size; NaN does not."""
    x, y = points[..., 0], points[..., 1]
    result: NDArray[np.bool_] = (x >= -0.5) & (y >= -0.5) & (x <= size[0] - 0.5) & (y <= size[1] - 0.5)
    return result


def _grid(left: float, top: float, right: float, bottom: float) -> Points:
    """(GRID, GRID, 2) points over a box, borders included."""
    x, y = np.meshgrid(np.linspace(left, right, GRID), np.linspace(top, bottom, GRID))
    return np.stack([x, y], axis=-1)


def _box_outline(left: float, top: float, right: float, bottom: float) -> Points:
    grid = _grid(left, top, right, bottom)
    return np.concatenate([grid[0], grid[-1], grid[:, 0], grid[:, -1]])


def _outline(size: Size) -> Points:
    return _box_outline(0, 0, size[0] - 1, size[1] - 1)
