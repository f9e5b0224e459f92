"""The procedural texture of printed things: posters, notices, road signs, labels."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Pixels
from datasets.textures.periodic import FINEST, coloured, noise, pick, to_pixels

Colour = NDArray[np.float64]  # (3,) BGR, 0 .. 255
_VOCABULARY = """
    air art autumn bakery bank bar bay bird blue bread bridge bus cafe camp car castle centre cheese chicken
    city closed coast coffee concert corn dance doctor door east exit farm film fire fish flower forest fresh
    fruit garden gold green guide hall harbour hotel house ice island juice kitchen lake lemon library light
    lunch market metro milk moon motor mountain museum music new night north oil old olive open orange paint
    paper park pasta pharmacy photo piano pizza post press radio red rice river road roof salad sale salt school
    sea ship shop silver ski snow soap south spring station steel summer sun table taxi tea theatre ticket
    tomato tower train tree university valley village water west wine winter wood work world
"""
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)
_PAPER = ((228, 236, 240), (205, 222, 230), (180, 205, 222), (238, 232, 222), (200, 215, 205))
_BOLD = ((48, 48, 170), (140, 84, 40), (66, 118, 56), (60, 175, 215), (48, 48, 48), (120, 70, 110), (60, 110, 200))


def sign(rng: np.random.Generator, side: int) -> Pixels:
    """A poster, a page, a road sign or a label, with words and a little wear."""
    ground = pick(rng, *(_PAPER if rng.random() < 0.55 else _BOLD))
    dark = pick(rng, (32, 32, 32), (110, 52, 30), (40, 40, 150), (50, 90, 40))
    ink = dark if ground.mean() > 140 else pick(rng, (240, 244, 246), (120, 220, 240))
    canvas = to_pixels(np.broadcast_to(ground, (side, side, 3)))
    _LAYOUTS[int(rng.integers(len(_LAYOUTS)))](canvas, ink, rng)
    if rng.random() < 0.5:
        edge = side // 32
        cv2.rectangle(canvas, (edge, edge), (side - 1 - edge, side - 1 - edge), _bgr(ink), max(side // 128, 1))
    worn = (1 + 0.03 * noise(rng, side, 1, 10)) * (1 + 0.02 * noise(rng, side, 20, FINEST, 0.0))
    return to_pixels(coloured(worn, canvas.astype(np.float64)))


def _poster(canvas: Pixels, ink: Colour, rng: np.random.Generator) -> None:
    """A picture of overlapping shapes between a headline and small print."""
    top, bottom = rng.uniform(0.05, 0.3), rng.uniform(0.65, 0.9)
    _shapes(canvas, top, bottom, int(rng.integers(5, 14)), rng)
    if top > 0.16:
        _write(canvas, 0.04, top - 0.05, ink, rng)
    for y in np.arange(bottom + 0.02, 0.93, 0.055):
        _write(canvas, float(y), 0.04, ink, rng)


def _page(canvas: Pixels, ink: Colour, rng: np.random.Generator) -> None:
    """Lines of print in paragraphs below a headline."""
    height = rng.uniform(0.08, 0.2)
    _write(canvas, 0.05, height, ink, rng)
    y, line = 0.1 + height, rng.uniform(0.035, 0.07)
    while y < 0.92:
        _write(canvas, y, line * 0.8, ink, rng, rng.uniform(0.3, 0.86))
        y += line * (2 if rng.random() < 0.15 else 1)


def _road_sign(canvas: Pixels, ink: Colour, rng: np.random.Generator) -> None:
    """An arrow, a disc or stripes, and the name of a place."""
    side = len(canvas)
    kind, middle, size = rng.random(), rng.uniform(0.35, 0.65), rng.uniform(0.16, 0.28)
    if kind < 0.4:
        left, right = sorted((0.5 - size, 0.5 + size), reverse=rng.random() < 0.5)
        ends = [(round(x * side), round(middle * side)) for x in (left, right)]
        cv2.arrowedLine(canvas, ends[0], ends[1], _bgr(ink), max(side // 18, 1), cv2.LINE_AA, tipLength=0.4)
    elif kind < 0.75:
        centre, radius = (side // 2, round(middle * side)), round(size * side)
        cv2.circle(canvas, centre, radius, _bgr(pick(rng, *_BOLD)), -1, cv2.LINE_AA)
        cv2.circle(canvas, centre, round(0.7 * radius), _bgr(pick(rng, *_PAPER)), -1, cv2.LINE_AA)
    else:
        wide = round(rng.uniform(0.06, 0.14) * side)
        for x in range(-side, side, 2 * wide):
            corners = np.array([(x, side), (x + wide, side), (x + wide + side, 0), (x + side, 0)])
            cv2.fillPoly(canvas[round((middle - size) * side) :], [corners], _bgr(ink), cv2.LINE_AA)
    _write(canvas, rng.uniform(0.03, 0.1), rng.uniform(0.12, 0.2), ink, rng)
    _write(canvas, 0.82, rng.uniform(0.08, 0.13), ink, rng)


def _label(canvas: Pixels, ink: Colour, rng: np.random.Generator) -> None:
    """Bands of colour with words in some, and a bar code."""
    side = len(canvas)
    edges = np.sort(rng.uniform(0.0, 1.0, int(rng.integers(2, 6))))
    for top, bottom in pairwise(edges):
        if rng.random() < 0.6:
            canvas[round(top * side) : round(bottom * side)] = _bgr(pick(rng, *_BOLD, *_PAPER))
        if bottom - top > 0.06:
            _write(canvas, top + 0.01, min(bottom - top - 0.02, 0.25), ink, rng)
    left, high = rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.15)
    box = canvas[round(0.8 * side) : round((0.8 + high) * side), round(left * side) : round((left + 0.3) * side)]
    box[:] = 240
    box[:, np.repeat(rng.random(box.shape[1] // 2 + 1) < 0.45, 2)[: box.shape[1]]] = 30


_LAYOUTS = (_poster, _page, _road_sign, _label)


def _shapes(canvas: Pixels, top: float, bottom: float, n: int, rng: np.random.Generator) -> None:
    """Fill the height from `top` to `bottom`, in repeats, with a coloured field and n discs and polygons."""
    side = len(canvas)
    part = canvas[round(top * side) : round(bottom * side), round(0.06 * side) : round(0.94 * side)]
    part[:] = _bgr(pick(rng, *_BOLD, *_PAPER))
    for _ in range(n):
        at = rng.uniform(0, 1, 2) * part.shape[1::-1]
        size = side * rng.uniform(0.03, 0.22)
        colour = _bgr(pick(rng, *_BOLD, *_PAPER) * rng.uniform(0.6, 1.1))
        if rng.random() < 0.4:
            cv2.circle(part, (int(at[0]), int(at[1])), round(size), colour, -1, cv2.LINE_AA)
        else:
            corners = at + size * rng.normal(size=(int(rng.integers(3, 6)), 2))
            cv2.fillPoly(part, [np.rint(corners).astype(np.int32)], colour, cv2.LINE_AA)


def _write(
    canvas: Pixels, top: float, height: float, ink: Colour, rng: np.random.Generator, width: float = 0.86
) -> None:
    """Write a line of random words. top: of the line, height: of its letters, width: at most, all in repeats."""
    side = len(canvas)
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    thick = max(round(height * side / 9), 1)
    scale = cv2.getFontScaleFromHeight(font, max(round(height * side * 0.75), 3), thick)
    words = rng.choice(_VOCABULARY.split(), 12).tolist()
    if rng.random() < 0.3:
        words[int(rng.integers(2))] = str(rng.integers(1000))
    change = (str.upper, str.title, str.lower)[int(rng.integers(3))]
    line = change(words[0])
    scale *= min(1.0, width * side / cv2.getTextSize(line, font, scale, thick)[0][0])
    for word in words[1:]:
        longer = f"{line} {change(word)}"
        if cv2.getTextSize(longer, font, scale, thick)[0][0] > width * side:
            break
        line = longer
    start = (round(0.07 * side), round((top + height * 0.85) * side))
    cv2.putText(canvas, line, start, font, scale, _bgr(ink), thick, cv2.LINE_AA)


def _bgr(colour: Colour) -> tuple[float, float, float]:
    blue, green, red = np.clip(colour, 0, 255).tolist()
    return blue, green, red
