"""The warp as a file: an .npz that maps canvas pixels to target pixels."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.geometry.pixel_maps import Field, Mask, Size
from stitching.io.files import atomic_write, check_readable
from stitching.io.npz_file import ArrayForm, read_arrays

VERSION = 1

MAX_BYTES = 600_000_000  # of all arrays, in memory

_NUMBER, _PAIR = ArrayForm("iuf", ()), ArrayForm("iu", (2,))
_FIELD, _MASK = ArrayForm("f", (-1, -1, 2)), ArrayForm("b", (-1, -1))
_PARTS = {
    "version": _NUMBER, "map": _FIELD, "trusted": _MASK, "scale": _NUMBER, "forward": _FIELD,
    "forward_scale": _NUMBER, "origin": _PAIR, "focal": _NUMBER, "reference_size": _PAIR,
    "target_size": _PAIR, "canvas_size": _PAIR,
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


def save_warp(path: Path, warp: WarpField) -> None:
    """Write a warp as npz without pickle; arrays as in `WarpField`, plus `version`."""
    parts: dict[str, Any] = {part.name: getattr(warp, part.name) for part in fields(warp)}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **parts, version=VERSION)


def load_warp(path: Path) -> WarpField:
    """Read a warp written by `save_warp`.

    Raises:
        InputError: missing, unreadable, pickled, of another version, or arrays of a wrong shape.
    """
    check_readable(path, "a file that --save-warp wrote")
    try:
        return _to_warp_field(read_arrays(path, _PARTS, MAX_BYTES))
    except ValueError as error:
        raise InputError(
            f"{path} is not a warp that this version can use ({error}); write it again with --save-warp"
        ) from error


def _to_warp_field(arrays: dict[str, NDArray[Any]]) -> WarpField:
    """The warp that checked parts hold; ValueError where they do not fit together."""
    if arrays["version"] != VERSION:
        raise ValueError(f"version {arrays['version']}, expected {VERSION}")
    scale, forward_scale, focal = (float(arrays[name]) for name in ("scale", "forward_scale", "focal"))
    if not (0 < scale <= 1 and 0 < forward_scale <= 1 and 0 <= focal < np.inf):
        raise ValueError(f"scale {scale}, forward_scale {forward_scale} or focal {focal} is out of range")
    (w, h), map_shape = arrays["canvas_size"].tolist(), arrays["map"].shape[:2]
    if min(w, h) < 1 or map_shape != (round(h * scale), round(w * scale)) or min(map_shape) < 1:
        raise ValueError(f"map {map_shape} does not fit a canvas_size of {w} x {h}")
    if arrays["trusted"].shape != map_shape:
        raise ValueError(f"trusted {arrays['trusted'].shape} does not fit the map {map_shape}")
    origin, reference_size, target_size, canvas_size = (
        (int(arrays[name][0]), int(arrays[name][1]))
        for name in ("origin", "reference_size", "target_size", "canvas_size")
    )
    return WarpField(
        map=arrays["map"].astype(np.float32), trusted=arrays["trusted"], scale=scale,
        forward=arrays["forward"].astype(np.float32), forward_scale=forward_scale, origin=origin, focal=focal,
        reference_size=reference_size, target_size=target_size, canvas_size=canvas_size,
    )  # fmt: skip
