"""Generated pairs with ground truth under conditions that stitchers dislike: the pairs of `robustness.py`.

Every condition has the same scenes. They are rendered without any camera's faults, larger than the pictures are to be;
what a condition changes is then changed in the pictures, or, where it is in the scene or the cameras, rendered again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from datasets.generate import GenerateJob, OpenRenderer, generate
from datasets.options import SampleOptions
from datasets.photometry import Look, taken
from datasets.sample import Doubles, Floats, Pixels, Visibility
from datasets.sample_renderer import SampleRenderer
from datasets.scenes.shapes.outlines import person
from datasets.storage.folder import StoredSample
from datasets.storage.reading import read_samples
from datasets.textures.bank import TextureBank, make_bank
from datasets.textures.patterns import PATTERNS
from stitching.geometry.pixel_maps import Mask, Size, inside, pixel_grid, remap

LARGEST_SCALE = 1.5  # of the target against the reference, or the other way; as much larger are the renderings
NIGHT = Look(stops=-3.0, noise=6.0)
PERIODIC = ("brick", "checker", "facade", "roof", "stripes", "tiles")  # patterns that repeat
NATURAL = ("clouds", "leaves")  # patterns that stay where all else repeats
CLOTHES = ("fabric", "stripes", "checker", "carpet")  # patterns that people wear
PEOPLE = 2, 4  # fewest and most in a pair
TALL = 0.35, 0.6  # of the picture's height: how tall they are
LOW = 0.4  # of the picture's height: above, nobody has their middle
RIM = 2  # px around a person of which the truth says nothing

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """A pair and what is true about it: what the target shows at `points` lies in the reference at `places`."""

    reference: Pixels  # (h, w, 3) BGR
    target: Pixels  # (h, w, 3) BGR
    points: Floats  # (H, W, 2) px of the target
    places: Floats  # (H, W, 2) px of the reference's plane
    known: Mask  # (H, W) where both lie in their pictures and nothing hides them


@dataclass(frozen=True)
class Condition:
    """Which set of samples it takes, and what becomes of one: of its case as rendered, the pictures' size, a number."""

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
        count: pairs of a set; of some nothing may be left to measure, they are passed over.
        seed: another one gives other scenes.
    """
    chosen = CONDITIONS[condition]
    size, samples = options.size, SETS[chosen.samples]
    larger = round(LARGEST_SCALE * size[0]), round(LARGEST_SCALE * size[1])
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
    points = pixel_grid(*target.mask.shape)
    return Case(reference.picture, target.picture, points, target.warp, target.mask == Visibility.VISIBLE)


def plain(case: Case, size: Size, rng: Rng) -> Case:
    """Nothing but the size changes."""
    return magnified(case, size, 1.0)


def scaled(case: Case, size: Size, rng: Rng) -> Case:
    """The target shows things 1 / LARGEST_SCALE to LARGEST_SCALE times as large as in the clean pair."""
    limit = np.log(LARGEST_SCALE)
    return magnified(case, size, float(np.exp(rng.uniform(-limit, limit))))


def magnified(case: Case, size: Size, scale: float) -> Case:
    """Pictures of `size`, the target `scale` times as large as the reference against how they were rendered.

    As by a zoom lens: the camera whose scale is the larger one sees a part, towards what both see, the other all.
    """
    target, points = _zoomed(case.target, case.points, case.known, size, max(scale, 1.0))
    reference, places = _zoomed(case.reference, case.places, case.known, size, max(1 / scale, 1.0))
    known = case.known & inside(points, size) & inside(places, size)
    return Case(reference, target, points, places, known)


def _zoomed(picture: Pixels, points: Floats, known: Mask, size: Size, zoom: float) -> tuple[Pixels, Floats]:
    """1 / zoom of a picture, drawn at `size`, and where its (h, w, 2) points lie then."""
    whole = picture.shape[1::-1]
    width, height = part = round(whole[0] / zoom), round(whole[1] / zoom)
    middle = points[known].mean(axis=0) if known.any() else np.array(whole) / 2
    left, top = np.clip(np.rint(middle - np.array(part) / 2), 0, np.array(whole) - part).astype(int)
    drawn = cv2.resize(picture[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    moved = (points - np.array([left, top]) + 0.5) * (np.array(size) / part) - 0.5
    return np.asarray(drawn, np.uint8), moved.astype(np.float32)


def exposed(case: Case, size: Size, rng: Rng, stops: float) -> Case:
    """One picture is darker and the other brighter, by `stops` together; which is which, chance decides."""
    half = float(rng.choice((-stops, stops))) / 2
    return _taken(plain(case, size, rng), Look(stops=half), Look(stops=-half))


def at_night(case: Case, size: Size, rng: Rng) -> Case:
    """Both are dark and noisy."""
    looks = [replace(NIGHT, noise_seed=int(rng.integers(2**31))) for _ in range(2)]
    return _taken(plain(case, size, rng), *looks)


def _taken(case: Case, reference: Look, target: Look) -> Case:
    return replace(case, reference=taken(case.reference, reference), target=taken(case.target, target))


def peopled(case: Case, size: Size, rng: Rng) -> Case:
    """People stand in what both see, each in another place when the target is taken; the truth ends where they hide it.

    Each looks alike in both pictures: what is matched well is still matched wrongly.
    """
    case = plain(case, size, rng)
    low = case.known & (np.minimum(case.points[..., 1], case.places[..., 1]) > LOW * size[1])
    here, there = case.places[low], case.points[low]  # (n, 2) of reference and target
    if not low.any():
        return replace(case, known=low)
    reference, target = case.reference.copy(), case.target.copy()
    hidden = [np.zeros(picture.shape[:2], np.uint8) for picture in (reference, target)]
    for _ in range(rng.integers(PEOPLE[0], PEOPLE[1] + 1)):
        before, *choices = rng.integers(len(there), size=9)
        after = max(choices, key=lambda choice: float(np.linalg.norm(there[choice] - there[before])))
        outline = person(rng) * rng.uniform(*TALL) * size[1] / 1.7  # m -> px: they are about 1.7 m tall
        cloth = PATTERNS[str(rng.choice(CLOTHES))](rng, 256)
        _stand(reference, hidden[0], outline, cloth, here[before])
        _stand(target, hidden[1], outline, cloth, there[after])
    rims = [cv2.dilate(mask, np.ones((2 * RIM + 1,) * 2)) for mask in hidden]
    free = [remap(np.asarray(rim, np.uint8), at, cv2.INTER_NEAREST) == 0
            for rim, at in zip(rims, (case.places, case.points), strict=True)]  # fmt: skip
    return replace(case, reference=reference, target=target, known=case.known & free[0] & free[1])


def _stand(picture: Pixels, hidden: Pixels, outline: Doubles, cloth: Pixels, middle: Floats) -> None:
    """Draw a figure (n, 2), feet at y = 0, with its middle at a place; `hidden` (h, w) becomes 255 where it is."""
    corner = middle - (0, outline[:, 1].min() / 2)
    mask = np.zeros(hidden.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline + corner).astype(np.int32)], 255)
    move = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float64)
    worn = cv2.warpAffine(cloth, move, hidden.shape[::-1], borderMode=cv2.BORDER_WRAP)
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
    "base": Condition("clean", plain),
    "rotation": Condition("rotated", plain),
    "scale": Condition("clean", scaled),
    "exposure-1": Condition("clean", partial(exposed, stops=1.0)),
    "exposure-2": Condition("clean", partial(exposed, stops=2.0)),
    "small-overlap": Condition("apart", plain),
    "low-light": Condition("clean", at_night),
    "repeated": Condition("periodic", plain),
    "people": Condition("clean", peopled),
}
