"""Clutter: many things close to the camera, on a table, a floor or before a wall, with something behind them."""

import numpy as np

from datasets.scenes.lighting import daylight, room_light
from datasets.scenes.scene import Kind, Scene, Standpoint
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, level_ground, panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import animal, blob, bush, cutouts, person
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.shapes.round import lumps
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.vectors import around, turned
from datasets.scenes.things import furniture, small_things
from datasets.scenes.things.litter import litter
from datasets.textures.bank import TextureBank


def build(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """Things on a table in a room, or bigger things on the ground before a wall."""
    return _on_table(rng, bank) if rng.random() < 0.6 else _before_wall(rng, bank)


def _on_table(rng: np.random.Generator, bank: TextureBank) -> Scene:
    mesh, palette = MeshBuilder(rng), Palette(bank, rng)
    wide, deep = rng.uniform(1.2, 2.2), rng.uniform(0.8, 1.5)
    start = rng.uniform(0.35, 0.6)  # from the camera to the near edge
    _table_top(mesh, palette, wide, deep, start)
    points = small_things.spread(
        rng, int(rng.integers(12, 28)), (-wide / 2 + 0.1, start + 0.08), (wide / 2 - 0.1, start + deep - 0.08), 0.17
    )
    spots = [Spot.facing((x, 0, z), rng.uniform(-0.9, 0.9)) for x, z in points]
    small_things.scatter(mesh, palette, spots, size=rng.uniform(0.85, 1.25))
    edge = wide / 2 - 0.06, start + 0.06, start + deep - 0.06
    litter(mesh, palette, int(rng.integers(0, 30)), (-edge[0], edge[1]), (edge[0], edge[2]), 0.0, (0.015, 0.06))
    if rng.random() < 0.35:
        spot = Spot.facing((rng.uniform(-0.5, 0.5) * wide, 0, start + deep * 0.8), 0)
        small_things.pot_plant(mesh, palette, spot, rng.uniform(0.3, 0.6))
    if rng.random() < 0.3:
        spot = Spot.facing((rng.uniform(-0.4, 0.4) * wide, 0, start + deep * 0.85), 0)
        small_things.table_lamp(mesh, palette, spot, rng.uniform(0.35, 0.55))
    if rng.random() < 0.3:
        spot = Spot.facing((rng.uniform(-0.3, 0.3) * wide, 0, start + 0.12), rng.normal() * 0.2)
        small_things.mesh_screen(mesh, palette, spot, 0.35, 0.3, 0.05)
    away = start + deep + rng.uniform(0.25, 2.6)
    _backdrop(mesh, palette, away, 0.75)
    eye = np.array([0.0, -rng.uniform(0.28, 0.6), 0.0])
    standpoint = Standpoint(
        eye=around(eye, (0.12, 0.06, 0.06)),
        look_at=np.array(
            [[-0.3 * wide, -0.16, start + 0.35 * deep], [0.3 * wide, 0.0, start + 0.75 * deep]], np.float32
        ),
    )
    region = np.array([[-wide / 2 - 0.2, -0.8, start - 0.1], [wide / 2 + 0.2, 0.3, start + deep + 0.4]], np.float32)
    return mesh.finish("clutter", room_light(rng, palette), standpoint, 0.03, region)


def _table_top(mesh: MeshBuilder, palette: Palette, wide: float, deep: float, start: float) -> None:
    """The table, its cloth or mats."""
    rng = mesh.rng
    top = palette.paint("wood", "wood", "fabric", "tiles", "photo", "plaster", "checker", colour=0.4, bright=0.9)
    cells = (int(wide / 0.11), int(deep / 0.11))
    panels(
        mesh, (-wide / 2, 0, start + deep), (wide, 0, 0), (0, 0, -deep), top, Kind.FURNITURE, cells=cells, edges=True
    )
    boxes(mesh, (0, 0.045, start + deep / 2), (wide, 0.045, deep), top, Kind.FURNITURE, faces=(0, 1, 2, 3))
    legs = [(x, 0.75, start + z) for x in (-wide / 2 + 0.1, wide / 2 - 0.1) for z in (0.1, deep - 0.1)]
    boxes(mesh, legs, (0.06, 0.7, 0.06), top, Kind.FURNITURE, faces=(0, 1, 2, 3))
    if rng.random() < 0.5:  # papers, mats, photographs that lie about
        n = int(rng.integers(1, 5))
        x, z = rng.uniform(-0.35, 0.35, n) * wide, start + rng.uniform(0.25, 0.75, n) * deep
        sheet = palette.paint("photo", "sign", "fabric", n=n, colour=0.4)
        base = np.stack((x, -0.004 * np.arange(n), z), axis=1)
        boxes(mesh, base, (0.3, 0.006, 0.21), sheet, Kind.SIGN, turn=turned(rng.uniform(-1, 1, n)), fit=True)


def _backdrop(mesh: MeshBuilder, palette: Palette, away: float, under: float) -> None:
    """What is behind and below a table: floor, wall, shelf, pictures, sides of the room."""
    rng = mesh.rng
    half, top = rng.uniform(1.6, 3.5), -rng.uniform(1.4, 2.2)
    floor = palette.paint("wood", "tiles", "carpet", "concrete", "photo", colour=0.2, bright=0.8)
    paint = palette.paint(
        "plaster", "photo", "brick", "concrete", "wood", "stripes", "fabric", colour=0.4, bright=1.0, metres=None
    )
    level_ground(mesh, (-half - 0.1, under, away + 0.1), 2 * half + 0.2, away + 3, floor, (6, 6))
    tall = under - top
    panels(mesh, (-half, top, away), (2 * half, 0, 0), (0, tall, 0), paint, Kind.WALL, cells=(6, 4), casts_shadow=False)
    for corner, across in (((-half, top, -2.9), away + 2.9), ((half, top, away), -away - 2.9)):
        panels(mesh, corner, (0, 0, across), (0, tall, 0), paint, Kind.WALL, cells=(4, 2), casts_shadow=False)
    ceiling = palette.paint("plaster", bright=1.2)
    corner, width = (-half - 0.1, top, -2.9), 2 * half + 0.2
    panels(mesh, corner, (width, 0, 0), (0, 0, away + 3), ceiling, Kind.CEILING, casts_shadow=False)
    _along_backdrop(mesh, palette, half, away, under)


def _along_backdrop(mesh: MeshBuilder, palette: Palette, half: float, away: float, under: float) -> None:
    """Shelves, cabinets and pictures along the wall behind a table."""
    rng = mesh.rng
    x = -half + 0.3
    while x < half - 0.7:
        wide = rng.uniform(0.5, 1.3)
        spot = Spot.facing((x + wide / 2, under - 0.004, away - 0.005), 0)
        piece = rng.random()
        if piece < 0.2:
            furniture.shelf(mesh, palette, spot, wide, rng.uniform(1.0, 1.9), 0.25)
        elif piece < 0.35:
            furniture.cabinet(mesh, palette, spot, wide, rng.uniform(0.7, 1.0), min(0.4, away * 0.3))
        elif piece < 0.75:
            tall = rng.uniform(0.3, 0.8)
            position = Spot.facing((x + wide / 2, -rng.uniform(0.0, 0.7), away), 0)
            furniture.picture(mesh, palette, position, wide * 0.8, tall, frame=rng.random() < 0.6)
        x += wide + rng.uniform(0.05, 0.5)


def _before_wall(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """A yard or a store: crates, planks, stones, pots and cut-out figures before a wall."""
    mesh, palette = MeshBuilder(rng), Palette(bank, rng)
    away, half = rng.uniform(2.6, 5.5), 7.0
    floor = palette.paint(
        "asphalt", "concrete", "grass", "tiles", "gravel", "soil", "photo", "wood", colour=0.15, bright=0.9
    )
    level_ground(mesh, (-half, 0, away + 0.2), 2 * half, away + 4.2, floor, (26, 16))
    _yard_wall(mesh, palette, away, half)
    litter(mesh, palette, int(rng.integers(5, 50)), (-3.5, 0.7), (3.5, away - 0.15), 0.0, (0.03, 0.14))
    points = small_things.spread(rng, int(rng.integers(10, 24)), (-2.8, 0.95), (2.8, away - 0.3), 0.42)
    for x, z in points[np.hypot(points[:, 0], points[:, 1]) > 0.95]:
        _yard_piece(mesh, palette, Spot.facing((x, -0.004, z), rng.uniform(-0.7, 0.7)))
    if rng.random() < 0.4:
        spot_ahead = Spot.facing((rng.uniform(-1, 1), 0, rng.uniform(1.1, 1.8)), rng.normal() * 0.3)
        small_things.mesh_screen(
            mesh, palette, spot_ahead, rng.uniform(1.0, 2.0), rng.uniform(0.5, 1.1), rng.uniform(0.1, 0.2)
        )
    for x in rng.uniform(-3, 3, int(rng.integers(0, 3))):
        furniture.ladder(mesh, palette, Spot.facing((x, 0, away - 0.75), 0), 2.2)
    eye = np.array([0.0, -rng.uniform(0.7, 1.4), 0.0])
    standpoint = Standpoint(
        eye=around(eye, (0.2, 0.1, 0.15)),
        look_at=np.array([[-0.8, -0.6, away * 0.6], [0.8, -0.25, away * 0.9]], np.float32),
    )
    region = np.array([[-4, -2.5, 0], [4, 0.3, away + 0.5]], np.float32)
    return mesh.finish("clutter", daylight(rng, palette), standpoint, 0.09, region)


def _yard_wall(mesh: MeshBuilder, palette: Palette, away: float, half: float) -> None:
    """The wall behind, with posters; low walls let the sky and far houses look over."""
    rng = mesh.rng
    tall = rng.uniform(0.9, 4.0)
    paint = palette.paint("brick", "plaster", "concrete", "wood", "rock", "photo", "metal", colour=0.3, bright=0.95)
    cells = (16, max(2, round(tall / 0.8)))
    panels(mesh, (-half, -tall, away), (2 * half, 0, 0), (0, tall, 0), paint, Kind.WALL, cells=cells)
    cap = palette.paint("concrete", "roof", "brick", bright=0.9)
    boxes(mesh, (0, -tall + 0.04, away + 0.12), (2 * half, 0.09, 0.36), cap, Kind.WALL, faces=CLOSED)
    for x in np.arange(-3.5, 3.5, 1.3):
        if rng.random() < 0.4 and tall > 1.3:
            size = rng.uniform(0.4, 1.1, 2)
            middle = (x + rng.uniform(-0.1, 0.1), -rng.uniform(0.6, tall - 0.6), away)
            furniture.picture(mesh, palette, Spot.facing(middle, 0), size[0], min(size[1], tall - 0.3), frame=False)
    beyond = palette.paint("grass", "asphalt", "soil")
    panels(
        mesh, (-60, 0.02, 120), (120, 0, 0), (0, 0, -120 + away + 0.4), beyond, Kind.GROUND, cells=(4, 4), edges=False
    )
    n = int(rng.integers(2, 6))
    at = np.stack((rng.uniform(-16, 16, n), np.zeros(n), rng.uniform(away + 4, away + 25, n)), axis=1)
    shapes = [bush(rng) * rng.uniform(2.5, 6) for _ in range(n)]
    green = palette.same("leaves", "grass", n=n, metres=0.8, colour=0.2, bright=0.8)
    cutouts(mesh, shapes, at, turned(0), green, Kind.PLANT)


def _yard_piece(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    rng = mesh.rng
    piece = int(rng.random() * 11)
    if piece in (0, 1):
        small_things.cartons(mesh, palette, spot, rng.uniform(0.25, 0.5), int(rng.integers(1, 4)))
    elif piece == 2:
        small_things.crate(mesh, palette, spot, (rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.4), rng.uniform(0.3, 0.5)))
    elif piece == 3:
        small_things.vessel(mesh, palette, spot, size=rng.uniform(2.0, 3.5))
    elif piece == 4:
        small_things.ball(mesh, palette, spot, rng.uniform(0.1, 0.22))
    elif piece == 5:
        small_things.pot_plant(mesh, palette, spot, rng.uniform(0.5, 1.1))
    elif piece == 6:
        size = rng.uniform(0.12, 0.3, (1, 3))
        paint = palette.paint("rock", "concrete", "photo")
        lumps(mesh, spot.at - size * [0, 0.6, 0], size, paint, Kind.ROCK, roughness=0.2)
    elif piece == 7:
        n = int(rng.integers(2, 6))
        x = np.cumsum(rng.uniform(0.07, 0.16, n)) - 0.2
        foot = spot.world(np.stack((x, 0 * x, 0 * x), axis=1))
        top = spot.world(
            np.stack((x + rng.uniform(-0.05, 0.05, n), -rng.uniform(0.5, 1.2, n), np.full(n, 0.2)), axis=1)
        )
        bars(mesh, foot, top, 0.05, palette.paint("wood", "metal", "stripes", n=n, colour=0.5), Kind.POLE)
    elif piece == 8:
        outline = (blob, animal, person)[int(rng.random() * 3)](rng)
        outline = outline * (rng.uniform(0.5, 1.2) / np.ptp(outline[:, 1]))
        cutouts(mesh, [outline], spot.at[None], spot.frame, palette.paint("photo", "sign", "stripes"), Kind.CUTOUT)
    elif piece == 9:
        furniture.chair(mesh, palette, spot)
    else:
        furniture.table(mesh, palette, spot, rng.uniform(0.3, 0.6), 0.35, rng.uniform(0.3, 0.5))
