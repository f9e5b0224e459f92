"""Small things: books, mugs, bottles, cans, balls, cartons, toys, cards, plants in pots. They stand on something."""

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import bars, boxes
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import animal, bent_blades, blob, cutouts, person
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.round import BALL, CONE, CYLINDER, lumps, revolve, tubes
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.vectors import leaning, turned

MUG = ((0, 0.12), (0.86, 0.12), (0.9, 1), (1, 1), (1, 1), (1, 0.06), (0.93, 0))
CAN = ((0, 0.97), (0.88, 0.97), (0.92, 1), (1, 0.96), (1, 0.04), (0.94, 0))
BOTTLE = (
    (0, 1),
    (0.34, 1),
    (0.34, 1),
    (0.36, 0.93),
    (0.32, 0.9),
    (0.34, 0.72),
    (0.95, 0.55),
    (1, 0.5),
    (1, 0.02),
    (0.94, 0),
)
VASE = ((0.45, 0.94), (0.5, 1), (0.58, 0.98), (0.4, 0.86), (0.66, 0.6), (1, 0.36), (0.8, 0.1), (0.55, 0))
BOWL = ((0, 0.2), (0.55, 0.3), (0.93, 1), (1, 1), (0.7, 0.3), (0.42, 0))
POT = ((0, 0.85), (0.88, 0.85), (0.9, 1), (1, 1), (1, 1), (1, 0.86), (0.93, 0.85), (0.7, 0))


def books(mesh: MeshBuilder, palette: Palette, spot: Spot, length: float, height: float, depth: float) -> None:
    """A row of upright books from `spot` to its right, at most `length` m long, up to `height` m tall."""
    rng = mesh.rng
    width = rng.uniform(0.016, 0.055, int(length / 0.03) + 1)
    right = np.cumsum(width)
    width, right = width[right < length], right[right < length]
    n = len(width)
    if not n:
        return
    tall = height * rng.uniform(0.68, 0.98, n)
    size = np.stack((width - 0.0025, tall, depth * rng.uniform(0.75, 0.95, n)), axis=1)
    base = np.stack((right - width / 2, 0 * right, -depth / 2 + size[:, 2] / 2 + rng.uniform(0, 0.02, n)), axis=1)
    kinds = ("photo", "fabric", "sign", "plaster", "stripes")
    paint = palette.paint(*kinds, n=n, metres=0.5, colour=0.9, bright=0.75)
    boxes(mesh, base, size, paint, Kind.BOX, spot=spot, faces=(0, 2, 3, 4), edges=False)


def book_stack(mesh: MeshBuilder, palette: Palette, spot: Spot, n: int) -> float:
    """Books that lie on each other. Returns the height of the stack, m."""
    rng = mesh.rng
    size = np.stack((rng.uniform(0.15, 0.24, n), rng.uniform(0.012, 0.045, n), rng.uniform(0.2, 0.3, n)), axis=1)
    level = np.cumsum(size[:, 1])
    base = np.stack((rng.uniform(-0.02, 0.02, n), size[:, 1] - level, rng.uniform(-0.02, 0.02, n)), axis=1)
    turn = spot.frame @ turned(rng.uniform(-0.25, 0.25, n))
    paint = palette.paint("photo", "sign", "photo", n=n, metres=0.3, colour=0.5)
    boxes(mesh, spot.world(base), size, paint, Kind.BOX, turn=turn)
    return float(level[-1])


def cartons(mesh: MeshBuilder, palette: Palette, spot: Spot, side: float, n: int = 1) -> None:
    """A stack of n cartons about `side` m wide, a little turned against each other."""
    rng = mesh.rng
    size = side * rng.uniform([0.6, 0.4, 0.6], [1.2, 1.0, 1.1], (n, 3)) * (0.9 ** np.arange(n))[:, None]
    base = np.stack((rng.uniform(-0.06, 0.06, n) * side, size[:, 1] - np.cumsum(size[:, 1]), 0 * size[:, 0]), axis=1)
    paint = palette.paint("photo", "sign", "wood", "fabric", "stripes", n=n, metres=side * 1.2, colour=0.5)
    turn = spot.frame @ turned(rng.uniform(-0.5, 0.5, n))
    boxes(mesh, spot.world(base), size, paint, Kind.BOX, turn=turn)


def mug(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """A mug with a handle."""
    rng = mesh.rng
    radius, height = rng.uniform(0.035, 0.05), rng.uniform(0.08, 0.12)
    paint = _glaze(palette)
    surface = mesh.new_surfaces(1)
    revolve(mesh, MUG, spot.at, (radius, height), paint, Kind.BOX, turn=spot.frame, sides=14, surface=surface)
    angle = np.linspace(-1.4, 1.4, 6)
    handle = np.stack(
        (radius * 0.9 + np.cos(angle) * 0.03, -height * 0.52 + np.sin(angle) * height * 0.3, 0 * angle), axis=1
    )
    tubes(mesh, spot.world(handle)[None], 0.006, paint, Kind.BOX, sides=5, surface=surface)


def _glaze(palette: Palette) -> Paint:
    return palette.paint("photo", "stripes", "plaster", "sign", metres=0.16, colour=0.8)


def vessel(mesh: MeshBuilder, palette: Palette, spot: Spot, *, size: float = 1.0) -> None:
    """A can, bottle, vase or bowl; `size` 1: as on a table."""
    rng = mesh.rng
    shapes = ((CAN, 0.035, 0.12), (BOTTLE, 0.04, 0.28), (VASE, 0.08, 0.26), (BOWL, 0.11, 0.08), (CYLINDER, 0.05, 0.16))
    profile, radius, height = shapes[int(rng.random() * len(shapes))]
    scale = rng.uniform(0.85, 1.3, 2) * size * [radius, height]
    paint = palette.paint("photo", "sign", "metal", "plaster", "stripes", metres=float(scale[1]) * 1.5, colour=0.8)
    revolve(mesh, profile, spot.at, scale, paint, Kind.BOX, turn=spot.frame, sides=18)


def ball(mesh: MeshBuilder, palette: Palette, spot: Spot, radius: float) -> None:
    """A ball that lies on the spot."""
    paint = palette.paint("photo", "stripes", "checker", "plaster", "fabric", metres=radius * 3, colour=0.9)
    revolve(mesh, BALL, spot.at, (radius, radius), paint, Kind.BOX, turn=spot.frame, sides=16)


def fruit(mesh: MeshBuilder, palette: Palette, spot: Spot, n: int) -> None:
    """A few fruits or pebbles beside each other."""
    rng = mesh.rng
    size = rng.uniform(0.03, 0.05, (n, 1)) * rng.uniform(0.85, 1.1, (n, 3))
    position = np.stack((rng.uniform(-0.12, 0.12, n), -size[:, 1] * 0.93, rng.uniform(-0.12, 0.12, n)), axis=1)
    paint = palette.same("plaster", "leaves", "rock", n=n, metres=0.3, colour=0.9)
    lumps(mesh, spot.world(position), size, paint, Kind.BOX, roughness=0.03)


def blocks(mesh: MeshBuilder, palette: Palette, spot: Spot, n: int) -> None:
    """Toy blocks: cubes, pillars and cones in strong colours, some on each other."""
    rng = mesh.rng
    side = rng.uniform(0.03, 0.06)
    cell = rng.permutation(9)[:n]
    position = np.stack(((cell % 3 - 1) * side * 1.7, 0 * cell, (cell // 3 - 1) * side * 1.7), axis=1)
    position[:, [0, 2]] += rng.uniform(-0.2, 0.2, (n, 2)) * side
    size = side * np.stack((np.ones(n), rng.choice([0.5, 1.0, 2.0], n), np.ones(n)), axis=1)
    paint = palette.plain(n, colour=1.0, bright=0.8)
    turn = spot.frame @ turned(rng.random(n) * 3)
    boxes(mesh, spot.world(position), size, paint, Kind.BOX, turn=turn)
    tops = position - size * [0, 1, 0]
    revolve(mesh, CONE, spot.world(tops[:2]), (side * 0.5, side), palette.plain(colour=1.0), Kind.BOX, sides=10)


def card(mesh: MeshBuilder, palette: Palette, spot: Spot, height: float) -> None:
    """A cut-out card with a foot: a blob, a figure or an animal, upright."""
    rng = mesh.rng
    outline = (blob, person, animal)[int(rng.random() * 3)](rng)
    outline = outline * (height / np.ptp(outline[:, 1]))
    frame = spot.frame @ leaning(rng.uniform(-0.15, 0.15))
    paint = palette.paint("photo", "photo", "sign", "stripes", colour=0.2)
    cutouts(mesh, [outline], spot.at[None], frame, paint, Kind.CUTOUT)


def frame_photo(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, height: float) -> None:
    """A photograph in a stand-up frame."""
    boxes(mesh, (0, 0, 0), (width + 0.03, height + 0.03, 0.015), palette.plain(), Kind.BOX, spot=spot)
    picture = spot.world([0, -0.015, -0.014])
    boxes(mesh, picture, (width, height, 0.008), palette.paint("photo"), Kind.SIGN, turn=spot.frame, fit=True)


def pot_plant(mesh: MeshBuilder, palette: Palette, spot: Spot, height: float) -> None:
    """A plant with long leaves in a pot, `height` m tall together."""
    rng = mesh.rng
    pot = height * rng.uniform(0.22, 0.34)
    paint = palette.paint("plaster", "concrete", "brick", "photo", metres=0.6, colour=0.5, bright=0.8)
    revolve(mesh, POT, spot.at, (pot * 0.5, pot), paint, Kind.PLANT, sides=12)
    n = int(rng.integers(14, 30))
    angle, reach = rng.random(n) * (2 * np.pi), rng.uniform(0.2, 0.55, n) * height
    rise = (height - pot) * rng.uniform(0.35, 1.0, n)
    tips = np.stack((np.cos(angle) * reach, -pot - rise, np.sin(angle) * reach), axis=1)
    green = palette.same("leaves", "grass", n=n, metres=0.6, colour=0.3, bright=1.1)
    root = spot.world([0, -pot * 0.8, 0])
    bent_blades(
        mesh, root, spot.world(tips), height * rng.uniform(0.06, 0.13), green, Kind.PLANT, sag=rng.uniform(-0.05, 0.25)
    )


def crate(mesh: MeshBuilder, palette: Palette, spot: Spot, size: tuple[float, float, float]) -> None:
    """An open crate or cage of slats: width, height, depth in m."""
    width, height, depth = size
    half = np.array([width, 0, depth]) / 2
    corners = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]) * half
    levels = np.linspace(0.06, 0.94, int(mesh.rng.integers(3, 6))) * height
    rails = corners[None] - levels[:, None, None] * [0, 1, 0]
    starts = np.concatenate((rails.reshape(-1, 3), corners))
    ends = np.concatenate((np.roll(rails, -1, axis=1).reshape(-1, 3), corners - [0, height, 0]))
    paint = palette.paint("wood", "metal", "plaster", colour=0.6)
    bars(mesh, spot.world(starts), spot.world(ends), height * 0.07, paint, Kind.BOX, surface=mesh.new_surfaces(1))


def mesh_screen(mesh: MeshBuilder, palette: Palette, spot: Spot, width: float, height: float, cell: float) -> None:
    """A frame with a net of thin bars, upright."""
    rng = mesh.rng
    paint = palette.paint("metal", "wood", "plaster", colour=0.6, bright=0.6)
    surface = mesh.new_surfaces(1)
    x = np.arange(-width / 2, width / 2 + 1e-6, max(cell, width / 18))
    y = -np.arange(0, height + 1e-6, max(cell, height / 14))
    slant = cell * rng.uniform(-1.5, 1.5) if rng.random() < 0.3 else 0.0
    starts = [(a, 0.0, 0.0) for a in x] + [(-width / 2, b, 0.004) for b in y]
    ends = [(a + slant, -height, 0.0) for a in x] + [(width / 2, b, 0.004) for b in y]
    thick = cell * rng.uniform(0.04, 0.16)
    row = np.repeat(surface, len(starts))
    bars(mesh, spot.world(starts), spot.world(ends), thick, paint, Kind.POLE, surface=row)
    posts = [(-width / 2, 0.0, 0.0), (width / 2, 0.0, 0.0)]
    tops = [(-width / 2, -height * 1.02, 0.0), (width / 2, -height * 1.02, 0.0)]
    bars(mesh, spot.world(posts), spot.world(tops), thick * 2.5, paint, Kind.POLE, surface=surface)


def table_lamp(mesh: MeshBuilder, palette: Palette, spot: Spot, height: float) -> None:
    """A lamp with a foot, a stem and a bright shade."""
    metal = palette.plain(bright=0.5)
    revolve(mesh, CYLINDER, spot.at, (height * 0.16, height * 0.03), metal, Kind.POLE)
    size = (max(0.006, height * 0.012), height * 0.7)
    revolve(mesh, CYLINDER, spot.world([0, -height * 0.03, 0]), size, metal, Kind.POLE, sides=8)
    shade = palette.paint("fabric", "stripes", "plaster", metres=0.5, colour=0.3, bright=1.5)
    top = spot.world([0, -height * 0.66, 0])
    revolve(
        mesh, ((0.6, 1), (1, 0)), top, (height * 0.22, height * 0.34), shade, Kind.POLE, sides=14, casts_shadow=False
    )


def scatter(mesh: MeshBuilder, palette: Palette, spots: list[Spot], *, size: float = 1.0) -> None:
    """One small thing on each spot, of table size times `size`."""
    rng = mesh.rng
    for spot in spots:
        choice = int(rng.random() * 11)
        if choice == 0:
            mug(mesh, palette, spot)
        elif choice in (1, 2):
            vessel(mesh, palette, spot, size=size)
        elif choice == 3:
            ball(mesh, palette, spot, size * rng.uniform(0.035, 0.09))
        elif choice == 4:
            height = book_stack(mesh, palette, spot, int(rng.integers(2, 6)))
            if rng.random() < 0.5:
                mug(mesh, palette, Spot(spot.at - [0, height, 0], spot.frame))
        elif choice in (5, 6):
            cartons(mesh, palette, spot, size * rng.uniform(0.1, 0.24), int(rng.integers(1, 3)))
        elif choice == 7:
            fruit(mesh, palette, spot, int(rng.integers(2, 5)))
        elif choice == 8:
            blocks(mesh, palette, spot, int(rng.integers(3, 8)))
        elif choice == 9:
            frame_photo(mesh, palette, spot, size * rng.uniform(0.1, 0.24), size * rng.uniform(0.12, 0.22))
        else:
            card(mesh, palette, spot, size * rng.uniform(0.16, 0.36))


def spread(
    rng: np.random.Generator, n: int, lowest: tuple[float, float], highest: tuple[float, float], apart: float
) -> Doubles:
    """Up to n points (m, 2) in a rectangle, at least `apart` from each other."""
    found = np.zeros((0, 2))
    for position in rng.uniform(lowest, highest, (6 * n, 2)):
        if len(found) < n and (((found - position) ** 2).sum(axis=1) > apart**2).all():
            found = np.concatenate((found, position[None]))
    return found
