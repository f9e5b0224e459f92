"""Fields and masks as pictures for the report and the verbose folder. Pure functions, BGR uint8 out."""

import cv2
import numpy as np
import numpy.typing as npt

from stitching.geometry.pixel_maps import Field, Mask
from stitching.io.picture import to_grey

Colours = npt.NDArray[np.uint8]  # (h, w, 3) BGR
Values = npt.NDArray[np.float32]  # (h, w)

REFERENCE_COLOUR = (64, 160, 224)  # BGR amber: the reference, in every picture
TARGET_COLOUR = (208, 143, 79)  # BGR blue: the target
OVERLAP_COLOUR = (214, 214, 214)  # BGR: valid in both
HOLE_COLOUR = (77, 56, 232)  # BGR red: valid in neither

# Corners of the colour wheel of Baker et al., "A Database and Evaluation Methodology for Optical Flow",
# IJCV 2011: red, yellow, green, cyan, blue, magenta, red, clockwise from "to the right". Unevenly spaced:
# the eye tells warm hues apart better than greens.
_WHEEL_TURN = np.array([0, 15, 21, 25, 36, 49, 55]) / 55
_WHEEL_BGR = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]])


def robust_limit(values: Values, mask: Mask) -> float:
    """End of a colour scale for `values` (h, w) inside `mask`.

    The 98th percentile rounded up to one digit;
    1.0 where there is nothing to show: no pixel, or all zero.
    """
    inside = values[mask & np.isfinite(values)]
    top = float(np.percentile(inside, 98)) if inside.size else 0.0
    if top < 1e-6:
        return 1.0
    decade = 10.0 ** np.floor(np.log10(top))
    return float(np.ceil(top / decade * (1 - 1e-6)) * decade)


def flow_colours(field: Field, limit: float | None = None) -> Colours:
    """Displacements (h, w, 2), x to the right and y down, as hue (direction) and saturation (length).

    White is no displacement; full colour is `limit` px and above (default: `robust_limit` of the lengths);
    NaN is black. The wheel is the one of the Middlebury flow benchmark.
    """
    known = np.asarray(np.isfinite(field).all(axis=2))
    x, y = np.where(known, field[..., 0], 0.0), np.where(known, field[..., 1], 0.0)
    length = np.hypot(x, y).astype(np.float32)
    strength = np.clip(length / (limit or robust_limit(length, known)), 0, 1)
    turn = np.arctan2(y, x) / (2 * np.pi) % 1
    hue = np.stack([np.interp(turn, _WHEEL_TURN, _WHEEL_BGR[:, channel]) for channel in range(3)], axis=2)
    colours = 1 - strength[..., None] * (1 - hue)
    return _bytes(np.where(known[..., None], 255 * colours, 0))


def flow_legend(size: int) -> tuple[Colours, Mask]:
    """The wheel of `flow_colours` as a disc `size` px across: picture (size, size, 3) and the disc's mask."""
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    field = np.stack(np.meshgrid(steps, steps), axis=2)
    return flow_colours(field, limit=1.0), np.asarray(np.hypot(field[..., 0], field[..., 1]) <= 1)


def heat_map(values: Values, mask: Mask, limit: float) -> Colours:
    """Values (h, w), 0 dark to `limit` and above bright; black outside `mask` (h, w) and where not finite."""
    shown = mask & np.isfinite(values)
    level = np.clip(np.where(shown, values, 0) / limit, 0, 1)
    colours = cv2.applyColorMap(_bytes(255 * level), cv2.COLORMAP_INFERNO)
    return _bytes(np.where(shown[..., None], colours, 0))


def weight_colours(weight: Values) -> Colours:
    """Blend weight (h, w), 0..1, the reference's share: from the target's blue to the reference's amber."""
    share = np.clip(weight, 0, 1)[..., None]
    mixed = share * np.array(REFERENCE_COLOUR) + (1 - share) * np.array(TARGET_COLOUR)
    return _bytes(mixed)


def coverage_colours(reference: Mask, target: Mask, holes: Mask) -> Colours:
    """Coverage from three masks (h, w): amber, blue, pale grey for both, red for holes, black else."""
    picture = np.zeros((*reference.shape, 3), np.uint8)
    picture[reference] = REFERENCE_COLOUR
    picture[target] = TARGET_COLOUR
    picture[reference & target] = OVERLAP_COLOUR
    picture[holes] = HOLE_COLOUR
    return picture


def shaded(colours: Colours, picture: Colours, strength: float = 0.5) -> Colours:
    """`colours` (h, w, 3) darkened where `picture` (h, w, 3) is dark: shows what a field lies on."""
    grey = to_grey(picture)[..., None] / 255.0
    return _bytes(colours * (1 - strength * (1 - grey)))


def within(field: Colours, mask: Mask, picture: Colours) -> Colours:
    """`field` (h, w, 3) inside `mask` (h, w), `picture` (h, w, 3) faint and grey around it."""
    around = 70 + 0.35 * to_grey(picture)[..., None]
    return _bytes(np.where(mask[..., None], field, around))


def difference(reference: Colours, target: Colours, both: Mask) -> Colours:
    """How far two aligned pictures (h, w, 3) differ where `both` (h, w) see: grey, black = equal.

    The target is first brought to the reference's mean brightness, or exposure would hide misalignment.
    """
    if not both.any():
        return np.zeros_like(reference)
    first = to_grey(reference).astype(np.float32)
    second = to_grey(target).astype(np.float32)
    second *= first[both].mean() / max(float(second[both].mean()), 1.0)
    apart = np.where(both, np.clip(2 * np.abs(first - second), 0, 255), 0)  # doubled: small errors matter
    return np.repeat(_bytes(apart)[..., None], 3, axis=2)


def seam_line(weight: Values, reference: Mask, target: Mask, thickness: int = 1) -> Mask:
    """The 0.5 line of the blend weight in the overlap of the masks; all arrays (h, w).

    It reaches `thickness` px to either side, and is never the border of the panorama.
    """
    reference_dominates = weight >= 0.5
    brush = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    near_reference = cv2.dilate((reference_dominates & reference).astype(np.uint8), brush) > 0
    near_target = cv2.dilate((~reference_dominates & target).astype(np.uint8), brush) > 0
    return np.asarray(near_reference & near_target & reference & target)


def label_borders(labels: npt.NDArray[np.int16], thickness: int = 1) -> Mask:
    """(h, w): within `thickness` px of a place where two labels (h, w) of 0 and above meet."""
    brush = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    highest = cv2.dilate(labels, brush)
    lowest = cv2.erode(np.where(labels < 0, np.int16(np.iinfo(np.int16).max), labels), brush)
    return np.asarray((labels >= 0) & (highest > lowest))


def palette(count: int) -> list[tuple[int, int, int]]:
    """BGR colours that differ, neighbours in the list most: hues a golden angle apart."""
    hues = (np.arange(count) * 0.381966 + 0.09) % 1 * 180  # OpenCV's hues end at 180
    bright = np.stack([hues, np.full(count, 165), np.full(count, 235)], axis=-1)  # (count, 3)
    colours = cv2.cvtColor(_bytes(bright)[None], cv2.COLOR_HSV2BGR)[0]  # (1, count, 3) -> (count, 3)
    return [(int(blue), int(green), int(red)) for blue, green, red in colours]


def stripes(holes: Mask, period: int = 12) -> Mask:
    """Diagonal stripes inside `holes` (h, w): marks an area and leaves the picture readable."""
    rows, columns = np.indices(holes.shape)
    return np.asarray(holes & ((rows + columns) % period < period / 2))


def overlaid(picture: Colours, mask: Mask, colour: tuple[int, int, int]) -> Colours:
    """A copy of `picture` (h, w, 3) with `mask` (h, w) painted in `colour` (BGR)."""
    painted = picture.copy()
    painted[mask] = colour
    return painted


def grid_lines(forward: Field, cells: int = 16) -> list[Values]:
    """Where a regular grid over the target lands: polylines (n, 2) in canvas px, n >= 2, broken at NaN.

    `forward` (h, w, 2) holds the canvas place of every target pixel. `cells` along the longer side.
    """
    height, width = forward.shape[:2]
    step = max(1, round(max(height, width) / cells))
    rows = [forward[row] for row in np.append(np.arange(0, height - 1, step), height - 1)]
    columns = [forward[:, column] for column in np.append(np.arange(0, width - 1, step), width - 1)]
    return [part for line in rows + columns for part in _finite_runs(line, max(1, step // 4))]


def _finite_runs(line: Values, every: int) -> list[Values]:
    """`line` (n, 2) cut where it is not finite, thinned to every `every`-th point and each run's last."""
    gaps = np.flatnonzero(~np.isfinite(line).all(axis=1))
    runs = np.split(line, np.union1d(gaps, gaps + 1))
    return [np.concatenate([run[:-1:every], run[-1:]]) for run in runs if len(run) > 1 and np.isfinite(run).all()]


def _bytes(values: npt.ArrayLike) -> Colours:
    return np.asarray(np.rint(values), np.uint8)
