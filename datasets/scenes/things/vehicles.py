"""Cars, benches and kiosks for streets."""

import numpy as np

from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import CLOSED, boxes, panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import prisms
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.shapes.round import revolve
from datasets.scenes.shapes.spot import Spot

_ON_ITS_SIDE = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # a body of revolution's top goes to -z


def car(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """A parked car, van or pick-up; local x is its length, its side looks to -z."""
    rng = mesh.rng
    long, wide, tall = rng.uniform(3.8, 4.9), rng.uniform(1.65, 1.85), rng.uniform(1.4, 1.6)
    bonnet, boot = rng.uniform(0.24, 0.3), rng.uniform(0.02, 0.16)
    if rng.random() < 0.25:  # a van
        tall, bonnet, boot = rng.uniform(1.8, 2.3), 0.14, 0.0
    belt = 0.58 if tall < 1.7 else 0.5
    side = np.array(
        [(0, 0.3), (0.005, 0.5), (0.03, belt), (bonnet, belt + 0.05), (bonnet + 0.13, 0.97), (bonnet + 0.22, 1.0),
         (0.9 - boot, 0.99), (0.99 - boot * 0.4, belt + 0.05), (1, belt), (1, 0.24), (0.96, 0.16), (0.04, 0.16)]
    )  # fmt: skip
    outline = (side - [0.5, 0]) * [long, -tall]
    body = palette.paint("metal", "plaster", "photo", metres=5.0, colour=0.9, bright=rng.choice([0.25, 0.7, 1.1]))
    prisms(mesh, outline, spot.at, wide, spot.frame, body, body, Kind.BOX)
    glass = palette.paint("clouds", "photo", metres=3.0, colour=0.1, bright=0.22)
    top, low = -tall * 0.92, -tall * (belt + 0.07)
    a, b = (bonnet + 0.12 - 0.5) * long, (0.86 - boot - 0.5) * long
    split = (a + b) / 2
    for z, sign in ((-wide / 2 - 0.012, 1), (wide / 2 + 0.012, -1)):
        for left, right in ((a + 0.05, split - 0.05), (split + 0.05, b)):
            corner = spot.world([left if sign > 0 else right, top, z])
            panels(mesh, corner, spot.frame @ [sign * (right - left), 0, 0], (0, low - top, 0), glass, Kind.BOX)
    screens = [outline[3], outline[4]], [outline[7], outline[6]]
    for (lower, upper), sign in zip(screens, (-1, 1), strict=True):
        down = np.array([*((lower - upper) * 0.84), 0.0])
        x, y = upper + (lower - upper) * 0.08
        first = (x + sign * 0.012, y - 0.012, -sign * wide * 0.44)
        panels(mesh, first, [0, 0, sign * wide * 0.88], down, glass, Kind.BOX, spot=spot)
    _wheels(mesh, palette, spot, long, wide)
    for end in (-long / 2 - 0.012, long / 2 + 0.012):
        position = spot.world([(end, -tall * 0.42, -0.36 * wide), (end, -tall * 0.42, 0.36 * wide)])
        paint = palette.plain(colour=0.9, bright=1.0)
        boxes(mesh, position, (0.03, 0.13, 0.26), paint, Kind.BOX, turn=spot.frame, faces=CLOSED, edges=False)


def _wheels(mesh: MeshBuilder, palette: Palette, spot: Spot, long: float, wide: float) -> None:
    rubber = palette.paint("asphalt", "plaster", metres=1.0, colour=0.05, bright=0.08)
    hub = palette.paint("metal", "plaster", metres=0.5, colour=0.1, bright=0.6)
    for sign in (-1, 1):
        frame = spot.frame @ (_ON_ITS_SIDE if sign < 0 else _ON_ITS_SIDE * [1, -1, -1])
        inner = np.array([[x * long, -0.31, sign * (wide / 2 - 0.14)] for x in (-0.31, 0.3)])
        revolve(
            mesh, ((0.62, 1), (1, 0.96), (1, 0)), spot.world(inner), (0.31, 0.16), rubber, Kind.BOX, turn=frame, sides=9
        )
        revolve(mesh, ((0, 1), (0.64, 1)), spot.world(inner), (0.31, 0.15), hub, Kind.BOX, turn=frame, sides=6)


def bench(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """A bench of planks that looks to -z."""
    rng = mesh.rng
    wide = rng.uniform(1.3, 2.0)
    plank = palette.paint("wood", "metal", "plaster", colour=0.5, bright=0.8)
    seat = [(0, -0.42, z, wide, 0.035, 0.09) for z in (-0.2, -0.09, 0.02, 0.13)]
    back = [(0, -y, 0.2 + 0.1 * i, wide, 0.1, 0.03) for i, y in enumerate((0.52, 0.68))]
    table = np.array(seat + back)
    surface = mesh.new_surfaces(1)
    boxes(mesh, table[:, :3], table[:, 3:], plank, Kind.FURNITURE, spot=spot, faces=CLOSED, surface=surface)
    legs = np.array([(x, 0, z, 0.05, 0.42, 0.05) for x in (-wide * 0.4, wide * 0.4) for z in (-0.18, 0.15)])
    metal = palette.paint("metal", "concrete", bright=0.4)
    surface = mesh.new_surfaces(1)
    boxes(mesh, legs[:, :3], legs[:, 3:], metal, Kind.FURNITURE, spot=spot, faces=(0, 1, 2, 3), surface=surface)


def kiosk(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """An advertising column, an electricity box or a billboard on two posts."""
    rng = mesh.rng
    style = rng.random()
    if style < 0.4:
        photo = palette.paint("photo", metres=3.0)
        profile = ((0, 1), (0.4, 0.96), (1.08, 0.9), (1.08, 0.87), (1, 0.87), (1, 0.87), (1, 0))
        revolve(mesh, profile, spot.at, (rng.uniform(0.4, 0.6), rng.uniform(2.3, 2.9)), photo, Kind.SIGN, sides=18)
    elif style < 0.7:
        paint = palette.paint("metal", "photo", "plaster", metres=1.5, colour=0.5, bright=0.8)
        boxes(mesh, (0, 0, 0), (rng.uniform(0.6, 1.2), rng.uniform(0.9, 1.4), 0.35), paint, Kind.BOX, spot=spot)
    else:
        wide, tall = rng.uniform(1.0, 1.8), rng.uniform(1.2, 1.8)
        posts = spot.world([[-wide * 0.4, 0, 0], [wide * 0.4, 0, 0]])
        boxes(mesh, posts, (0.08, 0.65, 0.07), palette.paint("metal", bright=0.4), Kind.POLE, turn=spot.frame)
        boxes(
            mesh, [0, -0.6, 0], (wide, tall, 0.1), palette.paint("photo"), Kind.SIGN, spot=spot, faces=CLOSED, fit=True
        )
