"""Stitch any number of pictures: sources -> match graph -> joint adjustment -> canvas -> placing -> compose."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from stitching.blending.crop import largest_rectangle, shown_rectangle
from stitching.errors import InputError, require
from stitching.input_pair import PictureInput
from stitching.input_set import open_pictures
from stitching.io.picture import to_8_bit
from stitching.io.picture_source import LeftOut
from stitching.match_graph.build import build_graph
from stitching.mosaic.compose_mosaic import compose_mosaic
from stitching.mosaic.layout import estimate_layout, find_reference, known_layout
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import device_of
from stitching.mosaic.placing.place_all import place_all
from stitching.mosaic.warp_file import MosaicWarps, check_mosaic_warps, load_mosaic_warps
from stitching.network.runtime.unused_gpu import notes_on_unused_gpu
from stitching.options import Options, check_options
from stitching.stage_clock import Progress, StageClock


def stitch_many(
    pictures: Sequence[PictureInput],
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    reference: str | int | None = None,
    strict: bool = False,
    warps: MosaicWarps | str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Panorama:
    """Stitch two or more pictures taken from different places, in any order.

    Args:
        pictures: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order.
        options: see `Options`.
        reference: the picture whose view and brightness are kept: its position in the list, its path, file name or
            stem; None = the one in the middle, or that of the warps.
        strict: refuse where a picture would be left out.
        warps: of an earlier panorama of the same cameras in the same order, or their file: nothing is estimated.
        progress: called with (stage, share done 0..1).

    Raises:
        InputError: an option or a warp cannot be used, fewer than two pictures can be read or overlap, or `strict` and
            a picture would be left out.
    """
    check_options(options, estimates_warp=warps is None)
    if warps is not None:
        _refuse_choices_that_warps_hold(options, reference)
    loaded = None if warps is None else _usable(warps)
    clock = StageClock(progress)
    with clock.stage("read"):
        sources, unusable = open_pictures(
            pictures, lens=options.lens, max_megapix=options.max_megapix,
            report=lambda share: clock.report("read", share),
        )  # fmt: skip
    _refuse_if_strict(strict, unusable)
    if loaded is None:
        wanted = None if reference is None else find_reference(reference, sources, unusable)
        with clock.stage("match"):
            graph = build_graph(sources, options.motion, options.device, lambda share: clock.report("match", share))
        with clock.stage("adjust"):
            layout = estimate_layout(sources, graph, options, wanted)
    else:
        layout = known_layout(sources, loaded, len(pictures))
    _refuse_if_strict(strict, layout.apart)
    with clock.stage("place"):
        placing = place_all(sources, layout, options, lambda share: clock.report("place", share))
    _refuse_if_strict(strict, placing.left_out)
    left_out = (*unusable, *layout.apart, *placing.left_out)
    with clock.stage("compose"):
        canvas, scale = layout.canvas, placing.mosaic.scale
        output_scale = 1.0 if options.final_megapix is None else canvas.scale_for(options.final_megapix)
        panorama, alpha = compose_mosaic(
            sources, canvas, scale, placing.placed, output_scale, lambda share: clock.report("compose", share)
        )
        if not any(sources[one.picture].deep for one in placing.placed):  # those of 16 bits are left out, if any
            panorama = to_8_bit(panorama, sources[layout.arrangement.reference].copy.levels)
        crop = largest_rectangle(alpha) if options.crop else shown_rectangle(alpha)
    names = {one.warp.name for one in placing.placed if one.warp} | {options.blend_to_use}
    return Panorama(
        panorama[crop.slices], alpha[crop.slices], sources, left_out, layout.graph, layout.arrangement, canvas, scale,
        placing.placed, placing.mosaic.labels, output_scale, crop, clock.seconds,
        (*(f"{one.name} is left out: it {one.reason}" for one in left_out), *placing.warnings),
        tuple(notes_on_unused_gpu(sorted(names), options.device, device_of(placing.placed))),
    )  # fmt: skip


def _refuse_if_strict(strict: bool, left_out: tuple[LeftOut, ...]) -> None:
    if strict and left_out:
        reasons = "; ".join(f"{one.name} {one.reason}" for one in left_out[:5])
        raise InputError(f"--strict: {len(left_out)} of the pictures would be left out: {reasons}")


def _refuse_choices_that_warps_hold(options: Options, reference: str | int | None) -> None:
    choices = {"motion": options.motion, "projection": options.projection, "reference": reference}
    for name, chosen in choices.items():
        named = f"--{name} {chosen} with loaded warps"
        require(chosen in (None, "auto"), named, "none: they hold the reference, the canvas and all places")


def _usable(warps: MosaicWarps | str | PathLike[str]) -> MosaicWarps:
    """Warps that may have been made in Python, checked; or those of a file."""
    if not isinstance(warps, MosaicWarps):
        return load_mosaic_warps(Path(warps))
    check_mosaic_warps(warps)
    return warps
