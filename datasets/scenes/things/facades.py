"""House fronts: walls with windows that lie deep, stand out or have balconies; shops, doors, cornices, roofs."""

from dataclasses import dataclass

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, panels, wall
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.openings import reveals
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.spot import Spot


@dataclass(frozen=True)
class Facade:
    """Length, height and depth in m; detail 2: openings in the wall, 1: windows stuck on."""

    length: float
    height: float
    depth: float
    detail: int


@dataclass(frozen=True, eq=False)
class WindowGrid:
    """k windows: the top left corners (k, 3), local, and the common width and height, m."""

    corner: Doubles
    wide: float
    tall: float
    pitch: float  # from one to the next


def facade(mesh: MeshBuilder, palette: Palette, spot: Spot, shape: Facade) -> None:
    """A house; the spot is the left lower end of its front, local x along it, local z into it."""
    rng = mesh.rng
    paint = palette.paint(
        "plaster", "brick", "plaster", "concrete", "wood", "rock", "tiles", "photo", colour=0.45, bright=0.95
    )
    if paint.is_photo:
        paint = paint.scaled(4)
    columns, rows = (
        max(1, round(shape.length / rng.uniform(2.2, 3.6))),
        max(1, round(shape.height / rng.uniform(2.8, 3.6))),
    )
    _front(mesh, palette, spot, shape, paint, columns, rows)
    _sides_and_roof(mesh, palette, spot, shape, paint)


def distant(
    mesh: MeshBuilder, palette: Palette, spot: Spot, side: int, houses: list[tuple[float, float, float]]
) -> None:
    """A row of simple houses, each a painted front and a gable; the spot is at z = 0 on their line, local z into them.

    side: -1 where local x goes with z, 1 where it goes against it. houses: z of the near end, length, height, m.
    """
    if not houses:
        return
    z, long, tall = np.array(houses).T
    k, deep, flat = len(z), 9.0, np.zeros(len(z))
    left = -side * z - (long if side > 0 else 0)  # local x of the left end
    surface = mesh.new_surfaces(k)
    storeys = palette.paint("facade", "facade", "facade", "photo", n=k, metres=10.0, colour=0.3)
    corner = np.stack((left, -tall, flat), axis=1)
    across, down = spot.frame @ [1.0, 0, 0], np.stack((flat, tall, flat), axis=1)
    panels(mesh, spot.world(corner), across * long[:, None], down, storeys, Kind.BUILDING, surface=surface)
    gable = palette.paint("plaster", "brick", "concrete", n=k, colour=0.3)
    near = left + (long if side > 0 else 0) - side * 0.004  # the end that looks to the camera
    into = spot.frame @ [0, 0, deep * side]
    first = np.stack((near, -tall, flat + (deep if side < 0 else 0.0)), axis=1)
    panels(mesh, spot.world(first), into, down, gable, Kind.BUILDING, surface=surface)


def _front(
    mesh: MeshBuilder, palette: Palette, spot: Spot, shape: Facade, paint: Paint, columns: int, rows: int
) -> None:
    """The wall and what is in and on it."""
    rng = mesh.rng
    pitch, storey = shape.length / columns, shape.height / rows
    wide, high = pitch * rng.uniform(0.4, 0.7), storey * rng.uniform(0.42, 0.66)
    x = (np.arange(columns) + 0.5) * pitch - wide / 2
    y = -shape.height + (np.arange(rows) + 0.45) * storey - high / 2
    shop = rows > 1 and rng.random() < 0.45
    upper = y[: rows - 1] if shop else y
    corner = np.stack((np.tile(x, len(upper)), np.repeat(upper, columns), np.zeros(columns * len(upper))), axis=1)
    windows = WindowGrid(corner, wide, high, pitch)
    if shape.detail == 2 and columns * len(upper) <= 21:
        lines = np.concatenate(([0.0], np.stack((x, x + wide), 1).reshape(-1), [shape.length]))
        levels = np.concatenate(([0.0], np.stack((upper, upper + high), 1).reshape(-1) + shape.height, [shape.height]))
        holes = np.zeros((len(levels) - 1, len(lines) - 1), bool)
        holes[1::2, 1::2] = True
        across = spot.frame @ [shape.length, 0, 0]
        wall(mesh, spot.world([0, -shape.height, 0]), across, shape.height, lines, levels, holes, paint, Kind.BUILDING)
        _deep(mesh, palette, spot, windows, paint)
    else:
        cells = (max(1, round(shape.length / 3)), max(1, round(shape.height / 3)))
        top_left = [0, -shape.height, 0]
        panels(mesh, top_left, [shape.length, 0, 0], (0, shape.height, 0), paint, Kind.BUILDING, spot=spot, cells=cells)
        _standing_out(mesh, palette, spot, windows)
    if rng.random() < 0.4:
        _balconies(mesh, palette, spot, windows, shape.detail)
    if shop:
        _shop(mesh, palette, spot, shape, storey)


def _glass(palette: Palette, n: int) -> Paint:
    """Paints of n window panes: reflections of the surroundings, curtains, darkness."""
    return palette.paint("photo", "photo", "clouds", "fabric", n=n, metres=4.0, colour=0.15, bright=0.3)


def _deep(mesh: MeshBuilder, palette: Palette, spot: Spot, windows: WindowGrid, paint: Paint) -> None:
    """Reveals, panes, bars and sills of windows that lie in the wall."""
    rng = mesh.rng
    k, deep = len(windows.corner), rng.uniform(0.12, 0.4)
    surface = mesh.new_surfaces(k)
    size = (windows.wide, windows.tall, deep)
    reveals(mesh, spot, windows.corner, size, paint.tinted(0.9), Kind.BUILDING, surface)
    pane = spot.world(windows.corner + np.array([0, 0, deep]))
    down = (0, windows.tall, 0)
    panels(mesh, pane, spot.frame @ [windows.wide, 0, 0], down, _glass(palette, k), Kind.BUILDING, surface=surface)
    frame = palette.paint("plaster", "wood", "metal", colour=0.4, bright=0.9)
    middle = windows.corner + np.array([windows.wide / 2, windows.tall, deep - 0.03])
    boxes(mesh, middle, (0.06, windows.tall, 0.04), frame, Kind.BUILDING, spot=spot, faces=(0,), edges=False)
    across = windows.corner + np.array([windows.wide / 2, windows.tall * 0.34, deep - 0.05])
    boxes(mesh, across, (windows.wide, 0.06, 0.04), frame, Kind.BUILDING, spot=spot, faces=(0,), edges=False)
    if rng.random() < 0.6:
        sill = windows.corner + np.array([windows.wide / 2, windows.tall + 0.06, -0.05])
        boxes(mesh, sill, (windows.wide + 0.2, 0.08, 0.16), frame, Kind.BUILDING, spot=spot, faces=(0, 4))


def _standing_out(mesh: MeshBuilder, palette: Palette, spot: Spot, windows: WindowGrid) -> None:
    """Windows whose frames stand out of the wall, some with shutters."""
    rng = mesh.rng
    k, out = len(windows.corner), rng.uniform(0.05, 0.3)
    frame = palette.paint("plaster", "wood", "concrete", "metal", colour=0.4, bright=0.9)
    middle = windows.corner + np.array([windows.wide / 2, windows.tall + 0.1, -out / 2])
    size = (windows.wide + 0.2, windows.tall + 0.2, out)
    boxes(mesh, middle, size, frame, Kind.BUILDING, spot=spot, faces=(0, 2, 3, 4), edges=False)
    pane = spot.world(windows.corner + np.array([0, 0, -out - 0.02]))
    panels(mesh, pane, spot.frame @ [windows.wide, 0, 0], (0, windows.tall, 0), _glass(palette, k), Kind.BUILDING)
    if rng.random() < 0.35:
        shutter = palette.paint("wood", "stripes", "plaster", colour=0.8, bright=0.7)
        leaf = min(windows.wide * 0.46, (windows.pitch - windows.wide) / 2 - 0.08)
        for x in (-leaf / 2 - 0.05, windows.wide + leaf / 2 + 0.05):
            position = windows.corner + np.array([x, windows.tall, -0.03 - out])
            boxes(
                mesh,
                position,
                (leaf, windows.tall, 0.04),
                shutter,
                Kind.BUILDING,
                spot=spot,
                faces=(0, 2, 3),
                edges=False,
            )


def _balconies(mesh: MeshBuilder, palette: Palette, spot: Spot, windows: WindowGrid, detail: int) -> None:
    """Slabs with parapets or bars before some columns of windows."""
    rng = mesh.rng
    chosen = windows.corner[(windows.corner[:, 1] < -3.2) & (rng.random(len(windows.corner)) < rng.choice([0.3, 1.0]))][
        :9
    ]
    if not len(chosen):
        return
    out, wide = rng.uniform(0.6, 1.2), windows.wide + rng.uniform(0.3, 0.6)
    paint = palette.paint("concrete", "plaster", "metal", "wood", colour=0.3, bright=0.9)
    slab = chosen + np.array([windows.wide / 2, windows.tall + 0.25, -out / 2])
    boxes(mesh, slab, (wide, 0.14, out), paint, Kind.BUILDING, spot=spot, faces=(0, 2, 3, 5))
    rail = palette.paint("metal", "plaster", "wood", "photo", colour=0.6, bright=0.6)
    if detail == 2 and len(chosen) <= 3:
        x = np.arange(-wide / 2 + 0.05, wide / 2, 0.16)
        foot = slab[:, None] + np.stack((x, np.full_like(x, -0.14), np.full_like(x, -out / 2 + 0.04)), axis=1)
        foot = foot.reshape(-1, 3)
        surface = np.repeat(mesh.new_surfaces(len(chosen)), len(x))
        boxes(mesh, foot, (0.03, 0.85, 0.03), rail, Kind.BUILDING, spot=spot, faces=(0, 1, 2, 3), surface=surface)
        handrail = slab + np.array([0, -0.95, -out / 2 + 0.04])
        boxes(mesh, handrail, (wide, 0.05, 0.05), rail, Kind.BUILDING, spot=spot, faces=CLOSED)
    else:
        parapet = slab + np.array([0, -0.14, -out / 2 + 0.04])
        boxes(mesh, parapet, (wide, 0.85, 0.05), rail, Kind.BUILDING, spot=spot, faces=(0, 1, 4))


def _shop(mesh: MeshBuilder, palette: Palette, spot: Spot, shape: Facade, storey: float) -> None:
    """Shop windows, a door, a sign above and perhaps an awning."""
    rng = mesh.rng
    n = max(1, round(shape.length / rng.uniform(3, 5)))
    pitch, tall = shape.length / n, storey * 0.68
    x = (np.arange(n) + 0.5) * pitch
    middle = np.stack((x, np.full(n, -0.25), np.full(n, -0.04)), axis=1)
    rim = palette.paint("wood", "metal", "plaster", colour=0.6, bright=0.6)
    boxes(mesh, middle, (pitch * 0.84, tall, 0.08), rim, Kind.BUILDING, spot=spot, faces=(0, 2, 3, 4, 5))
    corner = spot.world(np.stack((x - pitch * 0.38, np.full(n, -tall - 0.18), np.full(n, -0.1)), axis=1))
    shown = palette.paint("photo", n=n, colour=0.1, bright=0.7)
    panels(mesh, corner, spot.frame @ [pitch * 0.76, 0, 0], (0, tall - 0.14, 0), shown, Kind.SIGN, fit=True)
    board = palette.paint("sign", "photo", "stripes", n=n, metres=pitch, colour=0.5)
    top = np.stack((x, np.full(n, -tall - 0.3), np.full(n, -0.08)), axis=1)
    boxes(mesh, top, (pitch * 0.8, storey * 0.17, 0.12), board, Kind.SIGN, spot=spot, faces=(0, 2, 3, 4, 5))
    if rng.random() < 0.5:
        out = rng.uniform(0.7, 1.4)
        cloth = palette.paint("stripes", "fabric", "photo", colour=0.9)
        start = spot.world(np.stack((x - pitch * 0.42, np.full(n, -tall - 0.28), np.full(n, -0.16)), axis=1))
        panels(mesh, start, spot.frame @ [pitch * 0.84, 0, 0], spot.frame @ [0, 0.45, -out], cloth, Kind.SIGN)
    if rng.random() < 0.5:  # a sign that stands out
        position = spot.world([rng.uniform(0.5, shape.length - 0.5), -storey - 0.3, -0.55])
        paint = palette.paint("sign", "photo")
        boxes(mesh, position, (0.08, 0.7, 0.8), paint, Kind.SIGN, turn=spot.frame, faces=CLOSED, fit=True)
        bars(mesh, position - [0, 0.35, 0], position + spot.frame @ [0, -0.35, 0.5], 0.03, rim, Kind.POLE)


def _sides_and_roof(mesh: MeshBuilder, palette: Palette, spot: Spot, shape: Facade, paint: Paint) -> None:
    """Gable walls and a flat or pitched roof, with a cornice or eaves, chimneys."""
    rng = mesh.rng
    long, tall, deep = shape.length, shape.height, shape.depth
    side = palette.paint("plaster", "brick", "concrete", colour=0.3) if rng.random() < 0.3 else paint
    surface = mesh.new_surfaces(2)
    inset = 0.004  # so that it is not level with the neighbour's
    corner = spot.world([[inset, -tall, deep], [long - inset, -tall, 0.003]])
    across = np.array([[0, 0, -deep + 0.003], [0, 0, deep]]) @ spot.frame.T
    panels(mesh, corner, across, (0, tall, 0), side, Kind.BUILDING, cells=(1, 2), surface=surface)
    roof = palette.paint("roof", "roof", "metal", "tiles", colour=0.3, bright=0.85)
    if rng.random() < 0.55:
        rise, eave = rng.uniform(1.2, 3.5), 0.35
        ridge = spot.world([[-0.03, -tall - rise, deep / 2], [long + 0.03, -tall - rise, deep / 2]])
        across = np.array([[long + 0.06, 0, 0], [-long - 0.06, 0, 0]]) @ spot.frame.T
        down = np.array([[0, rise + 0.1, -deep / 2 - eave], [0, rise + 0.1, deep / 2 + eave]]) @ spot.frame.T
        panels(mesh, ridge, across, down, roof, Kind.BUILDING)
        ends = spot.world(
            [
                [inset, -tall, deep],
                [inset, -tall, 0],
                [inset, -tall - rise, deep / 2],
                [long - inset, -tall, 0],
                [long - inset, -tall, deep],
                [long - inset, -tall - rise, deep / 2],
            ]
        )
        normal = spot.frame[:, 0]
        normals = np.repeat(np.stack((-normal, normal)), 3, axis=0).reshape(2, 3, 3)
        uv = np.array([[[0, 1], [1, 1], [0.5, 0]]] * 2) * np.array([deep, rise]) / side.metres[0]
        mesh.add(ends.reshape(2, 3, 3), normals, uv, side, Kind.BUILDING, surface)
        if rng.random() < 0.5:
            position = spot.world([rng.uniform(0.2, 0.8) * long, -tall - rise * 0.4, deep * 0.35])
            cover = palette.paint("brick", "concrete")
            boxes(mesh, position, (0.7, rise * 0.6 + 0.9, 0.6), cover, Kind.BUILDING, turn=spot.frame)
    else:
        cornice = palette.paint("concrete", "plaster", "wood", bright=0.9)
        size = (long - 0.02, rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.6))
        boxes(mesh, [long / 2, -tall + 0.1, 0.0], size, cornice, Kind.BUILDING, spot=spot, faces=CLOSED)
