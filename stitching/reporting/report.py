"""A stitch as one HTML page to look at: the panorama, how well the pictures line up, what the warp did."""

from collections.abc import Mapping
from html import escape
from os import PathLike
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stitching.geometry.pixel_maps import Mask, Size
from stitching.io.picture import Picture, to_8_bit
from stitching.reporting import visualize
from stitching.reporting.page_parts import (
    data_uri,
    facts_table,
    fill_template,
    seconds_table,
    shown_value,
    shrunk_size,
    tile_list,
    warning_list,
    write_page,
)
from stitching.result import Stitched
from stitching.summary import PARALLAX_WIDTH, Summary

PANORAMA_SIDE = 1600  # longest sides of the page's pictures, px: sharp on a laptop, about 1 MB in all
ALIGNED_SIDE = 1280
INPUT_SIDE = 900
FIELD_SIDE = 720

GROUPS = {
    "Alignment": ("alignment", "matches", "planes", "confidence", "overlap"),
    "Warp and blend": ("warp", "consistent", "parallax_median", "parallax_p90", "tears", "folds", "holes", "blend"),
    "Lenses": ("reference_lens", "target_lens"),
    "Sizes": ("reference_size", "target_size", "canvas_size", "panorama_size", "projection"),
}
SHOWN_ELSEWHERE = {"reference", "target", "seconds", "warnings", "notes", "verdict", "evidence"}  # on the page already
FORMATS = dict.fromkeys(("overlap", "tears", "folds", "holes"), "{:.2%}") | dict.fromkeys(
    ("parallax_median", "parallax_p90"), "{:.3g} px"
)
LOADED_WARP_NOTE = "The warp was loaded from a file, so what it adds to a coarse alignment is not known."


def write_report(stitched: Stitched, path: str | PathLike[str]) -> None:
    """Write `render_report` to `path`; nothing half-written is left where that fails."""
    write_page(render_report(stitched), path)


def render_report(stitched: Stitched) -> str:
    """One HTML page that needs nothing else: pictures inside as WebP, no script or style from elsewhere."""
    texts = _texts(stitched) | _panorama(stitched) | _comparison(stitched) | _fields(stitched)
    return fill_template("report.html", texts)


def _texts(stitched: Stitched) -> dict[str, str]:
    """Everything that is words and numbers, HTML-escaped."""
    summary, reference, target = stitched.summary, stitched.reference, stitched.target
    reference_name, target_name = (escape(Path(picture.name).name) for picture in (reference, target))
    return {
        "title": f"{reference_name} + {target_name}",
        "heading": f'{reference_name} <span class="plus">+</span> {target_name}',
        "reference_name": reference_name,
        "target_name": target_name,
        "reference_path": escape(reference.name),
        "target_path": escape(target.name),
        "reference_size": shown_value(reference.size) + " px",
        "target_size": shown_value(target.size) + " px",
        "reference": _photograph(reference),
        "target": _photograph(target),
        "verdict": _verdict(len(summary.warnings), bool(stitched.holes.any() and (stitched.alpha == 0).any())),
        "verdict_class": "care" if summary.warnings else "good",
        "warnings": warning_list(summary.warnings),
        "fields_note": "" if stitched.alignment else LOADED_WARP_NOTE,
        "tiles": _tiles(stitched),
        "numbers": seconds_table(summary.seconds) + _verdict_table(summary) + _tables(summary.as_dict()),
    }


def _photograph(picture: Picture) -> str:
    pixels = to_8_bit(picture.pixels, picture.levels)
    return data_uri(pixels, picture.valid, INPUT_SIDE, picture.metadata.icc)


def _panorama(stitched: Stitched) -> dict[str, str]:
    """The panorama, and what can be drawn over it."""
    shown = shrunk_size(stitched.alpha, PANORAMA_SIDE)
    aligned = stitched.aligned
    reference, target, holes = (
        _on_panorama(mask.astype(np.float32), stitched, shown) > 0.5
        for mask in (aligned.reference_valid, aligned.target_valid, stitched.holes)
    )
    weight = _on_panorama(stitched.blend.weight, stitched, shown)
    half = max(1, round(shown[0] / 800))  # px: as strong on large panoramas
    core, line = (visualize.seam_line(weight, reference, target, thickness) for thickness in (half, half + 1))
    dark = np.zeros((*line.shape, 3), np.uint8)  # a dark rim keeps the white line readable on a bright sky
    red = np.full_like(dark, visualize.HOLE_COLOUR)
    lines = visualize.grid_lines(stitched.warp.forward)
    panorama, icc = to_8_bit(stitched.panorama, stitched.reference.levels), stitched.reference.metadata.icc
    return {
        "panorama": data_uri(panorama, stitched.alpha, PANORAMA_SIDE, icc),
        "panorama_width": str(shown[0]),
        "panorama_height": str(shown[1]),
        "seam": data_uri(visualize.overlaid(dark, core, (255, 255, 255)), line, PANORAMA_SIDE),
        "holes": data_uri(red, visualize.stripes(holes), PANORAMA_SIDE),
        "holes_label": "Holes" if holes.any() else "No holes",
        "holes_disabled": "" if holes.any() else "disabled",
        "view_box": _view_box(stitched),
        "grid": "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in lines),
    }


def _on_panorama(field: npt.NDArray[np.float32], stitched: Stitched, size: Size) -> npt.NDArray[np.float32]:
    """A field (h, w) of the working grid, drawn over the (cropped) panorama at `size` (w, h) px."""
    crop, (width, height) = stitched.crop, stitched.pictures.size
    x_scale, y_scale = field.shape[1] / width, field.shape[0] / height  # working px per output px
    x_step, y_step = crop.size[0] / size[0] * x_scale, crop.size[1] / size[1] * y_scale
    to_field = np.array(
        [
            [x_step, 0, crop.left * x_scale + 0.5 * x_step - 0.5],
            [0, y_step, crop.top * y_scale + 0.5 * y_step - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(field, to_field, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def _view_box(stitched: Stitched) -> str:
    """The (cropped) panorama in canvas px, as SVG wants it: x, y, width, height."""
    crop = stitched.crop
    x, y, width, height = np.array([*crop.origin, *crop.size]) * stitched.canvas.size[0] / stitched.pictures.size[0]
    return f"{x - 0.5:g} {y - 0.5:g} {width:g} {height:g}"  # pixel centres are at integers


def _comparison(stitched: Stitched) -> dict[str, str]:
    """The two aligned pictures, their difference, and where the divider stands at first."""
    aligned = stitched.aligned
    both = aligned.overlap
    apart = visualize.difference(aligned.reference, aligned.target, both)
    width, height = shrunk_size(both, ALIGNED_SIDE)
    middle = _middle(both if both.any() else aligned.reference_valid | aligned.target_valid)
    icc = stitched.reference.metadata.icc
    pictures = {
        "reference": data_uri(aligned.reference, aligned.reference_valid, ALIGNED_SIDE, icc),
        "target": data_uri(aligned.target, aligned.target_valid, ALIGNED_SIDE, icc),
    }
    left, right = pictures if _middle(aligned.reference_valid) <= _middle(aligned.target_valid) else reversed(pictures)
    return {
        "left": pictures[left],
        "right": pictures[right],
        "left_name": left,
        "right_name": right,
        "left_label": left.capitalize(),
        "right_label": right.capitalize(),
        "difference": data_uri(apart, None, ALIGNED_SIDE),
        "aligned_width": str(width),
        "aligned_height": str(height),
        "swipe": f"{100 * middle:.1f}",  # % of the width: the middle of the overlap
    }


def _middle(mask: Mask) -> float:
    """Mean column of a mask (h, w) as a share of its width, 0..1; 0.5 where it is empty."""
    columns = np.flatnonzero(mask.any(axis=0))
    return (float(columns.mean()) + 0.5) / mask.shape[1] if columns.size else 0.5


def _fields(stitched: Stitched) -> dict[str, str]:
    """What the warp and the blend did, each pixel by a colour, shaded by the pictures themselves."""
    aligned = stitched.aligned
    moves = -stitched.residual * (PARALLAX_WIDTH / stitched.reference.size[0])  # target -> canvas
    valid, both = aligned.reference_valid | aligned.target_valid, aligned.overlap
    length = np.asarray(np.hypot(moves[..., 0], moves[..., 1]), np.float32)
    moved = np.isfinite(length) & aligned.target_valid
    warp_limit, parallax_limit = visualize.robust_limit(length, moved), visualize.robust_limit(length, both)
    photo = np.where(aligned.reference_valid[..., None], aligned.reference, aligned.target)
    wheel, disc = visualize.flow_legend(116)
    ramp = np.linspace(0, 1, 264, dtype=np.float32)[None]  # (1, 264)
    everywhere = np.ones(ramp.shape, bool)

    def picture(colours: visualize.Colours, where: Mask) -> str:
        field = visualize.within(visualize.shaded(colours, photo), where, photo)
        return data_uri(field, valid | stitched.holes, FIELD_SIDE)

    coverage = visualize.coverage_colours(aligned.reference_valid, aligned.target_valid, stitched.holes)
    return {
        "flow": picture(visualize.flow_colours(moves, warp_limit), moved),
        "warp_limit": f"{warp_limit:g} px",
        "wheel": data_uri(wheel, disc, FIELD_SIDE),
        "parallax": picture(visualize.heat_map(length, both, parallax_limit), both),
        "parallax_limit": f"{parallax_limit:g}",
        "parallax_width": str(PARALLAX_WIDTH),
        "ramp": data_uri(visualize.heat_map(ramp, everywhere, 1.0), None, FIELD_SIDE),
        "weight": picture(visualize.weight_colours(stitched.blend.weight), valid),
        "weight_ramp": data_uri(visualize.weight_colours(ramp), None, FIELD_SIDE),
        "coverage": picture(coverage, valid | stitched.holes),
    }


def _verdict(warnings: int, holes: bool) -> str:
    if warnings:
        return f"Stitched, with {warnings} warning{'s' * (warnings > 1)}. Look at the seam before you use it."
    return "Stitched without warnings; a few holes remain." if holes else "Stitched without warnings or holes."


def _tiles(stitched: Stitched) -> str:
    """The few numbers that people look for first."""
    summary = stitched.summary
    tiles = [
        ("Panorama", shown_value(summary.panorama_size), f"px, {summary.projection}"),
        ("Overlap", f"{summary.overlap:.0%}", "of the target"),
        ("Time", f"{sum(summary.seconds.values()):.1f} s", summary.device),
    ]
    if summary.parallax_median is not None:  # the residual of a loaded warp is not known
        note = f"90th percentile {summary.parallax_p90:.3g} px"
        tiles.insert(2, ("Parallax", f"{summary.parallax_median:.3g} px", note))
    return tile_list(tiles)


def _verdict_table(summary: Summary) -> str:
    """The verdict, and what it rests on."""
    facts: dict[str, object] = {"verdict": summary.verdict}
    for name, value in summary.evidence.items():
        if name != "overlap":  # another table has it
            facts[name] = value if value is None or name == "textured_windows" else f"{value:.1%}"
    return facts_table("Verdict", facts, FORMATS)


def _tables(facts: Mapping[str, object]) -> str:
    """The summary, a table for each group."""
    known = SHOWN_ELSEWHERE.union(*GROUPS.values())
    groups = GROUPS | {"More": tuple(name for name in facts if name not in known)}
    return "".join(
        facts_table(title, {name: facts[name] for name in names}, FORMATS) for title, names in groups.items() if names
    )
