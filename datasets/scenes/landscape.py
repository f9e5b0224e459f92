"""Landscapes: hills and far mountains, rocks, trees, a path, a hut, fences, bushes, people."""

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.lighting import daylight
from datasets.scenes.scene import Kind, Scene, Standpoint
from datasets.scenes.shapes.flat import bars, boxes, level_ground
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import animal, bush, cutouts, person
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.round import lumps
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.terrain import Ground, Relief, mountains
from datasets.scenes.shapes.vectors import around, turned
from datasets.scenes.things.facades import Facade, facade
from datasets.scenes.things.plants import conifers, grass, tree
from datasets.textures.bank import TextureBank


def build(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """Open country before the camera, with near things and a far horizon."""
    mesh, palette = MeshBuilder(rng), Palette(bank, rng)
    relief = Relief(rng, rng.uniform(0.4, 3.5), rng.uniform(25, 70), octaves=3)
    relief.flatten(0, 0, rng.uniform(6, 16))
    land = Ground(rng, relief, rng.uniform(110, 220), rng.uniform(1.2, 3.0))
    soil = palette.paint("grass", "grass", "grass", "soil", "soil", "gravel", "rock", "leaves", colour=0.1, bright=1.0)
    path = palette.paint("gravel", "soil", "asphalt", "concrete", colour=0.1) if rng.random() < 0.6 else soil
    land.add(mesh, soil, path)
    _plain(mesh, land, soil)
    _distance(mesh, palette)
    wooded = rng.random()
    _rocks(mesh, palette, land)
    _trees(mesh, palette, land, wooded)
    _bushes(mesh, palette, land)
    if rng.random() < 0.55:
        _fence(mesh, palette, land)
    if rng.random() < 0.45:
        _hut(mesh, palette, land)
    _company(mesh, palette, land)
    eye = np.array([0.0, -rng.uniform(1.3, 3.0), 0.0])
    standpoint = Standpoint(
        eye=around(eye, (0.5, 0.2, 0.5)), look_at=np.array([[-6, eye[1] - 1.2, 16], [6, eye[1] + 1.2, 24]], np.float32)
    )
    region = np.array([[-16, -9, -4], [16, 4, 32]], np.float32)
    return mesh.finish("landscape", daylight(rng, palette), standpoint, 0.5, region)


def _plain(mesh: MeshBuilder, land: Ground, soil: Paint) -> None:
    """Level land below and behind the hills: no sky shows where they end."""
    near, far, wide = -100.0, 1200.0, 1600.0
    corner = (-wide, float(land.y.max()) + 0.5, far)
    level_ground(mesh, corner, 2 * wide, far - near, soil, (8, 8))


def _distance(mesh: MeshBuilder, palette: Palette) -> None:
    """Ranges of mountains far behind."""
    rng = mesh.rng
    stone = ("rock", "rock", "grass", "soil", "photo")
    distance = rng.uniform(350, 600)
    if rng.random() < 0.8:
        mountains(
            mesh,
            rng,
            distance,
            distance * rng.uniform(0.05, 0.3),
            palette.paint(*stone, metres=distance * 0.2, colour=0.1, bright=0.8),
        )
    if rng.random() < 0.5:
        far = distance * 1.8
        mountains(mesh, rng, far, far * rng.uniform(0.1, 0.35), _hazy(palette.paint(*stone, metres=far * 0.3)))


def _hazy(paint: Paint) -> Paint:
    """Bluish, as things look through haze."""
    return paint.tinted(1.3, 1.0, 0.75)


def _ground_points(mesh: MeshBuilder, land: Ground, n: int, near: float, far: float, free: float) -> Doubles:
    """(m, 3) points on the ground before the camera, evenly spread in the picture, at least `free` m from it."""
    rng = mesh.rng
    z = np.exp(rng.uniform(np.log(near), np.log(far), n))
    x = rng.uniform(-0.95, 0.95, n) * (z + 2)
    kept = np.hypot(x, z) > free
    return land.on(x[kept], z[kept])


def _rocks(mesh: MeshBuilder, palette: Palette, land: Ground) -> None:
    rng = mesh.rng
    paint = palette.paint("rock", "rock", "concrete", "photo", colour=0.15, bright=0.9)
    at = _ground_points(mesh, land, int(rng.integers(0, 7)), 3, 20, 3.2)
    if len(at):
        size = rng.uniform(0.2, 1.0, (len(at), 1)) ** 1.3 * rng.uniform([0.7, 0.5, 0.7], [1.4, 1.0, 1.3], (len(at), 3))
        lumps(mesh, at - size * [0, 0.3, 0], size, paint, Kind.ROCK, roughness=0.2, fine=1)
    pebbles = _ground_points(mesh, land, int(rng.integers(0, 16)), 2, 9, 1.8)
    if len(pebbles):
        size = rng.uniform(0.06, 0.2, (len(pebbles), 1)) * [1.0, 0.7, 1.0]
        lumps(mesh, pebbles - size * [0, 0.4, 0], size, paint, Kind.ROCK, roughness=0.15, fine=0)


def _trees(mesh: MeshBuilder, palette: Palette, land: Ground, wooded: float) -> None:
    """Single trees near, conifers or cut-out trees in the middle, woods far away."""
    rng = mesh.rng
    for position in _ground_points(mesh, land, int(rng.integers(0, 4)), 5, 20, 4.0):
        tree(mesh, palette, position, rng.uniform(3.5, 9), leaves=190 if position[2] < 12 else 80)
    n = int(rng.integers(0, 7))
    at = _ground_points(mesh, land, n, 9, 60, 7)
    if len(at):
        conifers(mesh, palette, at, rng.uniform(4, 13, len(at)), tiers=5)
    far = _ground_points(mesh, land, int(40 * wooded), 40, 120, 20)
    if len(far):
        shapes = [bush(rng, 16) * rng.uniform([3, 3], [6, 9]) for _ in range(4)]
        paint = palette.same("leaves", "grass", n=len(far), metres=2.5, colour=0.3, bright=1.0)
        which = rng.integers(4, size=len(far))
        for row, shape in enumerate(shapes):
            some = which == row
            if some.any():
                green = paint.of(np.nonzero(some)[0].astype(np.int32))
                cutouts(mesh, [shape] * int(some.sum()), far[some], turned(0), green, Kind.PLANT)


def _bushes(mesh: MeshBuilder, palette: Palette, land: Ground) -> None:
    """Bushes of three crossing cards, and tufts of grass near the camera."""
    rng = mesh.rng
    green = palette.same("leaves", "grass", n=3, metres=0.8, colour=0.3, bright=1.2)
    for position in _ground_points(mesh, land, int(rng.integers(0, 5)), 3, 25, 2.8):
        shapes = [bush(rng, 24) * rng.uniform(0.5, 1.5) for _ in range(3)]
        yaw = rng.uniform(0, 3) + np.array([0.0, 1.0, 2.1])
        cutouts(mesh, shapes, np.repeat(position[None] + [0, 0.05, 0], 3, axis=0), turned(yaw), green, Kind.PLANT)
    tufts = _ground_points(mesh, land, int(rng.integers(5, 70)), 1.5, 10, 1.4)
    if len(tufts):
        blade = palette.paint("grass", "leaves", metres=1.0, colour=0.2, bright=1.1)
        grass(mesh, tufts, rng.uniform(0.15, 0.5), blade)


def _fence(mesh: MeshBuilder, palette: Palette, land: Ground) -> None:
    """Posts and rails or wires across the land."""
    rng = mesh.rng
    start, end = (
        np.array([rng.uniform(-12, -2), rng.uniform(3, 12)]),
        np.array([rng.uniform(4, 16), rng.uniform(4, 24)]),
    )
    n = min(14, int(np.hypot(*(end - start)) / rng.uniform(1.4, 2.4)) + 1)
    line = np.linspace(start, end, n + 1)
    line = line[np.hypot(line[:, 0], line[:, 1]) > 2.0]
    if len(line) < 2:
        return
    feet = land.on(line[:, 0], line[:, 1])
    height = rng.uniform(0.8, 1.3)
    paint = palette.paint("wood", "wood", "metal", "plaster", colour=0.3, bright=0.7)
    bars(mesh, feet + np.array([0, 0.2, 0]), feet - [0, height, 0], 0.09, paint, Kind.POLE)
    rails = rng.choice([2, 3, 4])
    level = np.linspace(0.3, 0.92, rails)[:, None, None] * height * [0, 1, 0]
    first, last = (feet[:-1] - level).reshape(-1, 3), (feet[1:] - level).reshape(-1, 3)
    thick = 0.012 if rng.random() < 0.35 else 0.06
    surface = mesh.new_surfaces(1)
    bars(
        mesh, first + np.array([0, 0, -0.05]), last + np.array([0, 0, -0.05]), thick, paint, Kind.POLE, surface=surface
    )


def _hut(mesh: MeshBuilder, palette: Palette, land: Ground) -> None:
    """A house in the land, on a plinth that reaches into the ground."""
    rng = mesh.rng
    x, z = rng.uniform(-9, 9), rng.uniform(13, 32)
    long, deep = rng.uniform(4, 9), rng.uniform(4, 7)
    frame = turned(rng.uniform(-0.7, 0.7))
    at = land.on(np.array(x), np.array(z))
    spot = Spot(at - frame @ [long / 2, 0.3, 0], frame)
    facade(mesh, palette, spot, Facade(long, rng.uniform(2.6, 4.5), deep, 2))
    plinth = palette.paint("concrete", "rock", "brick", bright=0.8)
    boxes(mesh, spot.world([long / 2, 2.5, deep / 2]), (long + 0.1, 2.5, deep + 0.1), plinth, Kind.BUILDING, turn=frame)


def _company(mesh: MeshBuilder, palette: Palette, land: Ground) -> None:
    """People and animals, poles with wires, stakes."""
    rng = mesh.rng
    at = _ground_points(mesh, land, int(rng.integers(0, 5)), 3, 20, 3)
    if len(at):
        shapes = [(animal if rng.random() < 0.5 else person)(rng) for _ in at]
        paint = palette.paint("photo", "fabric", n=len(at), metres=2, colour=0.5, bright=0.8)
        cutouts(mesh, shapes, at + np.array([0, 0.02, 0]), turned(rng.uniform(-0.6, 0.6, len(at))), paint, Kind.CUTOUT)
    stakes = _ground_points(mesh, land, int(rng.integers(0, 5)), 2.5, 30, 2.2)
    if len(stakes):
        height = rng.uniform(1.5, 7)
        paint = palette.paint("wood", "metal", "stripes", colour=0.3, bright=0.6)
        bars(mesh, stakes + np.array([0, 0.3, 0]), stakes - [0, height, 0], 0.05 + 0.015 * height, paint, Kind.POLE)
