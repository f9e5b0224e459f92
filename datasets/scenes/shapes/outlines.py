"""Random outlines of people, animals, bushes and blobs, and the cut-outs, prisms and leaves made of outlines."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.vectors import cross, unit

_PIXELS = 160  # height of the picture that an outline is drawn in


def person(rng: np.random.Generator) -> Doubles:
    """A standing or walking figure: outline (n, 2), x right and y down in m, feet at y = 0 and 1.55-1.9 m tall."""
    picture = np.zeros((_PIXELS, _PIXELS), np.uint8)
    lean, step = rng.uniform(-5, 5), rng.uniform(3, 24)
    neck, hip = np.array([80 + lean, 34]), np.array([80.0, 84])
    width = rng.uniform(22, 34)
    _ellipse(picture, neck - [0, 19], (9, 12))
    _limb(picture, neck - [0, 12], neck, 9)
    shoulders = [neck + np.array([side * (width / 2 - 4), 4]) for side in (-1, 1)]
    hull = [
        *(s + np.array([np.sign(s[0] - neck[0]) * 4, 0]) for s in shoulders),
        hip + np.array([width * 0.42, 0]),
        hip - [width * 0.42, 0],
    ]
    cv2.fillPoly(picture, [np.array(hull).astype(np.int32)], 255)
    for side, shoulder in zip((-1, 1), shoulders, strict=True):
        elbow = shoulder + np.array([side * rng.uniform(2, 14), 26])
        hand = elbow + np.array([rng.uniform(-14, 14), rng.uniform(12, 26)])
        _limb(picture, shoulder, elbow, 9)
        _limb(picture, elbow, hand, 7)
        knee = hip + np.array([side * (5 + step * 0.35), 34])
        foot = np.array([hip[0] + side * (6 + step * rng.uniform(0.6, 1)), 152])
        _limb(picture, hip + np.array([side * 6, 0]), knee, 13)
        _limb(picture, knee, foot, 10)
        _limb(picture, foot, foot + np.array([rng.uniform(-8, 8), 2]), 8)
    if rng.random() < 0.35:  # a skirt or a coat
        skirt = hip + np.array([[-10, -14], [10, -14], [22, 34], [-22, 34]])
        cv2.fillPoly(picture, [skirt.astype(np.int32)], 255)
    if rng.random() < 0.35:  # a bag
        _ellipse(picture, shoulders[0] + [-10, 30], (10, 14))
    return _outline(picture, rng.uniform(1.55, 1.9))


def animal(rng: np.random.Generator) -> Doubles:
    """A four-legged animal from the side, 0.4-1.5 m tall, as `person`."""
    picture = np.zeros((_PIXELS, _PIXELS + 60), np.uint8)
    length, belly, leg = rng.uniform(40, 56), rng.uniform(17, 28), rng.uniform(38, 62)
    middle = np.array([108.0, 150 - leg - belly * 0.6])
    _ellipse(picture, middle, (length, belly))
    for x in (-0.75, -0.5, 0.55, 0.78):
        top = middle + np.array([x * length, belly * 0.3])
        _limb(picture, top, np.array([top[0] + rng.uniform(-8, 8), 152.0]), rng.uniform(8, 12))
    head = middle + np.array([length + rng.uniform(6, 20), -belly - rng.uniform(6, 30)])
    _limb(picture, middle + np.array([length * 0.7, -4]), head, rng.uniform(14, 22))
    _ellipse(picture, head + np.array([8, 2]), (rng.uniform(13, 20), 10))
    _limb(picture, head + np.array([-4, -6]), head + np.array([-8, -20]), 6)
    _limb(picture, middle - [length, 6], middle + np.array([-length - 18, rng.uniform(-20, 24)]), 6)
    return _outline(picture, rng.uniform(0.4, 1.5))


def bush(rng: np.random.Generator, n: int = 40) -> Doubles:
    """A ragged heap of leaves of n corners, about 1 m tall and 0.8-2.2 m wide, as `person`."""
    angle = np.linspace(-0.12 * np.pi, 1.12 * np.pi, n)
    radius = 1 + 0.12 * np.cumsum(rng.normal(size=n)) / 3 + rng.uniform(-0.09, 0.09, n)
    points = np.stack((np.cos(angle) * radius * rng.uniform(0.4, 1.1), -np.sin(angle) * radius), axis=1)
    return np.asarray(points - [0, points[:, 1].max()], np.float64)


def blob(rng: np.random.Generator) -> Doubles:
    """A smooth closed shape, about 1 m tall, as `person`."""
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    waves = np.arange(1, 6)
    height = rng.normal(size=5) * 0.28 / waves
    radius = np.exp((np.sin(angle[:, None] * waves + rng.random(5) * 6.28) * height).sum(axis=1))
    points = np.stack((np.cos(angle), np.sin(angle)), axis=1) * radius[:, None] * 0.5
    return np.asarray(points - [0, points[:, 1].max()], np.float64)


def _ellipse(picture: NDArray[np.uint8], centre: ArrayLike, axes: tuple[float, float]) -> None:
    x, y = np.round(np.asarray(centre, np.float64))
    cv2.ellipse(picture, (int(x), int(y)), (int(axes[0]), int(axes[1])), 0, 0, 360, 255, -1)


def _limb(picture: NDArray[np.uint8], start: ArrayLike, end: ArrayLike, thickness: float) -> None:
    x0, y0 = np.round(np.asarray(start, np.float64))
    x1, y1 = np.round(np.asarray(end, np.float64))
    cv2.line(picture, (int(x0), int(y0)), (int(x1), int(y1)), 255, int(thickness))


def _outline(picture: NDArray[np.uint8], height: float) -> Doubles:
    """The longest outline in a picture, scaled to `height` m, lowest point at y = 0, middle at x = 0."""
    contours, _ = cv2.findContours(picture, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=len)
    line = cv2.approxPolyDP(longest, 1.2, True)[:, 0].astype(np.float64)
    lowest, highest = line.min(axis=0), line.max(axis=0)
    return np.asarray((line - [(lowest[0] + highest[0]) / 2, highest[1]]) * (height / (highest[1] - lowest[1])))


def triangulated(outline: Doubles) -> NDArray[np.int_]:
    """Triangles (n - 2 or so, 3), indices into a simple polygon (n, 2); clockwise on the page (x right, y down)."""
    after = np.roll(outline, -1, axis=0)
    turning = outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]
    left = np.arange(len(outline))[:: 1 if turning.sum() > 0 else -1]
    found: list[NDArray[np.int_]] = []
    while len(left) > 3:
        ears = _ears(outline[left])
        if not len(ears):  # numerically no ear: the rest is thinner than rounding
            break
        found.append(np.stack((left[ears - 1], left[ears], left[(ears + 1) % len(left)]), axis=1))
        left = np.delete(left, ears)
    if len(left) == 3:
        found.append(left[None])
    return np.concatenate(found)


def _ears(line: Doubles) -> NDArray[np.int_]:
    """Corners of a polygon (n, 2) that can be cut off together: convex, no other corner inside, no two neighbours."""
    before, after = np.roll(line, 1, axis=0), np.roll(line, -1, axis=0)
    area = _doubled(before, line, after)
    n = len(line)
    corners = np.nonzero(area > 1e-12)[0]
    a, b, c = before[corners, None], line[corners, None], after[corners, None]
    p = line[None, area <= 1e-12] if (area <= 1e-12).any() else line[None, :0]
    inside = (_doubled(a, b, p) >= 0) & (_doubled(b, c, p) >= 0) & (_doubled(c, a, p) >= 0)
    inside &= ((p != a) & (p != c)).any(axis=2) & (p != a).any(axis=2) & (p != c).any(axis=2)
    free = corners[~inside.any(axis=1)]
    chosen: list[int] = []
    for ear in free.tolist():
        apart = not chosen or ear - chosen[-1] > 1
        if apart and not (chosen and chosen[0] == 0 and ear == n - 1) and n - len(chosen) > 3:
            chosen.append(ear)
    return np.array(chosen, int)


def _doubled(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """Twice the signed area of triangles (..., 2), positive where clockwise on the page."""
    u, v = b - a, c - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def cutouts(
    mesh: MeshBuilder, outlines: list[Doubles], at: ArrayLike, turn: NDArray[np.floating], paint: Paint, kind: Kind
) -> None:
    """Stand thin cards of the shapes `outlines` up at `at` (k, 3), turned by (k, 3, 3); unturned ones look to -z."""
    positions, frames = np.asarray(at, np.float64).reshape(-1, 3), np.broadcast_to(turn, (len(outlines), 3, 3))
    faces = {id(outline): triangulated(outline)[:, ::-1] for outline in outlines}  # equal shapes only once
    for row, (outline, position, frame) in enumerate(zip(outlines, positions, frames, strict=True)):
        cut = faces[id(outline)]
        corners = (outline @ frame[:, :2].T + position)[cut]
        normals = np.broadcast_to(-frame[:, 2], corners.shape)
        of = paint.of(np.full(len(cut), row, np.int32))
        mesh.add(corners, normals, _laid(outline, mesh.rng)[cut], of, kind, mesh.new_surfaces(1))


def _laid(outline: Doubles, rng: np.random.Generator) -> Doubles:
    """Texture coordinates (n, 2) of an outline, undistorted, within one copy of the texture."""
    lowest, extent = outline.min(axis=0), np.ptp(outline, axis=0)
    share = rng.uniform(0.5, 1.0) / extent.max()
    return np.asarray((outline - lowest) * share + rng.random(2) * (1 - extent * share))


def prisms(
    mesh: MeshBuilder,
    outline: Doubles,
    at: ArrayLike,
    depth: ArrayLike,
    turn: NDArray[np.floating],
    sides: Paint,
    front: Paint,
    kind: Kind,
) -> None:
    """k equal bodies: `outline` (n, 2) at `at` (k, 3), extruded by `depth` (k,) along z, then turned.

    Half of the depth lies before `at`. sides covers the rim, front both ends: 1 or k rows each.
    """
    at = np.asarray(at, np.float64).reshape(-1, 3)
    k, n = len(at), len(outline)
    frame = np.broadcast_to(turn, (k, 3, 3))
    half = np.broadcast_to(np.asarray(depth, np.float64), (k,))[:, None] / 2
    flat = np.broadcast_to(np.concatenate((outline, np.zeros((n, 1))), axis=1), (k, n, 3))
    ends = np.stack([flat + half[..., None] * [0, 0, side] for side in (-1, 1)], axis=1)  # (k, 2, n, 3)
    ends = np.einsum("kij,kenj->keni", frame, ends) + at[:, None, None]
    surface = mesh.new_surfaces(k)
    faces = triangulated(outline)
    extent = np.ptp(outline, axis=0).max()
    for side, sign in enumerate((-1, 1)):
        corners = ends[:, side][:, faces[:, ::sign]]
        normals = np.broadcast_to(sign * frame[:, None, None, :, 2], corners.shape)
        uv = np.broadcast_to(
            _laid(outline, mesh.rng)[faces[:, ::sign]] * max(1.0, extent / front.metres[0]), (k, *faces.shape, 2)
        )
        rows = np.repeat(np.arange(k, dtype=np.int32), len(faces))
        mesh.add(corners, normals, uv, front.of(rows), kind, surface[rows])
    order = np.arange(n)[:: -1 if _clockwise(outline) else 1]
    near, far = ends[:, 0][:, order], ends[:, 1][:, order]
    following = np.roll(near, -1, axis=1)
    rows = np.repeat(np.arange(k, dtype=np.int32), n)
    panels(
        mesh, near.reshape(-1, 3), (following - near).reshape(-1, 3), (far - near).reshape(-1, 3),
        sides.of(rows), kind, surface=surface[rows], edges=False,
    )  # fmt: skip
    mesh.add_segments(np.stack((ends, np.roll(ends, -1, axis=2)), axis=3))


def _clockwise(outline: Doubles) -> bool:
    after = np.roll(outline, -1, axis=0)
    return bool((outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum() > 0)


def bent_blades(
    mesh: MeshBuilder, root: ArrayLike, tips: Doubles, width: float, paint: Paint, kind: Kind, sag: float = 0.3
) -> None:
    """k long leaves from one `root` (3,) to `tips` (k, 3), each two pieces that hang by `sag` of their length."""
    start = np.asarray(root, np.float64)
    along = tips - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    side = unit(cross(along, np.broadcast_to([0.0, 1.0, 0.0], along.shape)))
    middle = start + along * 0.55 - np.array([0, 1, 0]) * length * sag
    ends = (start + 0 * along, middle, tips)
    half = [side * width * share for share in (0.15, 0.5, 0.02)]
    surface = mesh.new_surfaces(1)
    for first, last, a, b in ((ends[0], ends[1], half[0], half[1]), (ends[1], ends[2], half[1], half[2])):
        corners = np.stack((first - a, first + a, last + b, first - a, last + b, last - b), axis=1).reshape(-1, 3, 3)
        flat = unit(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        flat = np.where(flat[:, 1:2] > 0, -flat, flat)
        normals = np.broadcast_to(flat[:, None], corners.shape)
        uv = np.broadcast_to(np.array([[[0, 0], [0.3, 0], [0.3, 1]], [[0, 0], [0.3, 1], [0, 1]]]), (len(tips), 2, 3, 2))
        rows = np.repeat(np.arange(len(tips), dtype=np.int32), 2)
        mesh.add(corners, normals, uv, paint.of(rows), kind, surface)
