"""Rooms: walls around a floor, windows and doors, furniture, pictures, lamps."""

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.lighting import room_light, through_windows
from datasets.scenes.scene import Kind, Scene, Standpoint
from datasets.scenes.shapes.flat import CLOSED, boxes
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.shapes.spot import Spot
from datasets.scenes.shapes.vectors import around
from datasets.scenes.things import furniture, small_things
from datasets.scenes.things.litter import litter
from datasets.scenes.things.room_shell import Side, enclose, plan, window_side
from datasets.textures.bank import TextureBank


class Floor:
    """Keeps furniture apart: discs (x, z, radius) that are taken."""

    def __init__(self, eye: Doubles) -> None:
        self._taken = eye.reshape(1, 3)

    def take(self, x: float, z: float, radius: float) -> bool:
        """Whether a disc is free; if so it is taken from now on."""
        gap = np.hypot(self._taken[:, 0] - x, self._taken[:, 1] - z) - self._taken[:, 2]
        free = bool((gap > radius).all())
        if free:
            self._taken = np.vstack((self._taken, [x, z, radius]))
        return free


def build(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """A furnished room; its light comes from all sides and from above, or as sun through the windows."""
    mesh, palette = MeshBuilder(rng), Palette(bank, rng)
    height = rng.uniform(2.4, 3.4)
    sides = plan(rng)
    points = np.array([side.start for side in sides])
    lowest, highest = points.min(axis=0), points.max(axis=0)
    width = highest[0] - lowest[0]
    x = rng.uniform(lowest[0] + 0.38 * width, lowest[0] + 0.62 * width)
    eye = np.array([x, rng.uniform(0.0, 0.5)])
    floor = Floor(np.array([*eye, 0.75]))
    sunny = rng.random() < 0.35
    enclose(mesh, palette, sides, height, lowest, highest, sunny)
    _furnish_walls(mesh, palette, sides, floor, height)
    _furnish_middle(mesh, palette, floor, lowest, highest, height, eye)
    light = room_light(rng, palette)
    if sunny:
        light = through_windows(rng, light, -window_side(sides).spot(0).frame[:, 2])
    e = np.array([eye[0], -rng.uniform(1.1, 1.7), eye[1]])
    standpoint = Standpoint(
        eye=around(e, (0.25, 0.15, 0.2)),
        look_at=np.array(
            [[lowest[0] + 0.3 * width, -1.5, 0.5 * highest[1]], [highest[0] - 0.3 * width, -0.6, 0.9 * highest[1]]],
            np.float32,
        ),
    )
    region = np.array(
        [[lowest[0] - 0.5, -height - 0.5, lowest[1] - 0.5], [highest[0] + 0.5, 0.5, highest[1] + 0.5]], np.float32
    )
    return mesh.finish("room", light, standpoint, 0.16, region)


def _furnish_walls(mesh: MeshBuilder, palette: Palette, sides: list[Side], floor: Floor, height: float) -> None:
    """Shelves, cabinets, sofas, beds, doors and pictures along the walls that the camera sees."""
    rng = mesh.rng
    windows = window_side(sides)
    shelves = 0
    for side in sides[:-1]:
        along = rng.uniform(0.3, 0.8)
        while along < side.length - 0.6:
            wide = min(rng.uniform(0.7, 2.2), side.length - along - 0.2)
            spot = side.spot(along + wide / 2)
            spot = Spot(spot.at - [0, 0.004, 0], spot.frame)  # undersides must not lie in the floor
            x, _, z = spot.world([0, 0, -0.45])
            pieces = (
                ("sofa", "cabinet", "bed", "none", "plant")
                if side is windows
                else ("shelf", "cabinet", "sofa", "door", "picture", "bed", "none", "boxes")
            )
            piece = pieces[int(rng.random() * len(pieces))]
            if piece == "shelf" and shelves > 1:
                piece = "picture"
            shelves += piece == "shelf"
            if floor.take(x, z, wide / 2 * 0.8):
                _wall_piece(mesh, palette, spot, piece, wide, height, side is not windows)
            along += wide + rng.uniform(0.1, 0.9)


def _wall_piece(
    mesh: MeshBuilder, palette: Palette, spot: Spot, piece: str, wide: float, height: float, pictures: bool
) -> None:
    """One piece of furniture at a wall, with a picture above where there is room."""
    rng = mesh.rng
    low = 0.9
    if piece == "shelf":
        low = min(rng.uniform(0.9, 2.2), height - 0.3)
        furniture.shelf(mesh, palette, spot, min(wide, 1.5), low, rng.uniform(0.24, 0.36))
    elif piece == "cabinet":
        low = rng.uniform(0.5, 1.1)
        top = furniture.cabinet(mesh, palette, spot, wide, low, rng.uniform(0.35, 0.55))
        _set_table(mesh, palette, top, wide, 0.35, int(rng.integers(0, 6)))
    elif piece == "sofa":
        furniture.sofa(mesh, palette, spot, max(wide, 0.9))
    elif piece == "bed":
        furniture.bed(mesh, palette, spot, min(max(wide, 0.9), 1.8))
        low = 1.3
    elif piece == "boxes":
        small_things.cartons(
            mesh, palette, Spot(spot.world([0, 0, -0.4]), spot.frame), rng.uniform(0.3, 0.6), int(rng.integers(1, 4))
        )
        low = 1.4
    elif piece == "plant":
        small_things.pot_plant(mesh, palette, Spot(spot.world([0, 0, -0.4]), spot.frame), rng.uniform(0.5, 1.6))
    if piece == "door":
        _door(mesh, palette, spot)
    elif pictures and height - low > 0.8 and rng.random() < 0.85:
        tall = min(rng.uniform(0.3, 1.1), height - low - 0.3)
        middle = spot.world([0, -low - 0.15 - tall / 2, 0])
        position = Spot(middle, spot.frame)
        furniture.picture(
            mesh, palette, position, min(wide, tall * rng.uniform(0.7, 1.6)), tall, frame=rng.random() < 0.7
        )


def _door(mesh: MeshBuilder, palette: Palette, spot: Spot) -> None:
    """A closed door with a frame, panels and a handle."""
    paint = palette.paint("wood", "plaster", "metal", colour=0.4, bright=0.9)
    surface = mesh.new_surfaces(1)
    position = np.array([[-0.47, 0, -0.03], [0.47, 0, -0.03], [0, -2.052, -0.03]])
    size = np.array([[0.08, 2.05, 0.05], [0.08, 2.05, 0.05], [1.02, 0.08, 0.05]])
    boxes(mesh, position, size, paint.tinted(0.75), Kind.WALL, spot=spot, surface=surface, faces=CLOSED)
    boxes(mesh, [0, -0.005, -0.012], (0.855, 2.04, 0.02), paint, Kind.WALL, spot=spot)
    fields = spot.world([[0, -0.15, -0.035], [0, -1.05, -0.035]])
    boxes(mesh, fields, [[0.6, 0.75, 0.02], [0.6, 0.85, 0.02]], paint.tinted(1.1), Kind.WALL, turn=spot.frame)
    cover = palette.paint("metal", bright=0.7)
    boxes(mesh, [0.33, -1.0, -0.06], (0.12, 0.02, 0.05), cover, Kind.WALL, spot=spot, faces=CLOSED)


def _furnish_middle(
    mesh: MeshBuilder, palette: Palette, floor: Floor, lowest: Doubles, highest: Doubles, height: float, eye: Doubles
) -> None:
    """Rug, tables with chairs and things, lamps, cartons, plants, columns, a screen."""
    rng = mesh.rng
    if rng.random() < 0.6:
        size = rng.uniform([1.2, 1.5], (highest - lowest) * 0.6 + 0.4)
        x, z = rng.uniform(lowest + size / 2 + 0.3, np.maximum(highest - size / 2 - 0.3, lowest + size / 2 + 0.31))
        rug = palette.paint("carpet", "photo", "fabric", "stripes", colour=0.8)
        boxes(mesh, (x, 0, z), (size[0], 0.012, size[1]), rug, Kind.GROUND, fit=rug.is_photo)
    litter(mesh, palette, int(rng.integers(0, 25)), tuple(lowest + 0.2), tuple(highest - 0.2), 0.0, (0.05, 0.25))
    pieces = [
        "table",
        "table",
        "table",
        "lamp",
        "boxes",
        "boxes",
        "plant",
        "column",
        "ball",
        "armchair",
        "screen",
        "chair",
    ]
    beside = eye[0] - 1.3, eye[0] + 1.3
    for turn in range(int(rng.integers(3, 8))):
        piece = pieces[int(rng.random() * len(pieces))]
        radius = {"table": 0.95, "armchair": 0.6, "screen": 0.6}.get(piece, 0.35)
        start, end = np.array([lowest[0] + 0.6, eye[1] + 1.0]), highest - [0.6, 0.8]
        if turn < 2:  # near the camera, in its view
            start, end = np.array([beside[0], eye[1] + 0.8 + radius]), np.array([beside[1], eye[1] + 1.6 + radius])
        for x, z in rng.uniform(start, end, (6, 2)):
            if lowest[0] + 0.5 < x < highest[0] - 0.5 and floor.take(x, z, radius):
                _middle_piece(mesh, palette, piece, Spot.facing((x, -0.013, z), rng.uniform(-3.1, 3.1)), height)
                break
    for _ in range(int(rng.integers(0, 3))):
        x, z = rng.uniform(lowest + np.array([0.8, 2.2]), highest - 0.8)
        furniture.pendant(mesh, palette, Spot.facing((x, -height, z), 0), rng.uniform(0.2, max(0.4, height - 2.3)))


def _middle_piece(mesh: MeshBuilder, palette: Palette, piece: str, spot: Spot, height: float) -> None:
    rng = mesh.rng
    if piece == "table":
        width, depth = rng.uniform(0.8, 1.6), rng.uniform(0.6, 0.95)
        spot = Spot.facing(spot.at, rng.choice([0, np.pi / 2]) + rng.normal() * 0.15)
        low = rng.random() < 0.25
        top = (
            furniture.table(mesh, palette, spot, width, depth, rng.uniform(0.35, 0.5))
            if low
            else furniture.dining(mesh, palette, spot, width, depth)
        )
        _set_table(mesh, palette, top, min(width, depth), min(width, depth) * 0.7, int(rng.integers(2, 9)))
    elif piece == "lamp":
        furniture.floor_lamp(mesh, palette, spot, rng.uniform(1.3, 1.8))
    elif piece == "boxes":
        small_things.cartons(mesh, palette, spot, rng.uniform(0.25, 0.6), int(rng.integers(1, 4)))
    elif piece == "plant":
        small_things.pot_plant(mesh, palette, spot, rng.uniform(0.6, 1.9))
    elif piece == "column":
        paint = palette.paint("concrete", "plaster", "brick", "wood", "photo", metres=1.5)
        boxes(mesh, (0, 0, 0), (0.3, height, 0.3), paint, Kind.WALL, spot=spot, faces=(0, 1, 2, 3), casts_shadow=False)
    elif piece == "ball":
        small_things.ball(mesh, palette, spot, rng.uniform(0.1, 0.35))
    elif piece == "armchair":
        furniture.sofa(mesh, palette, Spot(spot.world([0, 0, 0.4]), spot.frame), rng.uniform(0.85, 1.1))
    elif piece == "screen":
        small_things.mesh_screen(
            mesh, palette, spot, rng.uniform(0.8, 1.3), rng.uniform(0.9, 1.8), rng.uniform(0.1, 0.2)
        )
    else:
        furniture.chair(mesh, palette, spot)


def _set_table(mesh: MeshBuilder, palette: Palette, top: Spot, width: float, depth: float, n: int) -> None:
    """Up to n things on a table top."""
    points = small_things.spread(
        mesh.rng, n, (-width / 2 + 0.1, -depth / 2 + 0.08), (width / 2 - 0.1, depth / 2 - 0.08), 0.2
    )
    spots = [Spot(top.world([x, 0, z]), Spot.facing(top.at, mesh.rng.uniform(-3, 3)).frame) for x, z in points]
    small_things.scatter(mesh, palette, spots, size=0.9)
    if n > 3:
        small_things.table_lamp(mesh, palette, Spot(top.world([width * 0.3, 0, -depth * 0.1]), top.frame), 0.45)
