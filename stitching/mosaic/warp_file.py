"""The warps of all pictures of a panorama as one file: a fixed rig is estimated once, then used again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stitching.adjustment.arrangement import MOTIONS, Motion
from stitching.adjustment.canvas_choice import MAX_CANVAS_RATIO
from stitching.errors import InputError, require
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix
from stitching.geometry.pixel_maps import Field, Mask, Size, push_pull
from stitching.geometry.rectangles import Rectangle
from stitching.io.files import atomic_write, check_readable
from stitching.io.npz_file import ArrayForm, Arrays, read_arrays
from stitching.io.picture import MAX_SIDE
from stitching.io.picture_source import PictureSource
from stitching.io.warp_file import FOCAL_RANGE, MAX_BEYOND_TARGET, MAX_CANVAS_SIDE, PICTURE_COUNT
from stitching.mosaic.panorama import Panorama
from stitching.warping.placement import Placement

VERSION = 1
MAX_PICTURES = 10_000  # that were given
MAX_WORKING_PIXELS = 44_000_000  # of the working canvas; a stitch makes 40 million at most
MAX_ALL_PIXELS = 30_000_000  # of all maps together, 9 bytes each; a stitch makes 24 million at most, sides are rounded

_NUMBER, _PAIR, _FLAG = ArrayForm("iuf", ()), ArrayForm("iu", (2,)), ArrayForm("b", ())
_NUMBERS = {
    "version": _NUMBER, PICTURE_COUNT: ArrayForm("iu", ()), "scale": _NUMBER, "canvas_size": _PAIR, "origin": _PAIR,
    "surface_focal": _NUMBER, "horizontal_axis": _FLAG, "spherical": _FLAG, "motion": ArrayForm("iu", ()),
    "focal": _NUMBER, "frame_size": _PAIR, "residual": _NUMBER,
}  # fmt: skip
_TABLES = {
    "positions": ArrayForm("iu", (-1,)), "sizes": ArrayForm("iu", (-1, 2)), "windows": ArrayForm("iu", (-1, 4)),
    "to_picture": ArrayForm("f", (-1, 3, 3)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class PictureWarp:
    """Where one picture lies.

    Attributes:
        position: in the caller's list, from 0: the camera of the rig.
        size: (w, h), full-size px.
        window: of the working canvas, px; where the canvas wraps, columns may reach beyond its right end.
        to_picture: (3, 3), homogeneous px of the frame -> full-size picture px, as in `Arrangement`.
        map: (h, w, 2) float32, window -> full-size picture px; NaN where not covered.
        trusted: (h, w) bool, where the map is known; see `Placement`.
    """

    position: int
    size: Size
    window: Rectangle
    to_picture: Matrix
    map: Field
    trusted: Mask


@dataclass(frozen=True, eq=False)
class MosaicWarps:
    """Where all pictures of a panorama lie, as `--save-warp` keeps it.

    Attributes:
        picture_count: how many pictures the caller gave, those that were left out included.
        canvas: the full canvas.
        scale: working px per canvas px.
        motion, focal, frame_size, residual: as in `Arrangement`.
        pictures: in the order in which they were placed, the reference first.
    """

    picture_count: int
    canvas: Canvas
    scale: float
    motion: Motion
    focal: float | None
    frame_size: Size
    residual: float
    pictures: tuple[PictureWarp, ...]


class PicturePlacement(NamedTuple):
    """What places a picture again: see `PictureWarp`; `placement` lies on the window."""

    position: int
    window: Rectangle
    to_picture: Matrix
    placement: Placement


def to_mosaic_warps(panorama: Panorama) -> MosaicWarps:
    """The warps of a panorama, ready for `save_mosaic_warps`."""
    arrangement, pictures = panorama.arrangement, []
    for placed in panorama.placed:
        source, placement = panorama.sources[placed.picture], placed.placement
        backward = np.where(placement.covered[..., None], placement.map_xy, np.nan).astype(np.float32)
        matrix, trusted = arrangement.to_picture[placed.picture], placement.trusted & placement.covered
        pictures.append(PictureWarp(source.position, source.size, placed.window, matrix, backward, trusted))
    return MosaicWarps(
        picture_count=len(panorama.placed) + len(panorama.left_out), canvas=panorama.canvas,
        scale=panorama.scale, motion=arrangement.motion, focal=arrangement.focal, frame_size=arrangement.frame_size,
        residual=arrangement.residual, pictures=tuple(pictures),
    )  # fmt: skip


def placements(warps: MosaicWarps) -> list[PicturePlacement]:
    """What places each picture again, in the order of placing; the residuals of loaded warps are not known: NaN."""
    found = []
    for picture in warps.pictures:
        covered = ~np.isnan(picture.map[..., 0])
        map_xy = push_pull(np.where(covered[..., None], picture.map, 0), covered.astype(np.float32))
        unknown = np.broadcast_to(np.float32(np.nan), map_xy.shape)  # takes no memory
        placement = Placement(map_xy, covered, picture.trusted & covered, unknown, warps.scale)
        found.append(PicturePlacement(picture.position, picture.window, picture.to_picture, placement))
    return found


def check_fits(warps: MosaicWarps, picture_count: int, sources: Sequence[PictureSource]) -> None:
    """Raise InputError where the warps are for another number of pictures, or for pictures of other sizes.

    Args:
        warps: of an earlier panorama.
        picture_count: how many pictures the caller gave.
        sources: those of them that can be read.
    """
    require(
        warps.picture_count == picture_count,
        f"the loaded warps are for {warps.picture_count} pictures, but {picture_count} were given",
        "as many pictures as then, in the same order: one of each camera",
    )
    sizes = {picture.position: picture.size for picture in warps.pictures}
    for source in sources:
        size = sizes.get(source.position, source.size)
        if size != source.size:
            raise InputError(
                f"the loaded warps are for a picture {source.position + 1} of {size[0]} x {size[1]}, {source.name} has"
                f" {source.size[0]} x {source.size[1]}; give the pictures in the order in which the warps were saved,"
                " with the same --lens, or save warps of these"
            )


def save_mosaic_warps(path: Path, warps: MosaicWarps) -> None:
    """Write the warps as npz without pickle: docs/stitching/formats.md."""
    surface, pictures = warps.canvas.surface, warps.pictures
    parts: dict[str, Any] = {
        "version": VERSION, PICTURE_COUNT: warps.picture_count, "scale": warps.scale,
        "canvas_size": warps.canvas.size, "origin": warps.canvas.origin, "surface_focal": surface.focal or 0.0,
        "horizontal_axis": surface.horizontal_axis, "spherical": surface.spherical,
        "motion": MOTIONS.index(warps.motion),
        "focal": warps.focal or 0.0, "frame_size": warps.frame_size, "residual": warps.residual,
        "positions": [picture.position for picture in pictures], "sizes": [picture.size for picture in pictures],
        "windows": [(*picture.window.origin, picture.window.right, picture.window.bottom) for picture in pictures],
        "to_picture": np.stack([picture.to_picture for picture in pictures]),
    }  # fmt: skip
    for number, picture in enumerate(pictures):
        parts |= {f"map_{number}": picture.map, f"trusted_{number}": picture.trusted}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **parts)


def load_mosaic_warps(path: Path) -> MosaicWarps:
    """Read warps written by `save_mosaic_warps`.

    Raises:
        InputError: missing, unreadable, the warp of a pair, of another version, or no warps as `check_mosaic_warps`
            wants them.
    """
    check_readable(path, "a file that --save-warp wrote")
    try:
        count = read_arrays(path, {PICTURE_COUNT: _NUMBERS[PICTURE_COUNT]}, 1000, optional=(PICTURE_COUNT,))
        if not count and read_arrays(path, {"target_size": _PAIR}, 1000, optional=("target_size",)):
            raise InputError("it is the warp of a pair: use it for two pictures")
        warps = _read_warps(path)
        check_mosaic_warps(warps)
    except InputError as error:
        raise InputError(
            f"{path} does not hold warps of many pictures that this version can use ({error}); write it again with"
            " --save-warp"
        ) from error
    return warps


def holds_mosaic_warps(path: Path) -> bool:
    """Whether a file that `--save-warp` wrote is one of many pictures; False where it cannot be read."""
    try:
        check_readable(path, "a warp")
        return bool(read_arrays(path, {PICTURE_COUNT: _NUMBERS[PICTURE_COUNT]}, 1000, optional=(PICTURE_COUNT,)))
    except InputError:
        return False


def _read_warps(path: Path) -> MosaicWarps:
    numbers = read_arrays(path, _NUMBERS, 1000)
    version, count = int(numbers["version"]), int(numbers[PICTURE_COUNT])
    require(version == VERSION, f"version {version}", str(VERSION))
    require(1 <= count <= MAX_PICTURES, f"{PICTURE_COUNT} {count}", f"1 to {MAX_PICTURES}")
    motion = int(numbers["motion"])
    require(0 <= motion < len(MOTIONS), f"motion {motion}", f"0 to {len(MOTIONS) - 1}")
    tables = read_arrays(path, _TABLES, 1000 * count)
    windows = _windows(tables, count)
    forms: dict[str, ArrayForm] = {}
    for number, window in enumerate(windows):
        w, h = window.size
        forms |= {f"map_{number}": ArrayForm("f", (h, w, 2)), f"trusted_{number}": ArrayForm("b", (h, w))}
    maps = read_arrays(path, forms, 9 * MAX_ALL_PIXELS)
    pictures = tuple(
        PictureWarp(
            int(tables["positions"][number]), _pair(tables["sizes"][number]), window,
            tables["to_picture"][number].astype(np.float64),
            maps[f"map_{number}"].astype(np.float32, copy=False), maps[f"trusted_{number}"],
        )
        for number, window in enumerate(windows)
    )  # fmt: skip
    frame_size = _pair(numbers["frame_size"])
    centre = (frame_size[0] - 1) / 2, (frame_size[1] - 1) / 2
    focal, lying, spherical = (numbers[name].item() for name in ("surface_focal", "horizontal_axis", "spherical"))
    surface = Surface(focal or None, centre, lying, spherical)
    return MosaicWarps(
        count, Canvas(surface, _pair(numbers["origin"]), _pair(numbers["canvas_size"])), float(numbers["scale"]),
        MOTIONS[motion], float(numbers["focal"]) or None, frame_size, float(numbers["residual"]),
        pictures,
    )  # fmt: skip


def _windows(tables: Arrays, count: int) -> list[Rectangle]:
    """The pictures' windows, whose maps are small enough to be read."""
    rows = {len(table) for table in tables.values()}
    require(len(rows) == 1 and 1 <= min(rows) <= count, f"tables of {sorted(rows)} rows", f"1 to {count}, all alike")
    windows = [Rectangle(*(int(edge) for edge in row)) for row in tables["windows"]]
    empty = any(window.is_empty for window in windows)
    areas = [math.prod(window.size) for window in windows]
    require(not empty and sum(areas) <= MAX_ALL_PIXELS, f"windows of {sum(areas)} px", f"1 to {MAX_ALL_PIXELS} px")
    return windows


def _pair(values: Any) -> Size:
    return int(values[0]), int(values[1])


def check_mosaic_warps(warps: MosaicWarps) -> None:
    """Refuse warps that no stitch can have estimated.

    Raises:
        InputError: sizes, canvas, windows or scale out of range; positions that are not those of different pictures;
            matrices that cannot be inverted; a map that leaves its picture or covers nothing.
    """
    _check_canvas(warps)
    positions = [picture.position for picture in warps.pictures]
    within = len(set(positions)) == len(positions) >= 1 and 0 <= min(positions) <= max(positions) < warps.picture_count
    require(within, f"positions {positions}", f"different ones of 0 to {warps.picture_count - 1}")
    width, height = (math.ceil(side * warps.scale) for side in warps.canvas.size)
    for picture in warps.pictures:
        window = picture.window
        on_canvas = 0 <= window.left < width and window.right <= window.left + width + 1
        on_canvas = on_canvas and 0 <= window.top < window.bottom <= height + 1
        require(on_canvas and not window.is_empty, f"{window}", f"a part of a working canvas of {width} x {height}")
        _check_picture(picture)


def _check_canvas(warps: MosaicWarps) -> None:
    named = {"frame_size": (warps.frame_size, MAX_SIDE), "canvas_size": (warps.canvas.size, MAX_CANVAS_SIDE)}
    for name, (size, longest) in named.items():
        require(min(size) >= 1 and max(size) <= longest, f"{name} {size}", f"1 to {longest} px a side")
    require(0 < warps.scale <= 1, f"scale {warps.scale:g}", "above 0, at most 1")
    (w, h), shown = warps.canvas.size, sum(math.prod(picture.size) for picture in warps.pictures)
    most = min(MAX_CANVAS_RATIO * shown, round(MAX_WORKING_PIXELS / warps.scale**2))
    require(w * h <= most, f"canvas_size {w} x {h} at scale {warps.scale:g}", f"at most {most} px")
    low, high = (limit * max(warps.frame_size) for limit in FOCAL_RANGE)
    for focal in (warps.focal, warps.canvas.surface.focal):
        require(focal is None or low <= focal <= high, f"focal {focal}", f"0, or {low:g} to {high:g} px")
    require(math.isfinite(warps.residual) and warps.residual >= 0, f"residual {warps.residual}", "0 or more")


def _check_picture(picture: PictureWarp) -> None:
    w, h = picture.size
    require(min(w, h) >= 1 and max(w, h) <= MAX_SIDE, f"size {picture.size}", f"1 to {MAX_SIDE} px a side")
    largest = float(np.abs(picture.to_picture).max())
    usable = 0 < largest < math.inf  # false for NaN, too
    if usable:
        matrix = picture.to_picture / largest
        lengths = np.linalg.norm(matrix, axis=1)  # no determinant is larger than their product (Hadamard)
        usable = abs(float(np.linalg.det(matrix))) > 1e-15 * float(np.prod(lengths))
    require(usable, "a matrix that cannot be inverted", "one that leads from the frame to a picture")
    shape = picture.window.size[::-1]
    require(picture.map.shape == (*shape, 2), f"map of {picture.map.shape}", f"{(*shape, 2)}")
    require(picture.trusted.shape == shape, f"trusted of {picture.trusted.shape}", f"{shape}")
    covered = ~np.isnan(picture.map).all(axis=-1)
    require(bool(covered.any()), "a map that covers nothing", "some of the picture on the canvas")
    places = picture.map[covered]  # (n, 2)
    last = np.array(picture.size) - 0.5 + MAX_BEYOND_TARGET
    within = (places >= -0.5 - MAX_BEYOND_TARGET).all() and (places <= last).all()  # false for NaN, too
    require(bool(within), "a map that leaves its picture or is half NaN", f"places on {w} x {h} px, or NaN")
