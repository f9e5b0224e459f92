"""The warp as a file: an .npz that maps canvas pixels to target pixels."""

import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, require
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import Field, Mask, Size, box_outline, remap, rescale
from stitching.io.files import AnyPath, atomic_write, check_readable
from stitching.io.npz_file import ArrayForm, read_arrays
from stitching.io.picture import MAX_SIDE

PICTURE_COUNT = "picture_count"  # an array that only files of the warps of many pictures hold
VERSION = 2  # 1 had no `horizontal_axis`: all its cylinders are vertical
MAX_BYTES = 600_000_000  # of all arrays in memory

# What every warp that `parastitch stitch` estimates keeps; files beyond it are damaged or made by something else.
MAX_CANVAS_SIDE = 1 << 20  # px
MAX_MAP_PIXELS = 6_000_000  # --work-megapix is at most 4, and sides are rounded
MIN_REDUCED_PIXELS = 5_000  # of a map smaller than its canvas: --work-megapix is at least 0.01
MAX_CANVAS_RATIO = 100  # px of the canvas, of the larger picture; one may be a tenth as wide in view as the other
FOCAL_RANGE = 0.2, 100.0  # of the longer side; a corrected picture shows 120 degrees at most
MAX_BEYOND_TARGET = 1.0  # px, by which a position may lie outside the target
MAX_ROUND_TRIP = 0.03  # of the canvas's diagonal: median of map and then forward; doubtful warps reach 0.015
MAX_MISSING_SHARE = 0.1  # beside `uncovered`: of the target's positions on the canvas; 0.02 at most are usual
_MAX_SAMPLES = 20_000  # positions whose round trip is measured

_NUMBER, _PAIR = ArrayForm("iuf", ()), ArrayForm("iu", (2,))
_NUMBERS = {
    "version": _NUMBER, "scale": _NUMBER, "forward_scale": _NUMBER, "origin": _PAIR, "focal": _NUMBER,
    "reference_size": _PAIR, "target_size": _PAIR, "canvas_size": _PAIR, "horizontal_axis": ArrayForm("b", ()),
    "uncovered": _NUMBER,
}  # fmt: skip


@dataclass(frozen=True)
class WarpField:
    """The estimated warp in full-size px, as `--save-warp` writes it.

    Attributes:
        map: (h, w, 2) float32, canvas px -> target px (x, y); NaN where not covered.
        trusted: (h, w) bool, where both pictures agree on the map, or only the target is valid; elsewhere the scene
            is hidden from one of them, and the map is extrapolated.
        scale: map px per canvas px; map px m is canvas px (m + 0.5) / scale - 0.5.
        forward: (ht, wt, 2) float32, target px -> canvas px, on the target's grid at `forward_scale`.
        forward_scale: forward px per target px.
        origin: (x, y) of canvas (0, 0) in reference px (on a cylinder: in its unrolled px).
        focal: radius of the cylinder in px, 0 = the canvas is the reference's plane.
        reference_size, target_size, canvas_size: (w, h), px.
        horizontal_axis: of the cylinder; else it is vertical.
        uncovered: share 0..1 of the target's positions on the canvas where the map is not covered, since the target is
            not valid there: masked, or beyond what its lens shows.
    """

    map: Field
    trusted: Mask
    scale: float
    forward: Field
    forward_scale: float
    origin: tuple[int, int]
    focal: float
    reference_size: Size
    target_size: Size
    canvas_size: Size
    horizontal_axis: bool = False
    uncovered: float = 0.0

    @property
    def canvas(self) -> Canvas:
        """The canvas that the map covers."""
        return _canvas(self.origin, self.focal, self.horizontal_axis, self.reference_size, self.canvas_size)


def save_warp(path: Path, warp: WarpField) -> None:
    """Write a warp as npz without pickle; arrays as in `WarpField`, plus `version`."""
    parts: dict[str, Any] = {part.name: getattr(warp, part.name) for part in fields(warp)}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **parts, version=VERSION)


def load_warp(path: Path) -> WarpField:
    """Read a warp written by `save_warp`.

    Raises:
        InputError: missing, unreadable, of another version, or no warp as `check_warp` wants it.
    """
    check_readable(path, "a file that --save-warp wrote")
    try:
        if count := read_arrays(path, {PICTURE_COUNT: ArrayForm("iu", ())}, 100, optional=(PICTURE_COUNT,)):
            raise InputError(f"it holds the warps of {count[PICTURE_COUNT]} pictures: use it for as many")
        parts = _read_numbers(path)
        _check_numbers(**parts)
        parts |= read_arrays(path, _map_forms(**parts), MAX_BYTES)
        maps = {name: parts[name].astype(np.float32, copy=False) for name in ("map", "forward")}
        warp = WarpField(**parts | maps)
        check_warp(warp)
    except InputError as error:
        raise InputError(
            f"{path} is not a warp that this version can use ({error}); write it again with --save-warp"
        ) from error
    return warp


def usable_warp(warp: WarpField | AnyPath) -> WarpField:
    """A warp that may have been made in Python, checked; or that of a file; InputError where it cannot be used."""
    if not isinstance(warp, WarpField):
        require(isinstance(warp, str | os.PathLike), f"warp: {type(warp).__name__}", "a WarpField, or its file")
        return load_warp(Path(warp))
    check_warp(warp)
    return warp


def _read_numbers(path: Path) -> dict[str, Any]:
    """What a warp file holds beside its maps, as Python's own numbers and pairs."""
    numbers = read_arrays(path, _NUMBERS, 1000, optional=("horizontal_axis", "uncovered"))
    version = numbers.pop("version")
    require(version in (1, VERSION), f"version {version}", f"1 or {VERSION}")
    if version == 1:
        numbers["horizontal_axis"] = np.array(False)
    numbers.setdefault("uncovered", np.array(0.0))  # files of earlier versions have none
    require("horizontal_axis" in numbers, "no horizontal_axis", "True or False")
    return {name: _as_python(value) for name, value in numbers.items()}


def _as_python(value: NDArray[Any]) -> Size | bool | float:
    if value.shape:
        return int(value[0]), int(value[1])
    return bool(value) if value.dtype.kind == "b" else float(value)


def check_warp(warp: WarpField) -> None:
    """Refuse a warp that `parastitch stitch` cannot have estimated.

    Raises:
        InputError: sizes, canvas, origin or scales out of range; arrays of another form; a map that leaves the target
            or covers nothing; a forward map that does not lead back, or leads to what the map does not cover.
    """
    parts = {part.name: getattr(warp, part.name) for part in fields(warp)}
    numbers = {name: parts[name] for name in _NUMBERS if name != "version"}
    _check_numbers(**numbers)
    for name, form in _map_forms(**numbers).items():
        array = np.asarray(parts[name])
        require(form.fits(array.dtype, array.shape), f"{name} is {array.dtype} {array.shape}", str(form))
    _check_map(warp)
    _check_forward(warp)
    _check_nothing_is_missing(warp)


def _check_numbers(
    scale: float,
    forward_scale: float,
    origin: tuple[int, int],
    focal: float,
    reference_size: Size,
    target_size: Size,
    canvas_size: Size,
    horizontal_axis: bool,
    uncovered: float,
) -> None:
    sizes = {"reference_size": reference_size, "target_size": target_size, "canvas_size": canvas_size}
    for name, size in sizes.items():
        longest = MAX_CANVAS_SIDE if name == "canvas_size" else MAX_SIDE
        require(min(size) >= 1 and max(size) <= longest, f"{name} {size}", f"1 to {longest} px a side")
    require(0 < scale <= 1, f"scale {scale:g}", "above 0, at most 1")
    require(0 <= uncovered < 1, f"uncovered {uncovered:g}", "0 or more, less than 1")
    require(0 < forward_scale <= 1, f"forward_scale {forward_scale:g}", "above 0, at most 1")
    low, high = (limit * max(reference_size) for limit in FOCAL_RANGE)
    require(focal == 0 or low <= focal <= high, f"focal {focal:g}", f"0, or {low:g} to {high:g} px")
    w, h = canvas_size
    most = MAX_CANVAS_RATIO * max(math.prod(reference_size), math.prod(target_size))
    require(w * h <= most, f"canvas_size {w} x {h}", f"at most {most} px for pictures of these sizes")
    pixels, least = round(w * scale) * round(h * scale), min(MIN_REDUCED_PIXELS, w * h)
    usable = least <= pixels <= MAX_MAP_PIXELS
    require(usable, f"scale {scale:g} of a canvas of {w} x {h}", f"a map of {least} to {MAX_MAP_PIXELS} px")
    frame = box_outline((0, 0), (reference_size[0] - 1, reference_size[1] - 1))
    outline = _canvas(origin, focal, horizontal_axis, reference_size, canvas_size).from_reference(frame)  # (n, 2)
    inside_canvas = np.floor(outline).min() >= 0 and (np.ceil(outline) <= (w - 1, h - 1)).all()
    require(bool(inside_canvas), f"origin {origin}, canvas_size {w} x {h}", "a canvas that holds the reference")


def _canvas(
    origin: tuple[int, int], focal: float, horizontal_axis: bool, reference_size: Size, canvas_size: Size
) -> Canvas:
    centre = (reference_size[0] - 1) / 2, (reference_size[1] - 1) / 2
    return Canvas(Surface(focal or None, centre, horizontal_axis), origin, canvas_size)


def _map_forms(
    scale: float, forward_scale: float, target_size: Size, canvas_size: Size, **_: Any
) -> dict[str, ArrayForm]:
    """What the arrays of a warp with these numbers must be."""
    w, h = (round(side * scale) for side in canvas_size)
    tw, th = (max(1, round(side * forward_scale)) for side in target_size)
    return {
        "map": ArrayForm("f", (h, w, 2)), "trusted": ArrayForm("b", (h, w)), "forward": ArrayForm("f", (th, tw, 2)),
    }  # fmt: skip


def _check_map(warp: WarpField) -> None:
    covered = ~np.isnan(warp.map).all(axis=-1)
    require(bool(covered.any()), "map that covers nothing", "some of the target on the canvas")
    positions = warp.map[covered]  # (n, 2)
    last = np.array(warp.target_size) - 0.5 + MAX_BEYOND_TARGET
    within = (positions >= -0.5 - MAX_BEYOND_TARGET).all() and (positions <= last).all()  # false for NaN, too
    w, h = warp.target_size
    require(
        bool(within), "map that leaves the target or is half NaN", f"positions in a picture of {w} x {h} px, or NaN"
    )


def _check_forward(warp: WarpField) -> None:
    """It is finite, and leads back to where the map begins, as far as that shows."""
    reach = 10.0 * np.add(warp.canvas_size, warp.target_size)  # where the canvas ends, `forward` is extrapolated
    within = (np.abs(warp.forward) <= reach).all()
    require(bool(within), "forward map that runs off or holds NaN", "positions on the canvas")
    rows, columns = np.nonzero(~np.isnan(warp.map[..., 0]))
    step = -(-len(rows) // _MAX_SAMPLES)
    rows, columns = rows[::step], columns[::step]
    start = rescale(np.stack([columns, rows], axis=-1).astype(np.float64), 1 / warp.scale)  # (n, 2) canvas px
    there = rescale(warp.map[rows, columns], warp.forward_scale)
    back = remap(warp.forward, there[:, None])[:, 0]  # (n, 2) -> (n, 1, 2), and back
    error = float(np.median(np.linalg.norm(back - start, axis=1)))
    most = MAX_ROUND_TRIP * math.hypot(*warp.canvas_size)
    require(error <= most, f"forward map that misses the map's positions by {error:.1f} px", f"at most {most:.1f} px")


def _check_nothing_is_missing(warp: WarpField) -> None:
    """The map covers what lies on the canvas by the forward map."""
    missing = uncovered_share(warp.map, warp.forward, warp.scale)
    most = warp.uncovered + MAX_MISSING_SHARE
    require(missing <= most, f"map without {missing:.0%} of what the forward map shows", f"at most {most:.0%}")


def uncovered_share(backward: Field, forward: Field, scale: float) -> float:
    """Share 0..1 of the positions on the canvas in a forward map at which the map `backward` is not covered."""
    there = rescale(forward, scale).round()
    h, w = backward.shape[:2]
    columns, rows = there[((there >= 0) & (there < (w, h))).all(axis=-1)].astype(np.int64).T  # (n,) each
    return float(np.isnan(backward[rows, columns, 0]).mean()) if rows.size else 0.0
