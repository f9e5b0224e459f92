"""Generated pairs with ground truth under conditions that are hard for stitchers: the pairs of `robustness.py`.

Every condition has the same scenes, rendered larger than the pictures and without photometric changes. A condition
changes the pictures, or, where it is about the scene or the cameras, has a rendering of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from datasets.arrays import Doubles, Floats, Pixels
from datasets.generate import GenerateJob, OpenRenderer, generate
from datasets.options import SampleOptions
from datasets.photometry.pictures import Look, apply_look
from datasets.sample import Visibility
from datasets.sample_renderer import SampleRenderer
from datasets.scenes.shapes.outlines import person
from datasets.storage.reading import read_samples
from datasets.storage.samples import StoredSample
from datasets.textures.bank import TextureBank, make_bank
from datasets.textures.patterns import PATTERNS
from stitching.geometry.pixel_maps import Mask, Size, inside, pixel_grid, remap, rescale

MAX_SCALE = 1.5  # of the target against the reference, or the other way; as much larger are the renderings
LOW_LIGHT = Look(stops=-3.0, noise=6.0)
PERIODIC = ("brick", "checker", "facade", "roof", "stripes", "tiles")  # patterns that repeat
NATURAL = ("clouds", "leaves")  # patterns that stay where all others repeat
CLOTHES = ("fabric", "stripes", "checker", "carpet")  # patterns that people wear
PEOPLE = 2, 4  # fewest and most in a pair
MEAN_HEIGHT = 1.7  # m, of a person's outline
HEIGHTS = 0.35, 0.6  # of the picture's height: how tall people are
MIN_CENTRE = 0.4  # of the picture's height: people's centres are below
RIM = 2  # px around a person of which the truth says nothing

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """A pair and its truth: `target_xy` and `reference_xy` are positions of the same points of the scene."""

    reference: Pixels  # (h, w, 3) BGR
    target: Pixels  # (h, w, 3) BGR
    target_xy: Floats  # (H, W, 2) px of the target
    reference_xy: Floats  # (H, W, 2) px of the reference's plane
    known: Mask  # (H, W) where both are inside their pictures and nothing hides them


@dataclass(frozen=True)
class Condition:
    """A set of samples, and how a case is made of one: of the case as rendered and the size of the pictures."""

    samples: str
    make: Callable[[Case, Size, Rng], Case]


@dataclass(frozen=True)
class SampleSet:
    """How a set differs from the clean one."""

    options: Mapping[str, Any] = field(default_factory=dict)
    open_renderer: OpenRenderer | None = None


def cases(condition: str, output: Path, options: SampleOptions, count: int, seed: int) -> Iterator[tuple[str, Case]]:
    """(name, case) of the pairs of a condition; those of its set that are not in `output` yet are generated.

    Args:
        condition: one of CONDITIONS.
        output: folder for the sets.
        options: of the clean set; `size` is that of the pictures of the cases.
        count: pairs of a set; those of which nothing is left to measure are skipped.
        seed: another one gives other scenes.
    """
    chosen = CONDITIONS[condition]
    size, samples = options.size, SETS[chosen.samples]
    larger = round(MAX_SCALE * size[0]), round(MAX_SCALE * size[1])
    wanted = replace(options, size=larger, photometry=False, **samples.options)
    folder = output / chosen.samples
    generate(wanted, GenerateJob(folder, count, seed), samples.open_renderer)
    for sample in read_samples(folder):
        rng = np.random.default_rng([seed, sample.record.index])  # the same in every condition
        case = chosen.make(case_of(sample), size, rng)
        if case.known.any():
            yield sample.record.name, case


def case_of(sample: StoredSample) -> Case:
    """A sample as it was rendered."""
    reference, target = sample.arrays.reference, sample.arrays.target
    grid = pixel_grid(*target.mask.shape)
    return Case(reference.picture, target.picture, grid, target.warp, target.mask == Visibility.VISIBLE)


def clean(case: Case, size: Size, rng: Rng) -> Case:
    """Only the size changes."""
    return zoomed(case, size, 1.0)


def scaled(case: Case, size: Size, rng: Rng) -> Case:
    """The target shows things 1 / MAX_SCALE to MAX_SCALE times as large as in the clean pair."""
    limit = np.log(MAX_SCALE)
    return zoomed(case, size, float(np.exp(rng.uniform(-limit, limit))))


def zoomed(case: Case, size: Size, scale: float) -> Case:
    """Pictures of `size`, the target `scale` times as large against the reference as it was rendered.

    As by a zoom lens: the picture of the larger scale is a part of the rendering around what both see, the other all.
    """
    target, target_xy = _zoomed_picture(case.target, case.target_xy, case.known, size, max(scale, 1.0))
    reference, reference_xy = _zoomed_picture(case.reference, case.reference_xy, case.known, size, max(1 / scale, 1.0))
    known = case.known & inside(target_xy, size) & inside(reference_xy, size)
    return Case(reference, target, target_xy, reference_xy, known)


def _zoomed_picture(picture: Pixels, map_xy: Floats, known: Mask, size: Size, zoom: float) -> tuple[Pixels, Floats]:
    """1 / zoom of a picture, resized to `size`, and its positions (h, w, 2) after that."""
    full = picture.shape[1::-1]
    width, height = part = round(full[0] / zoom), round(full[1] / zoom)
    centre = map_xy[known].mean(axis=0) if known.any() else np.array(full) / 2
    left, top = np.clip(np.rint(centre - np.array(part) / 2), 0, np.array(full) - part).astype(int)
    resized = cv2.resize(picture[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    moved = rescale(map_xy - np.array([left, top]), np.array(size) / part)
    return np.asarray(resized, np.uint8), moved.astype(np.float32)


def exposed(case: Case, size: Size, rng: Rng, stops: float) -> Case:
    """One picture is darker and the other brighter, by `stops` together; which one is random."""
    half = float(rng.choice((-stops, stops))) / 2
    return _taken(clean(case, size, rng), Look(stops=half), Look(stops=-half))


def low_light(case: Case, size: Size, rng: Rng) -> Case:
    """Both are dark and noisy."""
    looks = [replace(LOW_LIGHT, noise_seed=int(rng.integers(2**31))) for _ in range(2)]
    return _taken(clean(case, size, rng), *looks)


def _taken(case: Case, reference: Look, target: Look) -> Case:
    return replace(case, reference=apply_look(case.reference, reference), target=apply_look(case.target, target))


def with_people(case: Case, size: Size, rng: Rng) -> Case:
    """People stand in what both pictures see, each elsewhere when the target is taken; what they hide is not known.

    A person looks the same in both pictures: matches on people are wrong, however good they look.
    """
    case = clean(case, size, rng)
    low = case.known & (np.minimum(case.target_xy[..., 1], case.reference_xy[..., 1]) > MIN_CENTRE * size[1])
    on_reference, on_target = case.reference_xy[low], case.target_xy[low]  # (n, 2), where people may stand
    if not low.any():
        return replace(case, known=low)
    reference, target = case.reference.copy(), case.target.copy()
    hidden = [np.zeros(picture.shape[:2], np.uint8) for picture in (reference, target)]
    for _ in range(rng.integers(PEOPLE[0], PEOPLE[1] + 1)):
        before, *choices = rng.integers(len(on_target), size=9)
        after = max(choices, key=lambda choice: float(np.linalg.norm(on_target[choice] - on_target[before])))
        outline = person(rng) * rng.uniform(*HEIGHTS) * size[1] / MEAN_HEIGHT  # m -> px
        cloth = PATTERNS[str(rng.choice(CLOTHES))](rng, 256)
        _draw_person(reference, hidden[0], outline, cloth, on_reference[before])
        _draw_person(target, hidden[1], outline, cloth, on_target[after])
    rims = [cv2.dilate(mask, np.ones((2 * RIM + 1,) * 2)) for mask in hidden]
    free = [remap(np.asarray(rim, np.uint8), map_xy, cv2.INTER_NEAREST) == 0
            for rim, map_xy in zip(rims, (case.reference_xy, case.target_xy), strict=True)]  # fmt: skip
    return replace(case, reference=reference, target=target, known=case.known & free[0] & free[1])


def _draw_person(picture: Pixels, hidden: Pixels, outline: Doubles, cloth: Pixels, centre: Floats) -> None:
    """Draw an outline (n, 2), feet at y = 0, around a centre; `hidden` (h, w) becomes 255 where it is."""
    corner = centre - (0, outline[:, 1].min() / 2)
    mask = np.zeros(hidden.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline + corner).astype(np.int32)], 255)
    translation = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float64)
    worn = cv2.warpAffine(cloth, translation, hidden.shape[::-1], borderMode=cv2.BORDER_WRAP)
    picture[mask > 0] = worn[mask > 0]
    hidden[mask > 0] = 255


def open_periodic(options: SampleOptions, seed: int, device: str = "cpu") -> SampleRenderer:
    """A renderer of the same scenes whose surfaces all repeat the same few patterns."""
    return SampleRenderer(options, seed, torch.device(device), periodic_bank())


def periodic_bank(side: int = 512) -> TextureBank:
    """Every kind of texture, photographs too, becomes one of PERIODIC, two equal halves along x and y."""
    kinds = ("photo",) * len(PERIODIC) + tuple(PATTERNS)
    names = [kind if kind in PERIODIC + NATURAL else PERIODIC[i % len(PERIODIC)] for i, kind in enumerate(kinds)]
    drawn = {name: PATTERNS[name](np.random.default_rng([*name.encode()]), side // 2) for name in set(names)}
    return make_bank([np.tile(drawn[name], (2, 2, 1)) for name in names], kinds)


SETS = {
    "clean": SampleSet(),
    "rotated": SampleSet({"roll": (10.0, 30.0)}),
    "apart": SampleSet({"overlap": (0.1, 0.2)}),
    "periodic": SampleSet({"textures": None}, open_periodic),
}
CONDITIONS = {
    "base": Condition("clean", clean),
    "rotation": Condition("rotated", clean),
    "scale": Condition("clean", scaled),
    "exposure-1": Condition("clean", partial(exposed, stops=1.0)),
    "exposure-2": Condition("clean", partial(exposed, stops=2.0)),
    "small-overlap": Condition("apart", clean),
    "low-light": Condition("clean", low_light),
    "repeated": Condition("periodic", clean),
    "people": Condition("clean", with_people),
}
