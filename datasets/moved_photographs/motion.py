"""How a pair moves, at random: where two cameras see a background photograph and the layers in front of it.

All that is drawn here is small and on the CPU; `datasets.moved_photographs.pairs` puts it on the device.
"""

from dataclasses import dataclass

import numpy as np

from datasets.arrays import Doubles
from datasets.moved_photographs.outlines import COUNT
from datasets.moved_photographs.photographs import Crop, Photographs, draw_crop
from datasets.moved_photographs.waves import STEEPEST
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Size, box_outline, even_grid

MAX_LAYERS = 6
_STRONG = 0.4  # share of pairs with large rotation, scale and perspective
_WAVES = 4
_FLAT = 0.2  # share of pairs whose background is moved by a homography alone
_MOVING = 0.3  # share of layers that move as they like; the others move along the parallax, the nearer the further
_OVERLAP = (0.3, 0.97)  # of the frames, before layers hide a part
_CANVAS_MARGIN = (0.5, 0.4)  # widths and heights by which the canvas may exceed the reference on each side


@dataclass(frozen=True, eq=False)
class WavesPlan:
    """Parameters of datasets.moved_photographs.waves.Waves of one pair."""

    displacement: Doubles  # (n, 2) px
    frequency: Doubles  # (n, 2) radians a px
    phase: Doubles  # (n,)


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One cut-out layer."""

    to_reference: Doubles  # (3, 3) target px -> reference px, positive scale all over the target
    to_texture: Doubles  # (3, 3) reference px -> its texture, -1 .. 1
    crop: Crop
    outline: int
    thickening: float  # texels that the outline is moved outwards
    softness: float  # px over which its edge fades


@dataclass(frozen=True, eq=False)
class PairPlan:
    """One pair. A background point at target px q is at reference px waves(to_reference(q))."""

    to_reference: Doubles  # (3, 3), positive scale all over the target
    waves: WavesPlan
    to_texture: Doubles  # (3, 3) reference px -> the background's texture, -1 .. 1
    crop: Crop
    layers: tuple[LayerPlan, ...]  # the farthest first
    origin: tuple[int, int]  # reference px (x, y) at canvas (0, 0)
    canvas_size: Size


def draw_plan(rng: np.random.Generator, size: Size, photographs: Photographs) -> PairPlan:
    """A pair of pictures of `size` (width, height) px."""
    width = size[0]
    strong = rng.random() < _STRONG
    to_reference = _with_overlap(rng, _turned(rng, size, strong), size, strong)
    parallax = rng.uniform(0, 2 * np.pi) if strong else rng.normal(0, 0.4) + np.pi * rng.integers(2)
    waves = _draw_waves(rng, width, parallax)
    seen = deformed(waves, project(to_reference, even_grid((-0.5, -0.5), np.array(size) - 0.5, 24)).reshape(-1, 2))
    frame = box_outline((-0.5, -0.5), np.array(size) - 0.5)
    to_texture, crop = _draw_background(rng, np.concatenate([seen, frame]), size, photographs)
    count = int(rng.integers(MAX_LAYERS + 1))
    nearness = np.sort(np.exp(rng.uniform(np.log(0.01), np.log(0.3), count)))
    layers = tuple(_draw_layer(rng, size, to_reference, _vector(parallax) * near, photographs) for near in nearness)
    low, high = _canvas(seen, size)
    return PairPlan(
        to_reference, waves, to_texture, crop, layers, (low[0], low[1]), (high[0] - low[0], high[1] - low[1])
    )


def deformed(waves: WavesPlan, points: Doubles) -> Doubles:
    """Points (..., 2) after all waves."""
    for displacement, frequency, phase in zip(waves.displacement, waves.frequency, waves.phase, strict=True):
        points = points + displacement * np.sin(points @ frequency + phase)[..., None]
    return points


# --- the background ---


def _turned(rng: np.random.Generator, size: Size, strong: bool) -> Doubles:
    """A homography about the middle of a picture: rotation, scale, some shear, perspective."""
    if strong:
        angle, scale, perspective = rng.uniform(-0.6, 0.6), np.exp(rng.uniform(-0.55, 0.5)), rng.normal(0, 0.2, 2)
    else:
        angle, scale, perspective = rng.normal(0, 0.06), np.exp(rng.normal(0, 0.08)), rng.normal(0, 0.08, 2)
    return _about_middle(size, _similarity(angle, scale, rng.normal(0, 0.03, 2)) @ _perspective(perspective, size))


def _with_overlap(rng: np.random.Generator, homography: Doubles, size: Size, strong: bool) -> Doubles:
    """The homography followed by the shift that leaves a random share of the target inside the reference."""
    angle = rng.uniform(0, 2 * np.pi) if strong else rng.normal(0, 0.35) + np.pi * rng.integers(2)
    points = project(homography, even_grid((0, 0), np.array(size) - 1.0, 24))
    limits = np.array(size) - 0.5

    def overlap(length: float) -> float:
        moved = points + _vector(angle) * length
        return float(((moved > -0.5) & (moved < limits)).all(-1).mean())

    low, high = 0.0, 2.0 * sum(size)
    wanted = rng.uniform(*_OVERLAP)
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if overlap(middle) > wanted else (low, middle)
    return translation(_vector(angle) * low) @ homography


def _draw_waves(rng: np.random.Generator, width: int, parallax: float) -> WavesPlan:
    """Long waves that move points mostly along the parallax."""
    flat = rng.random() < _FLAT
    total = 0.0 if flat else width * np.exp(rng.uniform(np.log(0.004), np.log(0.125)))
    shares = rng.dirichlet(np.full(_WAVES, 1.5))
    displacement = np.stack([_vector(parallax + rng.normal(0, 0.35)) * total * share for share in shares])
    direction = np.stack([_vector(angle) for angle in rng.uniform(0, 2 * np.pi, _WAVES)])
    frequency = direction * (2 * np.pi / (width * np.exp(rng.uniform(np.log(0.5), np.log(2.5), _WAVES))))[:, None]
    steepness = np.linalg.norm(displacement, axis=1) * np.linalg.norm(frequency, axis=1)
    frequency *= np.minimum(1, STEEPEST / np.maximum(steepness, 1e-9))[:, None]
    return WavesPlan(displacement, frequency, rng.uniform(0, 2 * np.pi, _WAVES))


def _draw_background(
    rng: np.random.Generator, points: Doubles, size: Size, photographs: Photographs
) -> tuple[Doubles, Crop]:
    """Reference px -> texture, so that all `points` (n, 2) lie on it, and the part of a photograph that it shows."""
    camera = _about_middle(
        size, _similarity(rng.normal(0, 0.08), 1, np.zeros(2)) @ _perspective(rng.normal(0, 0.05, 2), size)
    )
    seen = project(camera, points)
    low, high = seen.min(0), seen.max(0)
    scale = np.diag([*(2 / (high - low)), 1.0])
    crop = draw_crop(rng, photographs, float((high[0] - low[0]) / (high[1] - low[1])), (0.75, 1.0))
    return scale @ translation(-(low + high) / 2) @ camera, crop


def _canvas(seen: Doubles, size: Size) -> tuple[tuple[int, int], tuple[int, int]]:
    """(x0, y0), (x1, y1) reference px, half open: the reference and, within limits, what the target sees."""
    reach = np.array(size) * _CANVAS_MARGIN
    low = np.clip(np.floor(seen.min(0)), -reach, 0).astype(int)
    high = np.clip(np.ceil(seen.max(0)) + 1, size, size + reach).astype(int)
    return (int(low[0]), int(low[1])), (int(high[0]), int(high[1]))


# --- layers ---


def _draw_layer(
    rng: np.random.Generator, size: Size, to_reference: Doubles, parallax: Doubles, photographs: Photographs
) -> LayerPlan:
    """A layer that the parallax, in widths, moves; or another motion as long."""
    width = size[0]
    if rng.random() < _MOVING:
        parallax = _vector(rng.uniform(0, 2 * np.pi)) * np.linalg.norm(parallax)
    place = rng.uniform((0, 0), size)
    centre = place if rng.random() < 0.5 else project(to_reference, place) + parallax * width
    own = _similarity(rng.normal(0, 0.05), np.exp(rng.normal(0, 0.06)), rng.normal(0, 0.03, 2))
    own = own @ _perspective(rng.normal(0, 0.02, 2).clip(-0.05, 0.05), size)
    moved = translation(parallax * width) @ _about(centre, own)
    half = width * np.exp(rng.uniform(np.log(0.25), np.log(1.1))) / 2
    shape = _similarity(rng.normal(0, 0.4), 1, rng.normal(0, 0.2, 2))
    to_texture = np.diag([1 / half, 1 / half, 1]) @ shape @ translation(-centre)
    return LayerPlan(
        to_reference=moved @ to_reference,
        to_texture=to_texture,
        crop=draw_crop(rng, photographs, 1.0, (0.25, 0.8)),
        outline=int(rng.integers(COUNT)),
        thickening=float(rng.normal(0, 1.0)),
        softness=float(rng.uniform(1.0, 2.5)),
    )


# --- parts ---


def _vector(angle: float) -> Doubles:
    return np.array([np.cos(angle), np.sin(angle)])


def _similarity(angle: float, scale: float, stretch: Doubles) -> Doubles:
    """Rotation and scale; stretch: relative, along x and along a diagonal."""
    c, s = np.cos(angle), np.sin(angle)
    affine = scale * np.array([[c, -s], [s, c]]) @ np.array([[1 + stretch[0], stretch[1]], [0, 1 - stretch[0]]])
    return np.block([[affine, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])


def _perspective(strength: Doubles, size: Size) -> Doubles:
    """strength: relative change of scale from side to side, x and y; at most 0.5 each."""
    x, y = np.clip(strength, -0.5, 0.5) / size
    return np.array([[1, 0, 0], [0, 1, 0], [x, y, 1]])


def translation(by: Doubles | tuple[int, int]) -> Doubles:
    """The homography (3, 3) that adds (x, y)."""
    return np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]])


def _about(centre: Doubles, homography: Doubles) -> Doubles:
    return np.asarray(translation(centre) @ homography @ translation(-centre))


def _about_middle(size: Size, homography: Doubles) -> Doubles:
    return _about((np.array(size) - 1) / 2, homography)
