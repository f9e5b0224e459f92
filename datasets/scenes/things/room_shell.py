"""The shell of a room: its plan, walls with windows, floor, ceiling, and the view outside."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, lattice, level_ground, panels, wall
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.openings import reveals
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.things import furniture

_WALLS = ("plaster", "plaster", "concrete", "brick", "wood", "tiles", "photo", "stripes", "fabric")
_ACCENTS = ("photo", "plaster", "brick", "wood", "stripes")


@dataclass(frozen=True, eq=False)
class Side:
    """One wall: from `start` to `end` (2,) in x, z, with the room on the side of its viewer."""

    start: Doubles
    end: Doubles

    @property
    def length(self) -> float:
        """Length, m."""
        return float(np.hypot(*(self.end - self.start)))

    def spot(self, along: float) -> Spot:
        """On the floor, `along` m to the right of the left end, facing the room."""
        step = (self.end - self.start) / self.length
        x, z = self.start + step * along
        return Spot.facing((x, 0.0, z), float(np.arctan2(-step[1], step[0])))


def plan(rng: np.random.Generator) -> list[Side]:
    """The walls, from the left wall's near end through the back to the near wall: a rectangle, cut or slanted."""
    width, depth = rng.uniform(3.4, 7.5), rng.uniform(4.0, 8.5)
    left, right = -width / 2, width / 2
    back_left, back_right = depth, depth
    style = rng.random()
    if style < 0.25:  # a slanted back wall
        back_left, back_right = depth - rng.uniform(0, 1.2), depth - rng.uniform(0, 1.2)
    behind = -rng.uniform(1.2, 2.0)  # the near wall, well behind the camera
    corners = [(left, behind), (left, back_left), (right, back_right), (right, behind)]
    cut, deep = rng.uniform(0.25, 0.45) * width, rng.uniform(0.25, 0.45) * depth
    if 0.25 < style < 0.45:  # an L: the right back corner is taken out
        corners[2:3] = [(right - cut, depth), (right - cut, depth - deep), (right, depth - deep)]
    elif 0.45 < style < 0.6:  # a bevelled corner
        corners[2:3] = [(right - cut, depth), (right, depth - deep)]
    elif 0.6 < style < 0.7:  # an alcove in the back
        corners[2:2] = [
            (x, depth + z) for x, z in ((left + cut, 0), (left + cut, 0.8), (right - cut, 0.8), (right - cut, 0))
        ]
    if rng.random() < 0.5:
        corners = [(-x, z) for x, z in corners[::-1]]
    ring = np.array(corners)
    return [Side(a, b) for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True)]


def window_side(sides: list[Side]) -> Side:
    """The wall for windows: the longest that the camera sees, of the first three of the ring."""
    return max(sides[:-1], key=lambda side: side.length)


def enclose(
    mesh: MeshBuilder,
    palette: Palette,
    sides: list[Side],
    height: float,
    lowest: Doubles,
    highest: Doubles,
    sunny: bool,
) -> None:
    """Floor, ceiling, walls with windows and doors, skirting boards."""
    rng = mesh.rng
    _slab(mesh, palette, lowest, highest, height)
    common = palette.paint(*_WALLS, colour=0.35, bright=1.1)
    if common.is_photo:
        common = common.scaled(2.0)
    skirting = palette.paint("wood", "plaster", colour=0.3) if rng.random() < 0.75 else None
    windows = window_side(sides)
    for side in sides:
        accent = rng.random() < 0.25
        paint = palette.paint(*_ACCENTS, colour=0.6, metres=3.0) if accent else common
        openings = _openings(rng, side, height) if side is windows else np.zeros((0, 4))
        _upright(mesh, palette, side, height, openings, paint, sunny and side is windows)
        if skirting is not None:
            middle = side.spot(side.length / 2)
            size = (side.length - 0.03, 0.09, 0.014)
            boxes(mesh, middle.world([0, 0, -0.012]), size, skirting, Kind.WALL, turn=middle.frame, faces=(0, 4))


def _slab(mesh: MeshBuilder, palette: Palette, lowest: Doubles, highest: Doubles, height: float) -> None:
    """Floor and ceiling, wider than the room so that its walls stand on them."""
    rng = mesh.rng
    corner, size = lowest - 0.05, highest - lowest + 0.1
    cells = (int(size[0] / 0.55) + 1, int(size[1] / 0.55) + 1)
    floor = palette.paint("wood", "wood", "tiles", "carpet", "concrete", "photo", "checker", colour=0.25, bright=0.9)
    level_ground(mesh, (corner[0], 0, corner[1] + size[1]), size[0], size[1], floor, cells)
    ceiling = palette.paint("plaster", "plaster", "wood", "concrete", colour=0.1, bright=1.25)
    cells = (int(size[0] / 0.9) + 1, int(size[1] / 0.9) + 1)
    top_left = (corner[0], -height, corner[1])
    across = (size[0], 0, 0)
    panels(mesh, top_left, across, (0, 0, size[1]), ceiling, Kind.CEILING, cells=cells, edges=False, casts_shadow=False)
    if rng.random() < 0.3:  # beams
        z = np.arange(corner[1] + 0.8, corner[1] + size[1], rng.uniform(0.8, 1.6))
        position = np.stack((np.full_like(z, corner[0] + size[0] / 2), np.full_like(z, -height + 0.16), z), axis=1)
        beam = palette.paint("wood", "concrete", bright=0.7)
        boxes(mesh, position, (size[0], 0.16, 0.14), beam, Kind.CEILING, faces=(0, 1, 5), casts_shadow=False)


def _openings(rng: np.random.Generator, side: Side, height: float) -> Doubles:
    """(k, 4) windows side by side: left, right, sill, head, in m from the left end and from the floor."""
    k = max(1, int(side.length / rng.uniform(1.4, 2.6)))
    if side.length < 1.6:
        return np.zeros((0, 4))
    pitch = side.length / k
    wide = pitch * rng.uniform(0.5, 0.75)
    sill, head = rng.choice([0.1, 0.85, 0.95]), height - rng.uniform(0.25, 0.7)
    left = (np.arange(k) + 0.5) * pitch - wide / 2
    return np.stack((left, left + wide, np.full(k, sill), np.full(k, head)), axis=1)


def _upright(
    mesh: MeshBuilder, palette: Palette, side: Side, height: float, openings: Doubles, paint: Paint, casts_shadow: bool
) -> None:
    """A wall with its openings, in pieces of about 1 m."""
    start, end = side.spot(0), side.spot(side.length)
    edges = np.concatenate(([0.0], openings[:, :2].reshape(-1), [side.length]))
    columns = np.concatenate([np.linspace(a, b, max(1, round((b - a) / 0.9)) + 1)[:-1] for a, b in pairwise(edges)])
    columns = np.append(columns, side.length)
    levels = [0.0, height * 0.35, height * 0.7, height]
    if len(openings):
        levels = [
            0.0,
            height - openings[0, 3],
            (height - openings[0, 3] + height - openings[0, 2]) / 2,
            height - openings[0, 2],
            height,
        ]
    middle = (columns[:-1] + columns[1:]) / 2
    open_columns = ((middle[:, None] > openings[:, 0]) & (middle[:, None] < openings[:, 1])).any(axis=1)
    holes = np.zeros((len(levels) - 1, len(columns) - 1), bool)
    if len(openings):
        holes[1:3] = open_columns
    corner = start.world([0, -height, 0])
    wall(mesh, corner, end.at - start.at, height, columns, levels, holes, paint, Kind.WALL, casts_shadow=casts_shadow)
    if len(openings):
        _windows(mesh, palette, side, openings)


def _windows(mesh: MeshBuilder, palette: Palette, side: Side, openings: Doubles) -> None:
    """Reveals, frames, sills, a view behind and something in front of the windows of a wall."""
    rng = mesh.rng
    spot = side.spot(0)
    deep, bar = rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.08)
    wide, tall = openings[0, 1] - openings[0, 0], openings[0, 3] - openings[0, 2]
    k = len(openings)
    corner = np.stack((openings[:, 0], -openings[:, 3], np.zeros(k)), axis=1)
    reveal = palette.paint("plaster", colour=0.1, bright=1.1)
    size = (float(wide), float(tall), deep)
    reveals(mesh, spot, corner, size, reveal, Kind.WALL, mesh.new_surfaces(k), casts_shadow=False)
    edge = bar / 2 + 0.004  # free of the reveals
    bars_x = np.linspace(edge, wide - edge, int(rng.integers(2, 4)))
    bars_y = np.linspace(edge, tall - edge, int(rng.integers(2, 5)))
    starts = [(x, 0.002, deep * 0.7) for x in bars_x] + [(bar, y, deep * 0.7) for y in bars_y]
    ends = [(x, tall - 0.002, deep * 0.7) for x in bars_x] + [(wide - bar, y, deep * 0.7) for y in bars_y]
    frame = palette.paint("plaster", "wood", "metal", colour=0.3, bright=1.0)
    first, last = ((corner[:, None] + np.array(end)).reshape(-1, 3) for end in (starts, ends))
    of = np.repeat(mesh.new_surfaces(k), len(starts))
    bars(mesh, spot.world(first), spot.world(last), bar, frame, Kind.WALL, surface=of)
    _outside(mesh, palette, side, openings)
    _dressing(mesh, palette, spot, openings)


def _outside(mesh: MeshBuilder, palette: Palette, side: Side, openings: Doubles) -> None:
    """A bright picture of the world some way behind the windows."""
    away = mesh.rng.uniform(1.5, 9.0)
    middle = side.spot(side.length / 2)
    wide, tall = side.length + 2.2 * away, 3.0 + 1.6 * away
    photo = palette.paint("photo", metres=wide, colour=0.05, bright=1.5)
    corner = middle.world([-wide / 2, -tall * 0.7, away])
    across = middle.frame @ [wide, 0, 0]
    panels(mesh, corner, across, [0, tall, 0], photo, Kind.BUILDING, fit=True, edges=False, casts_shadow=False)


def _dressing(mesh: MeshBuilder, palette: Palette, spot: Spot, openings: Doubles) -> None:
    """Blinds, curtains or radiators at the windows, or nothing."""
    rng = mesh.rng
    style = rng.random()
    for left, right, sill, head in openings:
        middle = (left + right) / 2
        if style < 0.2:  # blinds, partly drawn
            low = head - (head - sill) * rng.uniform(0.3, 1.0)
            y = np.arange(low, head, 0.07)
            slats = np.stack((np.full_like(y, middle), -y, np.full_like(y, -0.04)), axis=1)
            surface = mesh.new_surfaces(1)
            paint = palette.paint("plaster", "wood", "metal", colour=0.3)
            size = (right - left, 0.006, 0.045)
            boxes(mesh, slats, size, paint, Kind.WALL, spot=spot, surface=surface, faces=CLOSED, edges=False)
        elif style < 0.5:
            cloth = palette.paint("fabric", "photo", "stripes", colour=0.7)
            for x in (left - 0.05, right + 0.05):
                _curtain(mesh, spot, x, head + 0.12, rng.uniform(0.25, 0.5), cloth)
        elif style < 0.75 and sill > 0.7:
            furniture.radiator(mesh, palette, Spot(spot.world([middle, 0, -0.02]), spot.frame), (right - left) * 0.9)


def _curtain(mesh: MeshBuilder, spot: Spot, x: float, top: float, wide: float, cloth: Paint) -> None:
    """A curtain in folds from `top` m to just above the floor, around local x."""
    u = np.linspace(0, 1, 15)
    v = np.array([0, 0.5, 1.0])[:, None]
    depth = -0.1 + 0.045 * np.sin(u * 22 + 1) * (0.6 + 0.4 * v)
    local = np.stack(np.broadcast_arrays(x + (u - 0.5) * wide, -top + (top - 0.03) * v, depth), axis=-1)
    slope = np.gradient(depth, axis=1) / (wide / 14)
    normals = np.stack((slope, 0 * depth, -np.ones_like(depth)), axis=-1)
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    uv = np.stack(np.broadcast_arrays(u * wide * 2, v * top), axis=-1) / cloth.metres[0]
    lattice(mesh, spot.world(local)[None], (normals @ spot.frame.T)[None], uv[None], cloth, Kind.FURNITURE)
