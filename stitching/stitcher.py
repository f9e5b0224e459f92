"""Stitch a pair: read -> align -> canvas -> warp -> splat -> generate -> compose."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse import Alignment, align_pictures
from stitching.alignment.coarse_warp import plan_canvas
from stitching.blending.compose import compose
from stitching.blending.crop import largest_rectangle
from stitching.blending.gain import COMPENSATORS
from stitching.blending.generators import find_generator
from stitching.blending.layers import Layers
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, Pixels
from stitching.io.picture import Picture, as_picture, shrink
from stitching.io.picture_reader import read_mask, read_picture
from stitching.io.warp_file import WarpField, load_warp
from stitching.network.runtime.network_files import find_network
from stitching.network.runtime.onnx_runtime import Device
from stitching.selection import Candidate, choose, smooth_map_xy, visible_cost
from stitching.summary import Summary, summarize
from stitching.warping.drawing import draw, draw_aligned_pair, draw_canvas_pair
from stitching.warping.estimators import find_estimator
from stitching.warping.placement import Placement, from_warp_field, place_target, to_warp_field
from stitching.warping.relax import relax_map
from stitching.warping.warp import AlignedPair, CanvasPair, Warp

PictureInput = str | PathLike[str] | NDArray[Any]
Progress = Callable[[str, float], None]

UNCHECKED = "homography", "loaded"  # warps that are not checked both ways
DEVICES = get_args(Device)
WARPS, BLENDS = ("classical", "network", "homography"), ("seam",)  # that auto tries, in this order
LONGEST_SIDE = 32766  # px that OpenCV's remap can take
DARK = 4  # grey levels: a picture that nowhere differs by more shows nothing


@dataclass(frozen=True)
class Options:
    """How a pair is stitched; the command line has the same options."""

    warp: str = "auto"
    """Estimator of the warp: classical (a dense warp for every pixel), network (the same with the trained network's
    matches), homography (coarse alignment only), auto (classical; where much of that shows or it may be wrong, the
    one of these that does better), network:FILE (weights that `parastitch train` or `parastitch export` wrote) or
    ptlflow:MODEL[:FILE] (a flow network of the package ptlflow, and the file of its weights)."""
    blend: str = "auto"
    """Generator of the blend: seam (graph cut and pyramid bands), network or network:FILE (SIGMo), auto (the one that
    has looked better so far: seam)."""
    device: Device = "auto"
    """Where the network computes: cpu, cuda, auto (a GPU where the installed packages can use one)."""
    compensator: Literal["gain", "field", "none"] = "gain"
    """Exposure matching: gain (one factor a channel), field (it also varies over the overlap) or none."""
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
        placement: the target's place on the working canvas.
        pair: both pictures on the working canvas, coarsely aligned; None where the warp was loaded.
        aligned_reference, aligned_target: (h, w, 3) uint8 on the working canvas after the warp.
        masks: what each shows there.
        trusted: (h, w), where the target is known to be in its place.
        weight: (h, w) float32, share of the reference.
        gain: (h, w, 3) float32, of the target.
        residual: (h, w, 2) float32, the warp after coarse alignment, canvas px: canvas pixel -> where the
            coarsely aligned target has what is shown there; NaN where not covered, or loaded from a file.
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
    placement: Placement
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

    @cached_property
    def warp(self) -> WarpField:
        """The estimated warp in full-size px, ready for `save_warp`."""
        return to_warp_field(self.placement, self.canvas, self.reference.size, self.target.size)


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
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.tell(name, 1.0)

    def tell(self, name: str, share: float) -> None:
        if self.progress is not None:
            self.progress(name, share)


def stitch(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),
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
        mask_reference, mask_target: paths or (h, w) arrays; what is zero is neither matched nor shown.
        warp: a warp from an earlier stitch of pictures of the same sizes, or its file: nothing is estimated.
        progress: called with (stage, share done 0..1).

    Raises:
        InputError: a picture cannot be used, or no overlap was found.
    """
    _check(options, estimates=warp is None)
    clock = _Clock(progress)
    with clock.stage("read"):
        first, second = _same_depth(_read(reference, mask_reference, "reference"), _read(target, mask_target, "target"))
    alignment, pair = None, None
    if warp is None:
        with clock.stage("align"):
            alignment = align_pictures(first, second)
            coarse = plan_canvas(alignment, first.size, second.size)
            canvas, scale = coarse.canvas, coarse.canvas.scale_for(options.work_megapix)
            pair, coarse_map = draw_canvas_pair(first, second, alignment, coarse, scale)
        place = partial(place_target, pair=pair, coarse_map=coarse_map, target_size=second.size, scale=scale)
        placements = _placements(options, pair, place, clock)
    else:
        loaded = warp if isinstance(warp, WarpField) else load_warp(Path(warp))
        canvas, placement = from_warp_field(loaded, first, second)
        placements = iter([("loaded", placement)])
    chosen, why = choose(_candidates(options, placements, (first, second), canvas, clock))
    placement, aligned, blend = chosen.placement, chosen.aligned, chosen.made
    with clock.stage("compose"):
        layers = _layers(first, second, canvas, placement, options.final_megapix)
        relaxed = relax_map(placement, blend.weight)
        shown = replace(layers, map_xy=relaxed)
        panorama, alpha = compose(shown, blend, lambda share: clock.tell("compose", share))
        left, top, right, bottom = crop = largest_rectangle(alpha) if options.crop else (0, 0, *layers.size)
    masks = _masks(aligned)
    residual = placement.residual / np.float32(placement.scale)
    alpha = alpha[top:bottom, left:right]
    return Stitched(
        panorama=panorama[top:bottom, left:right], alpha=alpha, reference=first, target=second, canvas=canvas,
        alignment=alignment, placement=placement, pair=pair, aligned_reference=aligned.reference,
        aligned_target=aligned.target, masks=masks, trusted=aligned.trusted, weight=blend.weight,
        gain=blend.gain, residual=residual, layers=layers, crop=crop,
        summary=summarize(
            first, second, canvas, alignment, masks, residual, alpha, chosen, why, _device(options, chosen),
            clock.seconds,
        ),
    )  # fmt: skip


def _tried(name: str, by_auto: tuple[str, ...]) -> tuple[str, ...]:
    """The methods that a name stands for."""
    return by_auto if name == "auto" else (name,)


def _placements(
    options: Options, pair: CanvasPair, place: Callable[[Warp], Placement], clock: _Clock
) -> Iterator[tuple[str, Placement]]:
    """Where each warp puts the target, best guess first; each is estimated when it is asked for."""
    for name in _tried(options.warp, WARPS):
        with clock.stage("warp"):
            placement = place(find_estimator(name, options.device)(pair))
        yield name, placement


def _candidates(
    options: Options, placements: Iterator[tuple[str, Placement]], pictures: tuple[Picture, Picture], canvas: Canvas,
    clock: _Clock,
) -> Iterator[Candidate]:  # fmt: skip
    """Every warp with every blend."""
    for warp, placement in placements:
        with clock.stage("generate"):
            aligned = draw_aligned_pair(*pictures, canvas, placement)
            natural = draw(pictures[1], smooth_map_xy(placement), placement.scale)[0]
        both = aligned.reference_valid & aligned.target_valid
        sure = None if warp in UNCHECKED or not both.any() else float(placement.trusted[both].mean())
        for name in _tried(options.blend, BLENDS):
            with clock.stage("generate"):
                made = find_generator(name, options.device)(aligned, options.compensator)
                cost = visible_cost(aligned, made, natural)
            yield Candidate(warp, name, placement, aligned, made, cost, sure)


def _device(options: Options, chosen: Candidate) -> str:
    """Where what was chosen was computed; only networks use a GPU."""
    for name in (chosen.warp, chosen.blend):
        kind, _, file = name.partition(":")
        if kind == "network" and find_network(name, file, options.device)().device == "cuda":
            return "cuda"
    return "cpu"


def _check(options: Options, estimates: bool) -> None:
    if estimates:
        for name in _tried(options.warp, WARPS):
            find_estimator(name, options.device)
    for name in _tried(options.blend, BLENDS):
        find_generator(name, options.device)
    known_names = ("compensator", COMPENSATORS), ("device", DEVICES)
    for name, known in known_names:
        if getattr(options, name) not in known:
            raise InputError(f"no {name} called {getattr(options, name)!r}; known: {', '.join(known)}")
    for name in ("work_megapix", "final_megapix"):
        value = getattr(options, name)
        if value is not None and not 0.01 <= value <= 10000:
            raise InputError(f"{name.replace('_', '-')} is {value}, expected 0.01 to 10000 Mpx")
    if options.work_megapix > 4:
        raise InputError(f"work-megapix is {options.work_megapix}, expected at most 4 (0.4 is usual)")


def _read(source: PictureInput, mask: PictureInput | None, name: str) -> Picture:
    picture = read_picture(source) if isinstance(source, str | PathLike) else as_picture(source, name)
    if max(picture.size) > LONGEST_SIDE:
        w, h = picture.size
        raise InputError(f"{picture.name} is {w} x {h} px; at most {LONGEST_SIDE} px a side, make it smaller")
    small = cv2.resize(picture.pixels, (64, 64), interpolation=cv2.INTER_AREA)
    spread = np.ptp(small.astype(np.float32), axis=(0, 1)).max()
    if spread < DARK * (257 if small.dtype == np.uint16 else 1):
        raise InputError(f"{picture.name} shows nothing: all of it has one colour; expected a photograph")
    if mask is None:
        return picture
    wanted = read_mask(mask, picture.size)
    valid = wanted if picture.valid is None else np.minimum(wanted, picture.valid)
    if not valid.any():
        raise InputError(f"the mask of {picture.name} leaves nothing of it; 0 = ignore, 255 = use")
    return Picture(picture.pixels, valid, picture.metadata, picture.name)


def _same_depth(first: Picture, second: Picture) -> tuple[Picture, Picture]:
    """8 bits become 16 where the other picture has 16."""
    if first.pixels.dtype == second.pixels.dtype:
        return first, second
    deep = [
        p if p.pixels.dtype == np.uint16
        else Picture(p.pixels.astype(np.uint16) * 257, p.valid, p.metadata, p.name)
        for p in (first, second)
    ]  # fmt: skip
    return deep[0], deep[1]


def _layers(reference: Picture, target: Picture, canvas: Canvas, placement: Placement, megapix: float | None) -> Layers:
    scale = 1.0 if megapix is None else canvas.scale_for(megapix)
    return Layers(shrink(reference, scale), shrink(target, scale), canvas, scale, placement.map_xy, placement.scale)


def _masks(aligned: AlignedPair) -> Masks:
    """Holes: enclosed by what was seen, but seen by neither picture."""
    valid = (aligned.reference_valid | aligned.target_valid).astype(np.uint8)
    outside = cv2.copyMakeBorder(valid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, np.zeros((0, 0), np.uint8), (0, 0), 1)
    return Masks(aligned.reference_valid, aligned.target_valid, outside[1:-1, 1:-1] == 0)
