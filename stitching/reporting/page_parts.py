"""Parts that the pages have in common: the file, its style, words and numbers as HTML, pictures as data URIs."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from os import PathLike
from string import Template

import cv2
import numpy as np
import numpy.typing as npt

from stitching.geometry.pixel_maps import Size
from stitching.io.files import atomic_write
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.formats import embed_metadata
from stitching.reporting.visualize import Colours


def write_page(page: str, path: str | PathLike[str]) -> None:
    """Write a page (UTF-8); nothing half-written is left where that fails."""
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")  # names can be of odd bytes


def fill_template(name: str, texts: Mapping[str, str]) -> str:
    """The page of a template beside this file, with the head, the header and the style that all pages have."""
    folder = files("stitching.reporting")

    def filled(part: str, **more: str) -> str:
        return Template((folder / part).read_text(encoding="utf-8")).substitute(texts, **more)

    style = (folder / "page.css").read_text(encoding="utf-8")
    return filled(name, style=style, head=filled("page_head.html"), header=filled("page_header.html"))


def warning_list(warnings: Sequence[str]) -> str:
    """Each warning in a line of its own; nothing where there is none."""
    if not warnings:
        return ""
    items = "".join(f"<li><b>Warning</b> {escape(warning)}</li>" for warning in warnings)
    return f'<ul class="warnings" role="list">{items}</ul>'


def seconds_table(seconds: Mapping[str, float]) -> str:
    """Seconds per stage as bars: how long beside the slowest."""
    longest = max(seconds.values(), default=0.0)
    rows = "".join(
        f'<tr><th scope="row">{label(stage)}</th>'
        f'<td class="length"><span style="width: {100 * value / max(longest, 1e-9):.1f}%"></span></td>'
        f"<td>{value:.2f}</td></tr>"
        for stage, value in seconds.items()
    )
    return f"<table><caption>Seconds per stage</caption>{rows}</table>"


def tile_list(tiles: Sequence[tuple[str, str, str]]) -> str:
    """Large numbers: (name, value, note) each."""
    return "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )


def facts_table(title: str, facts: Mapping[str, object], formats: Mapping[str, str]) -> str:
    """Facts, a row each; `formats` says how some of them are written."""
    rows = "".join(
        f'<tr><th scope="row">{label(name)}</th><td>{escape(shown_value(value, formats.get(name)))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table><caption>{title}</caption>{rows}</table>"


def label(name: str) -> str:
    """A summary's key as people write it: `work_scale` as "Work scale"."""
    words = name.replace("_", " ")
    return escape(words[:1].upper() + words[1:])


def shown_value(value: object, form: str | None = None) -> str:
    """A summary's value as people write it; a tuple is a size, or a position that can be negative."""
    if value is None:
        return "not known"
    if form:
        return form.format(value)
    if isinstance(value, tuple):
        return (" \N{MULTIPLICATION SIGN} " if min(value) > 0 else ", ").join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def data_uri(
    pixels: Colours, valid: npt.NDArray[np.generic] | None, longest_side: int, icc: bytes | None = None
) -> str:
    """A picture (h, w, 3) as a data URI, shrunk to fit; clear where `valid` (h, w) is 0; `icc`: its colour profile."""
    size = shrunk_size(pixels, longest_side)
    if valid is None:
        data = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    else:  # invalid pixels must not bleed in: blank, shrink, divide by the valid share
        mask = (valid != 0).astype(np.uint8) * np.uint8(255)
        share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)[..., None]
        blanked = cv2.bitwise_and(pixels, pixels, mask=mask)
        colours = cv2.resize(blanked, size, interpolation=cv2.INTER_AREA) * (255 / np.maximum(share, 1))
        alpha = np.minimum(share[..., 0], cv2.blur(share, (3, 3)))  # smooths the stairs of a mask
        data = np.dstack([colours, alpha])
    shown = np.clip(np.rint(data), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".webp", shown, [cv2.IMWRITE_WEBP_QUALITY, 82])[1].reshape(-1).data  # (bytes,)
    webp = b"".join(embed_metadata(encoded, "WebP", Metadata(icc=icc), size, alpha=valid is not None))
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


def shrunk_size(picture: npt.NDArray[np.generic], longest_side: int) -> Size:
    """(w, h) px of `picture` (h, w, ...) shrunk to fit `longest_side`; never enlarged."""
    height, width = picture.shape[:2]
    factor = min(1.0, longest_side / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))
