"""Stitch a pair: read -> align -> canvas -> warp -> splat -> generate -> compose."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment import Alignment, align
from stitching.blend import AlignedPair, Blend
from stitching.calm import calm_places
from stitching.canvas import Canvas, CoarseWarp, Surface, plan_canvas
from stitching.compose import Layers, compose
from stitching.crop import largest_rectangle
from stitching.errors import InputError
from stitching.estimators import ESTIMATORS
from stitching.fields import (
    Field,
    Mask,
    Pixels,
    inside,
    look_up,
    pixel_grid,
    push_pull,
    rescale,
    smooth_map,
)
from stitching.generators import GENERATORS
from stitching.images import Picture, as_picture, read_mask, read_picture
from stitching.splat import splat
from stitching.summary import Summary, summarize
from stitching.warp import CanvasPair, Warp, WarpField, forward_map, load_warp

PictureInput = str | PathLike[str] | NDArray[Any]
Progress = Callable[[str, float], None]

FEATURE_AREA = 0.3e6  # px at which features are sought
DARK = 4  # grey levels: a picture that nowhere differs by more shows nothing
STAGES = ("read", "align", "warp", "generate", "compose")
CLOSED_HOLES = 9  # px of the working canvas: narrower holes are stretches, not openings


@dataclass(frozen=True)
class Options:
    """How a pair is stitched; the command line has the same options."""

    warp: Literal["classical", "homography"] = "classical"
    """Estimator of the warp: classical (a dense warp for every pixel) or homography (coarse alignment only)."""
    blend: Literal["seam"] = "seam"
    """Generator of the blend: seam (graph cut and pyramid bands)."""
    device: Literal["auto", "cpu"] = "auto"
    """Where it computes; the classical estimator and the seam have only the CPU."""
    compensator: Literal["field", "gain", "none"] = "field"
    """Exposure matching: field (a gain that varies over the overlap), gain (one a channel) or none."""
    work_megapix: float = 0.4
    """Size of the canvas on which warp and blend are estimated, Mpx."""
    final_megapix: float | None = None
    """Largest size of the panorama, Mpx; without it, as large as the pictures give."""
    crop: bool = False
    """Cut the panorama to the largest rectangle without empty pixels."""


@dataclass(frozen=True)
class Masks:
    """What is seen where, on the working canvas; each (h, w) bool."""

    reference: Mask
    target: Mask
    holes: Mask


@dataclass(frozen=True)
class Stitched:
    """A stitched pair.

    Attributes:
        panorama: (H, W, 3) BGR uint8 or uint16, zero where nothing was seen.
        alpha: (H, W) uint8, 255 where something was seen, else 0.
        reference, target: the pictures as read.
        canvas: the full canvas, before any crop.
        alignment: coarse alignment, full-size px; None where the warp was loaded.
        warp: the estimated warp, full-size px.
        pair: both pictures on the working canvas, coarsely aligned; None where the warp was loaded.
        aligned_reference, aligned_target: (h, w, 3) uint8 on the working canvas after the warp.
        masks: what each shows there.
        trusted: (h, w), where the target is known to be in its place.
        weight: (h, w) float32, share of the reference.
        gain: (h, w, 3) float32, of the target.
        residual: (h, w, 2) float32, the warp after coarse alignment, canvas px; NaN where not covered.
        layers: the pictures and the estimated warp, to draw either on the full canvas again.
        crop: (left, top, right, bottom) of the panorama on the output canvas.
        summary: what was done, in numbers.
    """

    panorama: Pixels
    alpha: NDArray[np.uint8]
    reference: Picture
    target: Picture
    canvas: Canvas
    alignment: Alignment | None
    warp: WarpField
    pair: CanvasPair | None
    aligned_reference: NDArray[np.uint8]
    aligned_target: NDArray[np.uint8]
    masks: Masks
    trusted: Mask
    weight: NDArray[np.float32]
    gain: NDArray[np.float32]
    residual: Field
    layers: Layers
    crop: tuple[int, int, int, int]
    summary: Summary


@dataclass
class _Clock:
    """Seconds per stage, and the caller's progress callback."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.tell(name, 0.0)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.tell(name, 1.0)

    def tell(self, name: str, share: float) -> None:
        if self.progress is not None:
            self.progress(name, share)


@dataclass(frozen=True)
class _Placed:
    """The target's place on the working canvas: what an estimator found, or a file said.

    `places`: (h, w, 2) target px; `covered` and `trusted`: (h, w); `residual`: (h, w, 2) working px.
    """

    places: Field
    covered: Mask
    trusted: Mask
    residual: Field


def stitch(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
    warp: WarpField | str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Stitched:
    """Stitch two pictures taken from different places.

    Args:
        reference, target: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order. The panorama keeps
            the reference's view.
        options: see `Options`.
        mask_reference, mask_target: paths or (h, w) arrays; regions that are zero are neither matched nor shown.
        warp: a warp from an earlier stitch of pictures of the same sizes, or its file: nothing is estimated.
        progress: called with (stage, share done 0..1).

    Raises:
        InputError: a picture cannot be used, or no overlap was found.
    """
    _check(options)
    clock = _Clock(progress)
    with clock.stage("read"):
        first, second = _read(reference, mask_reference), _read(target, mask_target)
        first, second = _same_depth(first, second)
    alignment, pair = None, None
    if warp is None:
        with clock.stage("align"):
            alignment = _align(first, second)
            coarse = plan_canvas(alignment, first.size, second.size)
        canvas, scale = coarse.canvas, _scale_for(coarse.canvas, options.work_megapix)
        with clock.stage("warp"):
            pair, coarse_places = _place_on_canvas(first, second, alignment, coarse, scale)
            placed = _place_target(ESTIMATORS[options.warp](pair), pair, coarse_places, second.size)
            field_ = _warp_field(placed, scale, canvas, first, second)
    else:
        field_ = warp if isinstance(warp, WarpField) else load_warp(Path(warp))
        canvas, scale = _loaded_canvas(field_, first, second), field_.scale
        placed = _loaded_places(field_)
    with clock.stage("generate"):
        aligned = _aligned_pair(first, second, canvas, scale, placed)
        blend = GENERATORS[options.blend](aligned, options.compensator)
    with clock.stage("compose"):
        layers = _layers(first, second, canvas, scale, placed.places, options.final_megapix)
        calm = calm_places(placed.places, placed.covered, placed.trusted, blend.weight)
        panorama, alpha = compose(
            replace(layers, places=calm), blend, lambda share: clock.tell("compose", share)
        )
        crop = largest_rectangle(alpha) if options.crop else (0, 0, *layers.size)
        left, top, right, bottom = crop
        panorama, alpha = panorama[top:bottom, left:right], alpha[top:bottom, left:right]
    masks = _masks(aligned, placed)
    residual = np.where(aligned.target_seen[..., None], placed.residual, np.nan).astype(np.float32)
    summary = summarize(
        first, second, canvas, alignment, masks, residual, scale, alpha, options, clock.seconds
    )
    return Stitched(
        panorama, alpha, first, second, canvas, alignment, field_, pair, aligned.reference, aligned.target,
        masks, aligned.trusted, blend.weight, blend.gain, residual / np.float32(scale), layers, crop, summary,
    )  # fmt: skip


def _check(options: Options) -> None:
    for name, known in (("warp", ESTIMATORS), ("blend", GENERATORS)):
        if getattr(options, name) not in known:
            raise InputError(f"no {name} called {getattr(options, name)!r}; known: {', '.join(known)}")
    for name in ("work_megapix", "final_megapix"):
        value = getattr(options, name)
        if value is not None and not 0.01 <= value <= 10000:
            raise InputError(f"{name.replace('_', '-')} is {value}, expected 0.01 to 10000 Mpx")
    if options.work_megapix > 4:
        raise InputError(f"work-megapix is {options.work_megapix}, expected at most 4 (0.4 is usual)")


def _read(source: PictureInput, mask: PictureInput | None) -> Picture:
    picture = as_picture(source) if isinstance(source, np.ndarray) else read_picture(source)
    small = cv2.resize(picture.pixels, (64, 64), interpolation=cv2.INTER_AREA)
    if np.ptp(small.astype(np.float64) / (257 if small.dtype == np.uint16 else 1)) < DARK:
        raise InputError(f"{picture.name} shows nothing: all of it has one colour; expected a photograph")
    if mask is None:
        return picture
    wanted = read_mask(mask, picture.size)
    seen = wanted if picture.seen is None else cv2.min(wanted, picture.seen)
    if not seen.any():
        raise InputError(f"the mask of {picture.name} leaves nothing of it; 0 = ignore, 255 = use")
    return Picture(picture.pixels, seen, picture.metadata, picture.name)


def _same_depth(first: Picture, second: Picture) -> tuple[Picture, Picture]:
    """8 bits become 16 where the other picture has 16."""
    if first.pixels.dtype == second.pixels.dtype:
        return first, second
    deep = [
        p if p.pixels.dtype == np.uint16
        else Picture(p.pixels.astype(np.uint16) * 257, p.seen, p.metadata, p.name)
        for p in (first, second)
    ]  # fmt: skip
    return deep[0], deep[1]


def _shrunk(picture: Picture, scale: float) -> Picture:
    """A smaller copy; the picture itself where it is not to shrink."""
    if scale >= 1:
        return picture
    size = max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale))
    pixels = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    seen = None if picture.seen is None else cv2.resize(picture.seen, size, interpolation=cv2.INTER_AREA)
    return Picture(pixels, seen, picture.metadata, picture.name)


def _eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)  # type: ignore[return-value]


def _align(reference: Picture, target: Picture) -> Alignment:
    scales = [min(1.0, float(np.sqrt(FEATURE_AREA / (p.size[0] * p.size[1])))) for p in (target, reference)]
    small = [_shrunk(p, s) for p, s in zip((target, reference), scales, strict=True)]
    grey = [cv2.cvtColor(_eight_bit(p.pixels), cv2.COLOR_BGR2GRAY) for p in small]
    found = align(grey[0], grey[1], small[0].seen, small[1].seen)
    # The true ratio of the rounded sizes, x and y alike to a fraction of a pixel.
    return found.rescaled(target.size[0] / small[0].size[0], reference.size[0] / small[1].size[0])


def _scale_for(canvas: Canvas, megapix: float) -> float:
    return min(1.0, float(np.sqrt(megapix * 1e6 / (canvas.size[0] * canvas.size[1]))))


def _working_size(canvas: Canvas, scale: float) -> tuple[int, int]:
    return round(canvas.size[0] * scale), round(canvas.size[1] * scale)


def _drawn(picture: Picture, places: Field, scale: float) -> tuple[NDArray[np.uint8], Mask]:
    """A picture drawn at the working scale where `places` (full-size px) say, and where it has pixels."""
    small = _shrunk(picture, scale)
    ratio = small.size[0] / picture.size[0]
    seen = inside(places, picture.size)
    where = rescale(places, ratio)
    if small.seen is not None:
        seen &= look_up(small.seen, where) > 127
    pixels = look_up(_eight_bit(small.pixels), where)
    return np.where(seen[..., None], pixels, 0).astype(np.uint8), seen


def _place_on_canvas(
    reference: Picture, target: Picture, alignment: Alignment, coarse: CoarseWarp, scale: float
) -> tuple[CanvasPair, Field]:
    """Both pictures on the working canvas, coarsely aligned, and the coarse map canvas -> target px."""
    size = _working_size(coarse.canvas, scale)
    places = smooth_map(coarse, size, scale)
    pixels, seen = _drawn(target, places, scale)
    reference_pixels, reference_seen = _drawn(
        reference, smooth_map(coarse.canvas.to_reference, size, scale), scale
    )
    matches = alignment.matches
    points = rescale(coarse.canvas.from_reference(matches.reference), scale)
    target_points = rescale(coarse.inverse(matches.target), scale)
    known = np.isfinite(points).all(axis=1) & np.isfinite(target_points).all(axis=1)
    pair = CanvasPair(reference_pixels, pixels, reference_seen, seen, points[known], target_points[known])
    return pair, places


def _place_target(warp: Warp, pair: CanvasPair, coarse_places: Field, target_size: tuple[int, int]) -> _Placed:
    """Splat the warp onto the canvas; narrow holes are closed, wide ones stay open."""
    splatted = splat(warp.residual, warp.confidence, pair.target_seen)
    residual = push_pull(splatted.residual, splatted.covered.astype(np.float32))
    h, w = splatted.covered.shape
    places = look_up(coarse_places, pixel_grid(h, w) + residual)
    covered = inside(places, target_size) & pair_seen_at(pair, residual)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CLOSED_HOLES, CLOSED_HOLES))
    trusted = cv2.morphologyEx(splatted.covered.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    return _Placed(places, covered, trusted & covered, residual)


def pair_seen_at(pair: CanvasPair, residual: Field) -> Mask:
    """(h, w): whether the coarsely aligned target has pixels where the warp takes them from."""
    h, w = residual.shape[:2]
    return look_up(pair.target_seen.astype(np.uint8), pixel_grid(h, w) + residual, cv2.INTER_NEAREST) > 0


def _warp_field(placed: _Placed, scale: float, canvas: Canvas, reference: Picture, target: Picture) -> WarpField:
    backward = np.where(placed.covered[..., None], placed.places, np.nan).astype(np.float32)
    forward, forward_scale = forward_map(backward, scale, canvas, target.size)
    return WarpField(
        backward, scale, forward, forward_scale, canvas.origin, canvas.surface.focal or 0.0,
        reference.size, target.size, canvas.size,
    )  # fmt: skip


def _loaded_canvas(warp: WarpField, reference: Picture, target: Picture) -> Canvas:
    for name, size, picture in (
        ("reference", warp.reference_size, reference),
        ("target", warp.target_size, target),
    ):
        if size != picture.size:
            raise InputError(
                f"the loaded warp is for a {name} of {size[0]} x {size[1]}, {picture.name} has"
                f" {picture.size[0]} x {picture.size[1]}; load a warp made from pictures of the same sizes"
            )
    w, h = warp.reference_size
    return Canvas(Surface(warp.focal or None, ((w - 1) / 2, (h - 1) / 2)), warp.origin, warp.canvas_size)


def _loaded_places(warp: WarpField) -> _Placed:
    covered = np.isfinite(warp.map).all(axis=2)
    places = push_pull(np.where(covered[..., None], warp.map, 0), covered.astype(np.float32))
    return _Placed(places, covered, covered, np.zeros_like(places))


def _aligned_pair(
    reference: Picture, target: Picture, canvas: Canvas, scale: float, placed: _Placed
) -> AlignedPair:
    h, w = placed.covered.shape
    pixels, seen = _drawn(target, placed.places, scale)
    reference_pixels, reference_seen = _drawn(reference, smooth_map(canvas.to_reference, (w, h), scale), scale)
    seen &= placed.covered
    return AlignedPair(reference_pixels, pixels, reference_seen, seen, placed.trusted & seen)


def _layers(
    reference: Picture, target: Picture, canvas: Canvas, scale: float, places: Field, megapix: float | None
) -> Layers:
    output_scale = 1.0 if megapix is None else _scale_for(canvas, megapix)
    return Layers(
        _shrunk(reference, output_scale), _shrunk(target, output_scale), canvas, output_scale,
        places, scale,
    )  # fmt: skip


def _masks(aligned: AlignedPair, placed: _Placed) -> Masks:
    """Holes: enclosed by what was seen, but seen by neither picture."""
    seen = (aligned.reference_seen | aligned.target_seen).astype(np.uint8)
    padded = cv2.copyMakeBorder(seen, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 1)  # type: ignore[call-overload]
    return Masks(aligned.reference_seen, aligned.target_seen, padded[1:-1, 1:-1] == 0)

