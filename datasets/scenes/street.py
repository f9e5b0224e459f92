"""Streets: a canyon of facades with pavements, poles, signs, trees, cars, people and wires overhead."""

import itertools
from dataclasses import dataclass

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.lighting import daylight
from datasets.scenes.scene import Kind, Scene, Standpoint
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, level_ground, panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import animal, bush, cutouts, person
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.shapes.round import CYLINDER, revolve, tubes
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.terrain import mountains
from datasets.scenes.shapes.vectors import around, turned
from datasets.scenes.things import vehicles
from datasets.scenes.things.facades import Facade, distant, facade
from datasets.scenes.things.litter import litter
from datasets.scenes.things.plants import conifers, tree
from datasets.scenes.things.small_things import cartons, mesh_screen
from datasets.textures.bank import TextureBank

KERB = 0.14  # m


@dataclass(frozen=True)
class Street:
    """The cross-section: half width of the road, width of the pavements, how far it goes, m."""

    road: float
    pavement: float
    length: float

    @property
    def half(self) -> float:
        """From the middle to the facades."""
        return self.road + self.pavement


def build(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """A street along z, closed or open at its far end."""
    mesh, palette = MeshBuilder(rng), Palette(bank, rng)
    street = Street(rng.uniform(2.5, 6.5), rng.uniform(1.6, 4.0), rng.uniform(35, 90))
    eye_x = rng.uniform(-0.75, 0.75) * street.half
    _ground(mesh, palette, street)
    for side in (-1, 1):
        _row_of_houses(mesh, palette, street, side)
    _far_end(mesh, palette, street)
    _furniture(mesh, palette, street, eye_x)
    _people(mesh, palette, street, eye_x)
    eye = np.array([eye_x, -rng.uniform(1.4, 2.4), 0.0])
    standpoint = Standpoint(
        eye=around(eye, (0.4, 0.2, 0.3)),
        look_at=np.array([[-street.half * 0.8, -3.2, 12.0], [street.half * 0.8, -1.0, 22.0]], np.float32),
    )
    region = np.array([[-street.half - 2, -12, -4], [street.half + 2, 1, 40]], np.float32)
    return mesh.finish("street", daylight(rng, palette), standpoint, 0.45, region)


def _ground(mesh: MeshBuilder, palette: Palette, street: Street) -> None:
    """Road, markings, pavements with kerbs."""
    road = palette.paint("asphalt", "asphalt", "concrete", "brick", "gravel", colour=0.1, bright=0.95)
    far, near = street.length + 25, -12.0
    level_ground(mesh, (-street.road, 0, far), 2 * street.road, far - near, road, (4, 22))
    paving = palette.paint("tiles", "concrete", "brick", "asphalt", metres=None, colour=0.15)
    curb = palette.paint("concrete", "rock", colour=0.1, bright=0.9)
    for side in (-1, 1):
        left = -street.half - 0.3 if side < 0 else street.road
        level_ground(mesh, (left, -KERB, far), street.pavement + 0.3, far - near, paving, (2, 16))
        top = (side * (street.road + 0.06), -0.005, (far + near) / 2)
        boxes(mesh, top, (0.15, KERB + 0.01, far - near), curb, Kind.GROUND, faces=(2, 3, 4))
    _markings(mesh, palette, street)
    rng = mesh.rng
    level, size = -0.02, (0.04, 0.25)  # above the markings
    litter(mesh, palette, int(rng.integers(0, 40)), (-street.road + 0.2, 1.5), (street.road - 0.2, 16), level, size)
    for side in (-1, 1):
        low, high = sorted((side * (street.road + 0.3), side * (street.half - 0.2)))
        litter(mesh, palette, int(rng.integers(0, 25)), (low, 1.5), (high, 14), -KERB, size)


def _markings(mesh: MeshBuilder, palette: Palette, street: Street) -> None:
    """White lines and a crossing on the road."""
    rng = mesh.rng
    white = palette.paint("plaster", colour=0.05, bright=0.95)
    if rng.random() < 0.6:
        z = np.arange(-6.0, street.length, 5.0)
        corner = np.stack((0 * z, np.full_like(z, -0.012), z + 2.4), axis=1)
        panels(mesh, corner, (0.14, 0, 0), (0, 0, -2.4), white, Kind.GROUND, surface=mesh.new_surfaces(1))
    if rng.random() < 0.45:
        x = np.arange(-street.road + 0.4, street.road - 0.5, 0.9)
        corner = np.stack((x, np.full_like(x, -0.016), np.full_like(x, rng.uniform(6, 14))), axis=1)
        panels(mesh, corner, (0.45, 0, 0), (0, 0, -2.6), white, Kind.GROUND, surface=mesh.new_surfaces(1))


def _row_of_houses(mesh: MeshBuilder, palette: Palette, street: Street, side: int) -> None:
    """Houses beside each other on one side, from behind the camera to the end; gaps here and there."""
    rng = mesh.rng
    plain: list[tuple[float, float, float]] = []  # distant houses: z, length, height, m
    z = -9.0
    while z < street.length:
        long = rng.uniform(6, 14)
        if rng.random() < 0.08:
            z += rng.uniform(3, 7)
            continue
        height = rng.uniform(5.0, 9.5) if -5 < z < 6 else rng.uniform(5.5, 19)
        back = rng.uniform(0, 0.5) if rng.random() < 0.5 else 0.0
        if z + long < 0 or z > 16:
            plain.append((z, long, height))
        else:
            # As its viewer sees it, the left end of a house is the far one on the right side of the street.
            x, start = side * (street.half + back), z if side < 0 else z + long
            spot = Spot(np.array([x, -KERB, start]), turned(side * np.pi / 2))
            facade(mesh, palette, spot, Facade(long, height, rng.uniform(8, 12), 1 if z > 6 else 2))
        z += long
    distant(mesh, palette, Spot(np.array([side * street.half, -KERB, 0]), turned(side * np.pi / 2)), side, plain)


def _far_end(mesh: MeshBuilder, palette: Palette, street: Street) -> None:
    """A house across the street, or hills far away."""
    rng = mesh.rng
    if rng.random() < 0.55:
        wide = 2 * street.half + 10
        spot = Spot.facing((-wide / 2, 0, street.length + rng.uniform(4, 20)), 0)
        facade(mesh, palette, spot, Facade(wide, rng.uniform(8, 20), 8, 1))
    else:
        mountains(
            mesh,
            rng,
            rng.uniform(250, 500),
            rng.uniform(15, 60),
            palette.paint("grass", "rock", "photo", metres=80, bright=0.8),
        )
        wide = 500.0
        far = palette.paint("grass", "soil", "asphalt", metres=6.0)
        level_ground(mesh, (-wide, 0.05, wide), 2 * wide, wide - street.length, far, (4, 4))
        x = rng.uniform(-40, 40, 5)
        base = np.stack((x, 0 * x, street.length + rng.uniform(15, 60, 5)), axis=1)
        conifers(mesh, palette, base, rng.uniform(5, 12, 5), tiers=2)


def _furniture(mesh: MeshBuilder, palette: Palette, street: Street, eye_x: float) -> None:
    """Lamps and poles with wires, signs, trees, cars, benches, bins, fences."""
    rng = mesh.rng
    sides = [-1, 1] if rng.random() < 0.6 else [int(rng.choice([-1, 1]))]
    for side in sides:
        _lamps(mesh, palette, street, side, eye_x)
    if rng.random() < 0.6:
        _wires_across(mesh, palette, street)
    for side in (-1, 1):
        if rng.random() < 0.5:
            _trees(mesh, palette, street, side, eye_x)
        _parked(mesh, palette, street, side, eye_x)
        _on_pavement(mesh, palette, street, side, eye_x)


def _clear(x: float, z: float, eye_x: float, radius: float = 0.5) -> bool:
    """Whether something of this radius leaves room around the camera."""
    return bool(np.hypot(x - eye_x, z) > radius + 1.3)


def _lamps(mesh: MeshBuilder, palette: Palette, street: Street, side: int, eye_x: float) -> None:
    """Lamp posts or telegraph poles along a kerb, some with wires."""
    rng = mesh.rng
    x = side * (street.road + 0.45)
    pitch, height = rng.uniform(8, 16), rng.uniform(4.5, 7.5)
    z = np.arange(rng.uniform(2.5, 6.0), street.length * 0.8, pitch)[:4]
    base = np.stack((np.full_like(z, x), np.full_like(z, -KERB), z), axis=1)
    metal = palette.paint("metal", "wood", "concrete", colour=0.3, bright=0.5)
    radius = rng.uniform(0.05, 0.11)
    revolve(mesh, ((0.6, 1), (1, 0.1), (1.3, 0.0)), base, (radius, height), metal, Kind.POLE, sides=7)
    tops = base - [0, height, 0]
    style = rng.random()
    if style < 0.6:
        arm = rng.uniform(0.8, 2.0)
        ends = tops - [side * arm, 0.35, 0]
        bars(mesh, tops + np.array([0, 0.1, 0]), ends, 0.06, metal, Kind.POLE)
        boxes(mesh, ends + np.array([0, 0.08, 0]), (0.5, 0.1, 0.2), metal, Kind.POLE, faces=CLOSED)
    else:
        boxes(mesh, tops + np.array([0, 0.45, 0]), (1.3, 0.1, 0.1), metal, Kind.POLE, faces=CLOSED)
        lines = [
            _sagging(base[:1] * 0 + first + [dx, 0.35, 0], last + np.array([dx, 0.35, 0]))
            for first, last in itertools.pairwise(tops)
            for dx in (-0.55, 0.55)
        ]
        if lines:
            tubes(mesh, np.concatenate(lines), 0.014, palette.plain(colour=0.1, bright=0.06), Kind.POLE, sides=3)
    _signs(mesh, palette, base, side, eye_x)


def _sagging(first: Doubles, last: Doubles) -> Doubles:
    """(1, 7, 3) points of a hanging cable between two points (3,) or (1, 3)."""
    t = np.linspace(0, 1, 7)[:, None]
    a, b = np.reshape(first, (1, 3)), np.reshape(last, (1, 3))
    sag = 0.025 * np.linalg.norm(b - a)
    return np.asarray((a + (b - a) * t + np.array([0, 1, 0]) * sag * 4 * t * (1 - t))[None])


def _signs(mesh: MeshBuilder, palette: Palette, base: Doubles, side: int, eye_x: float) -> None:
    """Signs on posts beside the first poles."""
    rng = mesh.rng
    for position in base[:3]:
        if rng.random() < 0.6:
            spot = Spot.facing(
                position + np.array([side * rng.uniform(0, 0.8), 0, rng.uniform(-2.5, 2.5)]), rng.uniform(-0.5, 0.5)
            )
            if not _clear(spot.at[0], spot.at[2], eye_x):
                continue
            height, size = rng.uniform(2.0, 2.7), rng.uniform(0.45, 0.8)
            revolve(mesh, CYLINDER, spot.at, (0.035, height), palette.paint("metal", bright=0.7), Kind.POLE, sides=8)
            shape = (size, size * rng.uniform(0.4, 1.2), 0.02)
            board = palette.paint("sign", "sign", "photo", "stripes")
            foot = spot.world([0, -height + shape[1] + 0.05, -0.05])
            boxes(mesh, foot, shape, board, Kind.SIGN, turn=spot.frame, fit=True, faces=CLOSED)


def _wires_across(mesh: MeshBuilder, palette: Palette, street: Street) -> None:
    """Cables from facade to facade, some with things on them."""
    rng = mesh.rng
    n = int(rng.integers(1, 6))
    z = rng.uniform(3, 28, n)
    height = -rng.uniform(4.2, 5.4, (n, 2))
    first = np.stack((np.full(n, -street.half), height[:, 0], z), axis=1)
    last = np.stack((np.full(n, street.half), height[:, 1], z + rng.uniform(-2, 2, n)), axis=1)
    lines = np.concatenate([_sagging(a, b) for a, b in zip(first, last, strict=True)])
    tubes(mesh, lines, 0.015, palette.plain(colour=0.2, bright=0.08), Kind.POLE, sides=3)
    if rng.random() < 0.5:  # flags, laundry, lamps
        hung = lines[:, 1:-1].reshape(-1, 3)
        hung = hung[rng.permutation(len(hung))[: max(1, round(0.6 * len(hung)))]]
        size = (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.8))
        cloth = palette.paint("photo", "fabric", "sign", "stripes", n=len(hung), colour=0.9)
        corner = hung + np.array([-size[0] / 2, 0.02, 0])
        panels(mesh, corner, (size[0], 0, 0), (0, size[1], 0.05), cloth, Kind.SIGN, fit=True)


def _trees(mesh: MeshBuilder, palette: Palette, street: Street, side: int, eye_x: float) -> None:
    rng = mesh.rng
    x = side * (street.road + min(0.9, street.pavement * 0.4))
    z = rng.uniform(3.5, 7)
    for _ in range(int(rng.integers(1, 4))):
        height = rng.uniform(4, 7.5)
        if _clear(x, z, eye_x, 0.9):
            tree(mesh, palette, (x, -KERB, z), height, leaves=130 if z < 10 else 70)
        z += rng.uniform(6, 14)


def _parked(mesh: MeshBuilder, palette: Palette, street: Street, side: int, eye_x: float) -> None:
    """Cars along a kerb."""
    rng = mesh.rng
    x = side * (street.road - 1.1)
    z = rng.uniform(3.5, 9)
    for _ in range(int(rng.integers(0, 3))):
        if abs(x - eye_x) > 1.9 or z > 8:
            yaw = (np.pi / 2) * rng.choice([-1, 1]) + rng.normal() * 0.03
            vehicles.car(mesh, palette, Spot.facing((x, 0, z), yaw))
        z += rng.uniform(5.2, 11)


def _on_pavement(mesh: MeshBuilder, palette: Palette, street: Street, side: int, eye_x: float) -> None:
    """Benches, bins, boxes, planters, railings, bicycles' racks."""
    rng = mesh.rng
    for _ in range(int(rng.integers(1, 4))):
        x = side * (street.road + rng.uniform(0.7, street.pavement - 0.4))
        z = rng.uniform(2.5, 16)
        if not _clear(x, z, eye_x, 0.9):
            continue
        spot = Spot.facing((x, -KERB - 0.001, z), side * np.pi / 2 + rng.normal() * 0.1)
        piece = int(rng.random() * 6)
        if piece == 0:
            vehicles.bench(mesh, palette, spot)
        elif piece == 1:
            paint = palette.paint("metal", "plaster", "stripes", "photo", colour=0.7, bright=0.7)
            revolve(mesh, CYLINDER, spot.at, (rng.uniform(0.2, 0.3), rng.uniform(0.8, 1.1)), paint, Kind.BOX, sides=14)
        elif piece == 2:
            cartons(mesh, palette, spot, rng.uniform(0.4, 0.8), int(rng.integers(1, 4)))
        elif piece == 3:
            paint = palette.paint("concrete", "wood", "brick", colour=0.3)
            boxes(mesh, (0, 0, 0), (1.1, 0.5, 0.5), paint, Kind.BOX, spot=spot)
            green = palette.paint("leaves", "grass", n=3, colour=0.3)
            shapes = [bush(rng) * [0.5, rng.uniform(0.4, 0.9)] for _ in range(3)]
            at = [spot.world([0.0, -0.48, dz]) for dz in (-0.12, 0.0, 0.12)]
            cutouts(mesh, shapes, at, spot.frame, green, Kind.PLANT)
        elif piece == 4:
            mesh_screen(mesh, palette, spot, rng.uniform(1.2, 2.4), rng.uniform(0.8, 1.2), rng.uniform(0.12, 0.25))
        else:
            vehicles.kiosk(mesh, palette, spot)


def _people(mesh: MeshBuilder, palette: Palette, street: Street, eye_x: float) -> None:
    """Cut-out figures and a few animals, facing the camera's side."""
    rng = mesh.rng
    n = int(rng.integers(0, 8))
    x, z = rng.uniform(-street.half + 0.5, street.half - 0.5, n), rng.uniform(2.5, 20, n)
    kept = np.hypot(x - eye_x, z) > 2.2
    at = np.stack((x, np.where(np.abs(x) > street.road, -KERB, 0.0), z), axis=1)[kept]
    if len(at):
        shapes = [(animal if rng.random() < 0.15 else person)(rng) for _ in at]
        paint = palette.paint("photo", "fabric", "photo", n=len(at), metres=2.0, colour=0.6, bright=0.8)
        cutouts(mesh, shapes, at, turned(rng.uniform(-0.5, 0.5, len(at))), paint, Kind.CUTOUT)
