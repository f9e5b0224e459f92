"""Furniture. Free-standing pieces are centred on their spot; those for a wall touch it with their back, at z = 0."""

from collections.abc import Sequence

import numpy as np

from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.round import CYLINDER, lumps, revolve
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.vectors import leaning, turned
from datasets.scenes.things.small_things import books, scatter

_WOODS = ("wood", "wood", "plaster", "metal", "photo")


def _group(
    mesh: MeshBuilder, spot: Spot, rows: Sequence[tuple[float, ...]], paint: Paint, faces: tuple[int, ...] = CLOSED
) -> None:
    """Boxes of one body: each row is x, y, z of the middle of its bottom, then width, height, depth, all local."""
    table = np.array(rows)
    of = np.zeros(len(table), np.int32)
    surface = mesh.new_surfaces(1)
    boxes(
        mesh, table[:, :3], table[:, 3:], paint.of(of), Kind.FURNITURE,
        spot=spot, faces=faces, surface=surface,
    )  # fmt: skip


def table(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, depth: float, height: float) -> Spot:
    """A table, round or angular, with four legs or one. Returns the spot of its top."""
    rng = mesh.rng
    paint = palette.paint(*_WOODS, colour=0.3, bright=0.8)
    thick, leg = rng.uniform(0.02, 0.05), rng.uniform(0.03, 0.07)
    under = height - thick
    if rng.random() < 0.25:
        profile = ((0, 1), (1, 1), (1, 1), (1, 0), (1, 0), (0, 0))
        top = spot.world([0, -under, 0])
        revolve(mesh, profile, top, (min(width, depth) / 2, thick), paint, Kind.FURNITURE, sides=20)
        revolve(mesh, CYLINDER, spot.at, (leg * 0.8, under), paint, Kind.FURNITURE)
        revolve(mesh, CYLINDER, spot.at, (min(width, depth) * 0.3, 0.025), paint, Kind.FURNITURE, sides=16)
    else:
        x, z = width / 2 - leg, depth / 2 - leg
        rows = [(a, 0.0, b, leg, under, leg) for a in (-x, x) for b in (-z, z)]
        rows.append((0, -under, 0, width, thick, depth))
        if rng.random() < 0.5:
            rows += [(0, -under + 0.08, b, width - 2.5 * leg, 0.07, 0.02) for b in (-z, z)]
        _group(mesh, spot, rows, paint)
    return Spot(spot.world([0, -height, 0]), spot.frame)


def chair(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """A chair that looks to -z; its back has bars or a board."""
    rng = mesh.rng
    paint = palette.paint(*_WOODS, colour=0.6, bright=0.8)
    side, seat, top = rng.uniform(0.4, 0.48), rng.uniform(0.42, 0.48), rng.uniform(0.8, 1.0)
    leg, half = 0.035, side / 2 - 0.02
    rows = [(x, 0.0, -half, leg, seat - 0.03, leg) for x in (-half, half)]
    rows += [(x, 0.0, half, leg, top, leg) for x in (-half, half)]
    rows.append((0, -seat + 0.03, -leg / 2, side, 0.03, side - leg))
    style = rng.random()
    if style < 0.4:
        rows.append((0, -top + 0.3, half, side - 2.2 * leg, 0.26, 0.02))
    elif style < 0.7:
        rows += [(0, -seat - 0.1 - 0.13 * i, half, side - 2.2 * leg, 0.05, 0.02) for i in range(3)]
    else:
        rows += [(x, -seat, half, 0.02, top - seat - 0.06, 0.02) for x in np.linspace(-half * 0.7, half * 0.7, 4)]
        rows.append((0, -top + 0.06, half, side - 2.2 * leg, 0.05, 0.025))
    _group(mesh, spot, rows, paint)


def shelf(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, height: float, depth: float) -> None:
    """An open shelf at a wall, full of books and things."""
    rng = mesh.rng
    paint = palette.paint(*_WOODS, colour=0.3, bright=0.8)
    boards = max(2, round(height / rng.uniform(0.32, 0.42)))
    levels = np.linspace(0.06, height - 0.02, boards)
    thick = 0.022
    rows: list[tuple[float, ...]] = [(x, 0.0, -depth / 2 - 0.01, thick, height, depth) for x in (-width / 2, width / 2)]
    rows += [(0, -level, -depth / 2 - 0.01, width - thick - 0.002, thick, depth - 0.01) for level in levels]
    _group(mesh, spot, rows, paint)
    if rng.random() < 0.7:
        back = spot.world([-width / 2, -height, -0.03])
        panels(mesh, back, spot.frame @ [width, 0, 0], [0, height - 0.03, 0], paint.tinted(0.8), Kind.FURNITURE)
    room = (levels[1] - levels[0]) - thick
    for level in levels[:-1]:
        start = Spot(spot.world([-width / 2 + 0.03, -level - thick, -depth / 2]), spot.frame)
        filled = (width - 0.06) * rng.uniform(0.25, 1.0)
        if rng.random() < 0.75:
            books(mesh, palette, start, filled, min(room, 0.34), depth * 0.85)
        else:
            filled = 0.0
        if width - filled > 0.5 and rng.random() < 0.6:
            x = rng.uniform(-width / 2 + filled + 0.2, width / 2 - 0.14)
            scatter(mesh, palette, [Spot(spot.world([x, -level - thick, -depth / 2]), spot.frame)], size=0.7)


def cabinet(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, height: float, depth: float) -> Spot:
    """A chest with drawers or doors and handles, at a wall. Returns the spot of its top."""
    rng = mesh.rng
    paint = palette.paint(*_WOODS, colour=0.4, bright=0.8)
    _group(mesh, spot, [(0, 0.0, -depth / 2 - 0.01, width, height, depth)], paint, faces=(0, 2, 3, 4))
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    wide, tall = (width - 0.04) / columns, (height - 0.1) / rows
    x = (np.arange(columns) - (columns - 1) / 2) * wide
    y = -0.06 - np.arange(rows) * tall
    position = np.stack((np.tile(x, rows), np.repeat(y, columns), np.full(columns * rows, -depth - 0.02)), axis=1)
    front = palette.same(*_WOODS, n=len(position), colour=0.1, bright=0.9) if rng.random() < 0.5 else paint
    surface = mesh.new_surfaces(1)
    boxes(
        mesh, position, (wide - 0.02, tall - 0.02, 0.02), front, Kind.FURNITURE,
        spot=spot, faces=(0, 2, 3, 4, 5), surface=surface,
    )  # fmt: skip
    knobs = spot.world(position - [0, tall * 0.45, 0.026])
    size = (0.1, 0.015, 0.02) if rng.random() < 0.5 else (0.03, 0.03, 0.025)
    cover = palette.paint("metal", "plaster", bright=0.7)
    boxes(mesh, knobs, size, cover, Kind.FURNITURE, turn=spot.frame, faces=CLOSED, edges=False)
    return Spot(spot.world([0, -height, -depth / 2]), spot.frame)


def sofa(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float) -> None:
    """A sofa or armchair at a wall or free, looking to -z."""
    rng = mesh.rng
    paint = palette.paint("fabric", "fabric", "carpet", "stripes", "photo", colour=0.7, bright=0.8)
    depth, seat, back, arm = (
        rng.uniform(0.8, 0.95),
        rng.uniform(0.38, 0.45),
        rng.uniform(0.75, 0.95),
        rng.uniform(0.1, 0.22),
    )
    rows = [
        (0.0, -0.08, -depth / 2 - 0.04, width - 2 * arm - 0.004, seat - 0.2, depth - 0.03),
        (0.0, -0.08, -0.15, width, back - 0.08, 0.2),
        (-width / 2 + arm / 2, -0.06, -depth / 2 - 0.05, arm, seat + 0.12, depth - 0.19),
        (width / 2 - arm / 2, -0.06, -depth / 2 - 0.05, arm, seat + 0.12, depth - 0.19),
    ]
    _group(mesh, spot, rows, paint)
    feet = [(x, 0.0, z, 0.05, 0.08, 0.05) for x in (-width / 2 + 0.1, width / 2 - 0.1) for z in (-0.15, -depth + 0.1)]
    _group(mesh, spot, feet, palette.paint("wood", "metal", bright=0.5), faces=(0, 1, 2, 3))
    n = max(1, round((width - 2 * arm) / 0.65))
    wide = (width - 2 * arm) / n
    x = (np.arange(n) - (n - 1) / 2) * wide
    seats = np.stack((x, np.full(n, -seat + 0.1), np.full(n, -depth / 2 - 0.1)), axis=1)
    boxes(
        mesh, seats, (wide - 0.012, 0.13, depth - 0.28), paint.tinted(1.12), Kind.FURNITURE,
        spot=spot, faces=CLOSED, surface=mesh.new_surfaces(1),
    )  # fmt: skip
    pillows = int(rng.integers(0, 4))
    position = np.stack(
        (
            rng.uniform(-1, 1, pillows) * (width / 2 - arm - 0.25),
            np.full(pillows, -seat - 0.2),
            np.full(pillows, -0.36),
        ),
        axis=1,
    )
    if pillows:
        cover = palette.paint("fabric", "photo", "stripes", n=pillows, metres=0.5, colour=0.9)
        lumps(mesh, spot.world(position), (0.21, 0.19, 0.13), cover, Kind.FURNITURE, roughness=0.05)


def bed(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float) -> None:
    """A bed with its head at a wall, blanket and pillows."""
    rng = mesh.rng
    wood = palette.paint("wood", "fabric", "plaster", colour=0.3, bright=0.7)
    head = rng.uniform(0.7, 1.2)
    _group(mesh, spot, [(0, 0, -0.06, width + 0.06, head, 0.06), (0, 0, -1.08, width, 0.28, 1.96)], wood)
    sheet = palette.paint("fabric", "plaster", colour=0.2, bright=1.2)
    boxes(mesh, [0, -0.28, -1.08], (width - 0.03, 0.2, 1.94), sheet, Kind.FURNITURE, spot=spot)
    blanket = palette.paint("fabric", "photo", "stripes", "carpet", colour=0.8)
    boxes(mesh, [0, -0.26, -1.35], (width + 0.03, 0.25, 1.45), blanket, Kind.FURNITURE, spot=spot)
    n = 1 if width < 1.3 else 2
    x = (np.arange(n) - (n - 1) / 2) * width / n
    position = np.stack((x, np.full(n, -0.53), np.full(n, -0.32)), axis=1)
    lumps(mesh, spot.world(position), (width / n * 0.4, 0.08, 0.2), sheet.tinted(1.1), Kind.FURNITURE, roughness=0.06)


def floor_lamp(mesh: MeshBuilder, palette: Palette, spot: Spot, height: float) -> None:
    """A lamp on a long stem."""
    metal = palette.plain(bright=0.35)
    revolve(mesh, CYLINDER, spot.at, (0.14, 0.025), metal, Kind.FURNITURE, sides=16)
    revolve(mesh, CYLINDER, spot.world([0, -0.025, 0]), (0.013, height - 0.1), metal, Kind.POLE, sides=8)
    shade = palette.paint("fabric", "plaster", "stripes", metres=0.8, colour=0.3, bright=1.6)
    top = spot.world([0, -height + 0.25, 0])
    revolve(mesh, ((0.6, 1), (1, 0)), top, (mesh.rng.uniform(0.15, 0.25), 0.28), shade, Kind.FURNITURE, sides=16)


def pendant(mesh: MeshBuilder, palette: Palette, spot: Spot, drop: float) -> None:
    """A lamp that hangs `drop` m from its spot on the ceiling."""
    rng = mesh.rng
    base = spot.world([0, drop, 0])
    revolve(
        mesh, CYLINDER, base, (0.006, drop - 0.003), palette.plain(bright=0.2), Kind.POLE, sides=5, casts_shadow=False
    )
    shade = palette.paint("plaster", "metal", "fabric", "photo", metres=0.8, colour=0.6, bright=1.4)
    shapes = (
        ((0.15, 1), (1, 0)),
        ((0.3, 1), (0.9, 0.6), (1, 0)),
        ((0.05, 1), (0.7, 0.85), (1, 0.5), (0.7, 0.15), (0.05, 0)),
    )
    size = rng.uniform(0.13, 0.32)
    profile = shapes[int(rng.random() * 3)]
    foot = spot.world([0, drop + size, 0])
    revolve(mesh, profile, foot, (size, size), shade, Kind.FURNITURE, sides=16, casts_shadow=False)


def picture(
    mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, height: float, *, frame: bool = True
) -> None:
    """A photograph or poster on a wall; the spot is its middle on the wall."""
    if frame:
        edge = mesh.rng.uniform(0.02, 0.06)
        rim = palette.paint("wood", "metal", "plaster", colour=0.5, bright=0.6)
        middle = spot.world([0, height / 2 + edge, -0.02])
        boxes(mesh, middle, (width + 2 * edge, height + 2 * edge, 0.03), rim, Kind.SIGN, turn=spot.frame)
    corner = spot.world([-width / 2, -height / 2, -0.05 if frame else -0.015])
    photo = palette.paint("photo", "photo", "photo", "sign", colour=0.3)
    panels(mesh, corner, spot.frame @ [width, 0, 0], [0, height, 0], photo, Kind.SIGN, fit=True)


def radiator(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float) -> None:
    """A ribbed radiator at a wall."""
    x = np.arange(-width / 2, width / 2, 0.06)
    position = np.stack((x, np.full_like(x, -0.12), np.full_like(x, -0.1)), axis=1)
    paint = palette.paint("plaster", "metal", colour=0.1, bright=0.95)
    surface = mesh.new_surfaces(1)
    boxes(mesh, position, (0.04, 0.55, 0.12), paint, Kind.FURNITURE, spot=spot, surface=surface)


def ladder(mesh: MeshBuilder, palette: Palette, spot: Spot, height: float) -> None:
    """A ladder that leans on a wall, its foot at the spot."""
    frame = spot.frame @ leaning(-0.28 if mesh.rng.random() < 0.1 else 0.28)
    lean = Spot(spot.at, frame)
    rungs = np.arange(0.25, height, 0.28)
    starts = [(-0.2, 0.0, 0.0), (0.2, 0.0, 0.0)] + [(-0.2, -y, 0.0) for y in rungs]
    ends = [(-0.2, -height, 0.0), (0.2, -height, 0.0)] + [(0.2, -y, 0.0) for y in rungs]
    surface = mesh.new_surfaces(1)
    paint = palette.paint("wood", "metal")
    bars(mesh, lean.world(starts), lean.world(ends), 0.04, paint, Kind.FURNITURE, surface=surface)


def dining(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, depth: float) -> Spot:
    """A table with chairs around. Returns the spot of its top."""
    rng = mesh.rng
    top = table(mesh, palette, spot, width, depth, rng.uniform(0.7, 0.78))
    n = int(rng.integers(1, 5))
    for x, z, yaw in [
        (0, -depth / 2, np.pi),
        (0, depth / 2, 0),
        (-width / 2, 0, -np.pi / 2),
        (width / 2, 0, np.pi / 2),
    ][:n]:
        out = rng.uniform(0.05, 0.3)
        position = spot.world([x + out * np.sign(x), 0, z + out * np.sign(z)])
        chair(mesh, palette, Spot(position, spot.frame @ turned(yaw + rng.uniform(-0.4, 0.4))))
    return top
