"""The procedural, tileable texture of house fronts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Pixels
from datasets.textures.periodic import (
    FINEST,
    coloured,
    courses,
    mix,
    noise,
    pick,
    pixel_centres,
    smooth_ramp,
    stains,
    to_pixels,
)

Colours = NDArray[np.float64]  # (h, w, 3) BGR, 0 .. 255


@dataclass(frozen=True, eq=False)
class _Style:
    """Style of all windows of a facade. Lengths are relative to a window's bay."""

    width: float
    height: float
    panes: tuple[int, int]  # down, across
    frame: Colours  # (3,)
    trim: Colours  # (3,) around the opening
    trim_width: float
    curtain: Colours  # (3,)


def facade(rng: np.random.Generator, side: int) -> Pixels:
    """Three floors of three or four similar windows."""
    floors, across = 3, int(rng.choice([3, 4]))
    canvas = _wall(rng, side, floors)
    office = rng.random() < 0.3
    style = _Style(
        width=rng.uniform(0.85, 0.95) if office else rng.uniform(0.4, 0.62),
        height=rng.uniform(0.55, 0.75) if office else rng.uniform(0.48, 0.62),
        panes=(int(rng.integers(1, 3)), int(rng.integers(2, 4)) if office else int(rng.integers(1, 3))),
        frame=pick(rng, (225, 228, 230), (60, 62, 65), (50, 75, 110), (95, 85, 70)),
        trim=pick(rng, (195, 205, 212), (150, 160, 168), (90, 100, 120)),
        trim_width=0.0 if office else float(rng.choice([0.0, 0.035, 0.06])),
        curtain=pick(rng, (200, 210, 215), (150, 175, 195), (120, 110, 150)),
    )
    for floor in range(floors):
        for bay in range(across):
            top, bottom = floor * side // floors, (floor + 1) * side // floors
            left, right = bay * side // across, (bay + 1) * side // across
            _design_window(canvas[top:bottom, left:right], style, rng)
    dirt = stains(rng, side, 0.05) * (1 + 0.025 * noise(rng, side, 40, FINEST, 0.0))
    return to_pixels(coloured(dirt, canvas))


def _wall(rng: np.random.Generator, side: int, floors: int) -> Colours:
    """Plaster or brickwork with a ledge under every floor."""
    y, x = pixel_centres(side)
    base = pick(rng, (165, 195, 215), (190, 205, 212), (120, 150, 185), (75, 95, 150), (140, 150, 155), (165, 175, 150))
    light = 1 + 0.05 * noise(rng, side, 2, 40, 0.5, (4.0, 1.0)) + 0.04 * noise(rng, side, 30, FINEST, 0.1)
    if rng.random() < 0.4:
        bricks = courses(y, x, 96, 32, 0.5)
        light *= bricks.spread(1 + 0.1 * rng.normal(size=(96, 32))) * (0.8 + 0.2 * smooth_ramp(bricks.edge, 0.0, 0.002))
    in_floor = (y * floors + 0.06) % 1
    ledge = rng.choice([0.0, 1.0]) * (in_floor < 0.06)
    shadow = rng.choice([0.0, 1.0]) * 0.35 * ((in_floor >= 0.06) & (in_floor < 0.085))
    wall = mix(coloured(light, base), coloured(light, base * 0.5 + 115.0), ledge)
    return coloured(1 - shadow, wall)


def _design_window(bay: Colours, style: _Style, rng: np.random.Generator) -> None:
    """Paint one window into its bay, a part (h, w, 3) of the canvas."""
    height, width = bay.shape[:2]
    h, w = max(round(style.height * height), 4), max(round(style.width * width), 4)
    top, left = round(0.52 * (height - h)), (width - w) // 2
    trim, frame = round(style.trim_width * width), max(round(0.022 * width), 1)
    bay[top - trim : top + h + trim, left - trim : left + w + trim] = style.trim
    bay[top + h : top + h + 2 * frame, max(left - 2 * frame, 0) : left + w + 2 * frame] = style.trim * 1.08  # sill
    below = bay[top + h + 2 * frame : top + h + 4 * frame, max(left - frame, 0) : left + w + 3 * frame]
    below *= 0.72
    bay[top : top + h, left : left + w] = style.frame
    inner = bay[top + frame : top + h - frame, left + frame : left + w - frame]
    inner[:] = _glass(inner.shape[0], inner.shape[1], style, rng)
    down, across = style.panes
    bar = max(frame // 2, 1)
    for i in range(1, down):
        row = inner.shape[0] * i // (down + 1)  # the upper lights are the smaller ones
        inner[row : row + bar] = style.frame * 0.95
    for i in range(1, across):
        column = inner.shape[1] * i // across
        inner[:, column : column + bar] = style.frame * 0.95
    bay[top : top + 2 * frame, left : left + w] *= 0.6  # the opening's own shadow
    bay[top : top + h, left : left + frame] *= 0.75


def _glass(height: int, width: int, style: _Style, rng: np.random.Generator) -> Colours:
    """A pane (height, width, 3) that reflects some sky before a dark or lit room, curtains or a blind."""
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    room = np.array([48.0, 44.0, 38.0]) * rng.uniform(0.5, 1.4)
    if rng.random() < 0.1:
        room = np.array([90.0, 150.0, 195.0]) * rng.uniform(0.7, 1.1)
    cover, covered = np.ones((height, width)), np.zeros((height, width), bool)
    kind = rng.random()
    if kind < 0.45:  # curtains
        left, right = rng.uniform(0.1, 0.5, 2)
        cover = cover * (0.75 + 0.2 * np.sin(2 * np.pi * (x * rng.uniform(9, 14) + 0.3 * np.sin(5 * x))))
        covered |= (x < left) | (x > 1 - right)
    elif kind < 0.65:  # a blind
        cover = cover * (0.8 + 0.15 * np.sin(2 * np.pi * y * 22))
        covered |= y < rng.uniform(0.2, 1.1)
    view = np.where(covered[..., None], coloured(cover, style.curtain), room)
    slant = rng.uniform(-0.5, 0.5)
    sky = smooth_ramp(y + slant * x + rng.normal(0, 0.1), 0.0, 1.0)
    reflected = np.array([190.0, 175.0, 160.0]) * (1 - sky)[..., None] + np.array([70.0, 72.0, 70.0]) * sky[..., None]
    return np.asarray(view + rng.uniform(0.15, 0.5) * (reflected - 0.5 * view))
