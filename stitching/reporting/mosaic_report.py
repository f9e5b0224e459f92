"""A stitch of many pictures as one HTML page: outlines, each picture over the panorama, what joined them."""

import math
from html import escape
from os import PathLike
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Size
from stitching.io.picture import to_8_bit
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.summary import MosaicSummary, PictureSummary
from stitching.reporting import visualize
from stitching.reporting.mosaic_layers import PageLayer, deepest_place, draw_layer, shown_labels
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

PANORAMA_SIDE = 1600  # longest sides of the page's pictures, px
FIELD_SIDE = 900
MAX_COUNTS = 60  # lines of the graph whose numbers can be read beside each other
NEAR, BEND = 0.12, 0.3  # of a line's length: how near another picture's centre is on it, how far it is bent then
APART = 0.13  # of the root of the panorama's area: least distance of the numbers of pictures
COUNT_AT = 0.4  # of the way along a line: in the middle, numbers of lines that cross would meet
GROUPS = {
    "Joint adjustment": ("motion", "residual", "focal"),
    "Canvas": ("projection", "canvas_size", "panorama_size"),
}
FORMATS = {"residual": "{:.2f} px", "focal": "{:.0f} px"}

_Colours = dict[int, tuple[int, int, int]]  # number of a picture -> BGR
_Place = tuple[float, float]


def write_mosaic_report(panorama: Panorama, summary: MosaicSummary, path: str | PathLike[str]) -> None:
    """Write `render_mosaic_report` to `path`; nothing half-written is left where that fails."""
    write_page(render_mosaic_report(panorama, summary), path)


def render_mosaic_report(panorama: Panorama, summary: MosaicSummary) -> str:
    """One HTML page that needs nothing else: pictures inside as WebP, no script or style from elsewhere."""
    numbers = [one.number for one in summary.pictures]
    colours = dict(zip(numbers, visualize.palette(len(numbers)), strict=True))
    texts = _texts(summary) | _pictures(panorama, colours) | _graph(summary, colours, panorama.canvas.wraps)
    return fill_template("mosaic_report.html", texts)


def _texts(summary: MosaicSummary) -> dict[str, str]:
    """What is words and numbers alone, HTML-escaped."""
    shown, out = len(summary.pictures), summary.left_out
    facts = summary.as_dict()
    groups = ({name: facts[name] for name in names if facts[name] is not None} for names in GROUPS.values())
    tables = (facts_table(title, group, FORMATS) for title, group in zip(GROUPS, groups, strict=True))
    names = "".join(f"<li><b>{escape(one.name)}</b> {escape(one.reason)}</li>" for one in out)
    return {
        "title": f"{shown} pictures",
        "heading": f'{shown} pictures <span class="plus">in the view of</span> {_file_name(summary.reference)}',
        "verdict": _verdict(summary),
        "verdict_class": "care" if summary.warnings else "good",
        "warnings": warning_list(summary.warnings),
        "tiles": tile_list(_tiles(summary)),
        "joined_note": "" if summary.joined else "The warps were loaded from a file: nothing was matched.",
        "left_out": _LEFT_OUT.format(names) if out else "",
        "numbers": seconds_table(summary.seconds) + "".join(tables),
    }


_LEFT_OUT = (
    '<section aria-labelledby="out-title"><div class="bar"><h2 id="out-title">Left out</h2></div>'
    '<ul class="out">{}</ul></section>'
)


def _verdict(summary: MosaicSummary) -> str:
    given = len(summary.pictures) + len(summary.left_out)
    stitched = f"{len(summary.pictures)} of {given} pictures stitched" if summary.left_out else "Stitched"
    count = len(summary.warnings)
    if not count:
        return f"{stitched} without warnings."
    return f"{stitched}, with {count} warning{'s' * (count > 1)}. Look at the seams before you use it."


def _tiles(summary: MosaicSummary) -> list[tuple[str, str, str]]:
    """The few numbers that people look for first."""
    tiles = [
        ("Panorama", shown_value(summary.panorama_size), f"px, {summary.projection}"),
        ("Pictures", str(len(summary.pictures)), f"{len(summary.left_out) or 'none'} left out"),
        ("Time", f"{sum(summary.seconds.values()):.1f} s", summary.device),
    ]
    if summary.joined:
        note = f"{sum(pair.matches for pair in summary.joined)} matches"
        tiles.insert(2, ("Joined pairs", str(len(summary.joined)), note))
        tiles.insert(3, ("Left after adjustment", f"{summary.residual:.2g} px", summary.motion))
    return tiles


def _pictures(panorama: Panorama, colours: _Colours) -> dict[str, str]:
    """The panorama, and what can be drawn over it."""
    size = shrunk_size(panorama.panorama, PANORAMA_SIDE)
    whole = to_8_bit(panorama.panorama, panorama.sources[panorama.arrangement.reference].copy.levels)
    small = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = shown_labels(panorama, size)
    by_picture, places, layers = np.zeros_like(small), [], []
    for placed in sorted(panorama.placed, key=lambda one: panorama.sources[one.picture].position):
        number, shown = panorama.sources[placed.picture].position + 1, labels == placed.picture
        by_picture[shown] = colours[number]
        if shown.any():
            places.append(_badge(number, deepest_place(shown), size, colours))
        layers.append(_layer(number, draw_layer(placed, panorama, size), size, panorama.metadata.icc))
    half = max(1, round(size[0] / 800))  # px: as strong on large panoramas
    core, line = (visualize.label_borders(labels, thickness) for thickness in (half, half + 1))
    dark = np.zeros_like(small)  # a dark rim keeps the white line readable on a bright sky
    return {
        "panorama": data_uri(whole, panorama.alpha, PANORAMA_SIDE, panorama.metadata.icc),
        "width": str(size[0]),
        "height": str(size[1]),
        "layers": "".join(layers),
        "seams": data_uri(visualize.overlaid(dark, core, (255, 255, 255)), line, PANORAMA_SIDE),
        "faint": data_uri(visualize.within(small, np.zeros_like(core), small), labels >= 0, FIELD_SIDE),
        "labels": data_uri(visualize.shaded(by_picture, small), labels >= 0, FIELD_SIDE),
        "places": "".join(places),
    }


def _layer(number: int, layer: PageLayer | None, size: Size, icc: bytes | None) -> str:
    """A picture over the panorama, hidden until it is switched on."""
    if layer is None:
        return f'<span class="layer" id="layer-{number}"></span>'
    (left, top), (width, height) = layer.part.origin, layer.part.size
    shares = {"left": left / size[0], "top": top / size[1], "width": width / size[0], "height": height / size[1]}
    style = "; ".join(f"{name}: {100 * share:.3f}%" for name, share in shares.items())
    source = data_uri(layer.pixels, layer.valid, PANORAMA_SIDE, icc)
    return f'<img class="over layer" id="layer-{number}" src="{source}" style="{style}" alt="Picture {number}, warped">'


def _graph(summary: MosaicSummary, colours: _Colours, wraps: bool) -> dict[str, str]:
    """Outlines, the pictures' centres, and the lines between pictures that show the same; also the cards below."""
    size, pictures = summary.panorama_size, summary.pictures
    centres = _apart({one.number: _centre(one) for one in pictures if one.outline}, size)
    strongest = max((pair.matches for pair in summary.joined), default=1)
    edges, counts = [], []
    for pair in summary.joined:
        if pair.first in centres and pair.second in centres:
            width = 1 + 4 * math.sqrt(pair.matches / strongest)
            others = [place for number, place in centres.items() if number not in (pair.first, pair.second)]
            ends = _ends(centres[pair.first], centres[pair.second], size[0] if wraps else None)
            curves = [_curve(start, end, others) for start, end in ends]
            path = "".join(f"M{_words(curve[0])}Q{_words(curve[1])} {_words(curve[2])}" for curve in curves)
            edges.append(f'<path d="{path}" stroke-width="{width:.1f}"/>')
            x, y = _point_of(curves[0], COUNT_AT)
            place = min(max(x, 0.0), size[0] - 1.0), y
            counts.append(f'<span class="count" style="{_position(place, size)}">{pair.matches}</span>')
    badges = "".join(_badge(number, place, size, colours) for number, place in centres.items())
    return {
        "view_box": f"-0.5 -0.5 {size[0]} {size[1]}",  # pixel centres are at integers
        "outlines": "".join(_outline(one, colours) for one in pictures),
        "badges": badges,
        "nodes": badges,
        "edges": "".join(edges),
        "counts": "".join(counts),
        "many": "many" if len(edges) > MAX_COUNTS else "",
        "cards": "".join(_card(one, colours) for one in pictures),
    }


def _ends(first: _Place, second: _Place, turn: float | None) -> list[tuple[_Place, _Place]]:
    """Where the line between two places begins and ends; two lines where it leads over the ends of a whole turn, px."""
    if turn is None or abs(first[0] - second[0]) <= turn / 2:
        return [(first, second)]
    shift = math.copysign(turn, first[0] - second[0])
    return [(first, (second[0] + shift, second[1])), ((first[0] - shift, first[1]), second)]


def _curve(start: _Place, end: _Place, others: list[_Place]) -> NDArray[np.float64]:
    """(3, 2): the corners of a quadratic Bezier curve; straight, but bent where it would run over another place."""
    first, last = np.array(start), np.array(end)
    along = last - first
    length = max(float(np.linalg.norm(along)), 1.0)
    across = np.array([-along[1], along[0]]) / length
    offsets = np.array(others).reshape(-1, 2) - first  # (n, 2)
    on_it = (np.abs(offsets @ across) < NEAR * length) & (offsets @ along > 0) & (offsets @ along < length**2)
    return np.stack([first, (first + last) / 2 + across * (BEND * length if on_it.any() else 0.0), last])


def _point_of(curve: NDArray[np.float64], at: float) -> _Place:
    """Point of a quadratic Bezier curve, 0 = its start, 1 = its end."""
    x, y = np.array([(1 - at) ** 2, 2 * at * (1 - at), at**2]) @ curve
    return float(x), float(y)


def _words(place: NDArray[np.float64]) -> str:
    return f"{place[0]:.1f} {place[1]:.1f}"


def _centre(picture: PictureSummary) -> _Place:
    """The centre of the largest part of an outline, panorama px."""
    polygons = [np.array(polygon, np.float32) for polygon in picture.outline]
    x, y, w, h = cv2.boundingRect(max(polygons, key=cv2.contourArea))
    return x + (w - 1) / 2, y + (h - 1) / 2


def _apart(places: dict[int, _Place], size: Size) -> dict[int, _Place]:
    """Places moved as little as makes them distinct: pictures of one view have nearly the same centre."""
    points = np.array(list(places.values())).reshape(-1, 2)  # (n, 2)
    least = min(APART, 0.6 / math.sqrt(max(len(points), 1))) * math.sqrt(size[0] * size[1])
    direction = np.arange(len(points)) * 2.4  # radians, all different: of points in the same place
    points += 1e-3 * least * np.stack([np.cos(direction), np.sin(direction)], axis=-1)
    for _ in range(60):
        between = points[:, None] - points[None]  # (n, n, 2)
        lengths = np.linalg.norm(between, axis=-1) + np.eye(len(points)) * 2 * least
        push = np.maximum(least - lengths, 0) / lengths
        points += 0.4 * (between * push[..., None]).sum(axis=1)
    points = np.clip(points, 0, np.subtract(size, 1))
    return {number: (float(x), float(y)) for number, (x, y) in zip(places, points, strict=True)}


def _outline(picture: PictureSummary, colours: _Colours) -> str:
    path = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in polygon) + "Z" for polygon in picture.outline)
    return f'<path data-picture="{picture.number}" style="{_own(picture.number, colours)}" d="{path}"/>'


def _badge(number: int, place: _Place, size: Size, colours: _Colours) -> str:
    style = f"{_position(place, size)}; {_own(number, colours)}"
    return f'<span class="badge" data-picture="{number}" style="{style}">{number}</span>'


def _card(picture: PictureSummary, colours: _Colours) -> str:
    """A picture's number, name and numbers, and its switch."""
    number, name = picture.number, _file_name(picture.name)
    joined = ", ".join(f"{other} ({matches})" for other, matches in picture.joined_to.items())
    facts = [f"{shown_value(picture.size)} px", f"shown on {picture.shown:.0%}"]
    if joined:
        facts.append(f"joined to {joined}")
    if picture.lens:
        facts.append(f"lens {picture.lens}")
    if picture.verified is not None:
        facts.append(f"verified {picture.verified:.0%}")
    text = "; ".join(facts)
    return (
        f'<li><label data-picture="{number}" style="{_own(number, colours)}"><span class="badge">{number}</span>'
        f'<b title="{escape(picture.name)}">{name}</b><small>{escape(text)}</small>'
        f'<input type="checkbox" aria-label="Show picture {number} over the panorama"></label></li>'
    )


def _position(place: _Place, size: Size) -> str:
    x, y = (100 * (at + 0.5) / side for at, side in zip(place, size, strict=True))
    return f"left: {x:.2f}%; top: {y:.2f}%"


def _own(number: int, colours: _Colours) -> str:
    blue, green, red = colours[number]
    return f"--own: #{red:02x}{green:02x}{blue:02x}"


def _file_name(name: str) -> str:
    return escape(Path(name).name)
