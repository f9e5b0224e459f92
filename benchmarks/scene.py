"""A made-up pair of any size, sharp down to the pixel: two layers of "dead leaves", seen by two cameras.

Discs of random colour with radii from a few pixels to a sixth of the picture, falling on each other (Lee,
Mumford & Huang 2001): edges at all scales as in a photograph, and as sharp at 50 Mpx as at 0.5.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.pair_folders import PairFiles

Pixels = NDArray[np.uint8]  # (h, w, 3) BGR
Matrix = NDArray[np.float64]

ASPECT = 4 / 3
FOCAL = 1.1  # of the width
YAW, PITCH, ROLL = 15.0, 1.0, 2.0  # degrees between the cameras: OpenCV's Stitcher manages it too
BASELINE = 0.03  # of the depth of the back layer
FRONT_DEPTH = 0.45  # the same
SMALLEST_LEAF = 3.0  # px, radius
COVER = 3.0  # how often leaves cover the plane
GRAIN = 4.0  # grey levels, sigma of the noise of the texture
GAIN = (0.92, 0.95, 1.0)  # of the target, BGR


def make_pair(megapixels: float, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Reference and target, (h, w, 3) each, of about `megapixels`; the same for the same arguments."""
    h = round((megapixels * 1e6 / ASPECT) ** 0.5)
    w = round(h * ASPECT)
    back, front = (_target_homography(w, h, depth) for depth in (1.0, FRONT_DEPTH))
    left, top, right, bottom = _plane(w, h, (back, front))
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    rng = np.random.default_rng(seed)
    layers = [_leaves(right - left, bottom - top, h / 6, rng) for _ in range(2)]
    posts = _posts(right - left, bottom - top, w, rng)
    # Reference px are plane px of the back layer; the front one is seen there without any motion too.
    reference = _view(layers, posts, (shift, shift), (w, h))
    from_target = [shift @ np.linalg.inv(homography) for homography in (back, front)]
    target = _view(layers, posts, (from_target[0], from_target[1]), (w, h))
    gained = target * np.array(GAIN)
    return reference, gained.round().astype(np.uint8)


def _target_homography(w: int, h: int, depth: float) -> Matrix:
    """(3, 3) reference px -> target px of a plane that the reference looks at straight, `depth` away."""
    k = np.array([[FOCAL * w, 0, (w - 1) / 2], [0, FOCAL * w, (h - 1) / 2], [0, 0, 1]])
    turn = np.eye(3)
    for axis, degrees in enumerate((PITCH, YAW, ROLL)):
        vector = np.zeros(3)
        vector[axis] = -np.deg2rad(degrees)
        turn = np.asarray(cv2.Rodrigues(vector)[0], np.float64) @ turn
    move = np.eye(3)
    move[0, 2] = -BASELINE / depth
    result: Matrix = k @ turn @ move @ np.linalg.inv(k)
    return result


def _plane(w: int, h: int, homographies: tuple[Matrix, Matrix]) -> tuple[int, int, int, int]:
    """Box of reference px that holds all that either camera sees."""
    corners = np.array([[[0, 0]], [[w, 0]], [[w, h]], [[0, h]]], np.float64)
    valid = [corners, *(cv2.perspectiveTransform(corners, np.linalg.inv(m)) for m in homographies)]
    points = np.concatenate(valid)[:, 0]  # (12, 2)
    left, top = np.floor(points.min(axis=0)).astype(int) - 4
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 4
    return int(left), int(top), int(right), int(bottom)


def _leaves(w: int, h: int, largest: float, rng: np.random.Generator) -> Pixels:
    """A texture of discs whose number falls with the cube of their radius, and grain."""
    mean_area = 2 * np.pi * SMALLEST_LEAF**2 * np.log(largest / SMALLEST_LEAF)
    count = int(COVER * w * h / mean_area)
    share = rng.uniform((SMALLEST_LEAF / largest) ** 2, 1, count)
    radii = (SMALLEST_LEAF / np.sqrt(share)).round().astype(int).tolist()
    places = np.stack([rng.integers(0, w, count), rng.integers(0, h, count)], axis=-1).tolist()
    brightness = rng.uniform(20, 235, (count, 1))
    colours = np.clip(brightness + rng.normal(0, 15, (count, 3)), 12, 243).round().tolist()
    texture = np.full((h, w, 3), 128, np.uint8)
    for place, radius, colour in zip(places, radii, colours, strict=True):
        cv2.circle(texture, place, radius, colour, -1)
    for row in range(0, h, 256):  # in strips, because noise is eight bytes a value
        strip = texture[row : row + 256]
        grain = rng.normal(0, GRAIN, (*strip.shape[:2], 1))
        strip[:] = np.clip(strip + grain, 0, 255).round().astype(np.uint8)
    return texture


def _posts(w: int, h: int, picture_width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(h, w) mask of the front layer, 255 = there: posts that stand on the lower edge."""
    mask = np.zeros((h, w), np.uint8)
    step = round(0.22 * picture_width)
    for middle in range(step // 2, w, step):
        half, top = round(rng.uniform(0.02, 0.04) * picture_width), round(rng.uniform(0.35, 0.6) * h)
        cv2.rectangle(mask, (middle - half, top), (middle + half, h), 255, -1)
        cv2.circle(mask, (middle, top), 2 * half, 255, -1)
    return mask


def _view(
    layers: list[Pixels], posts: NDArray[np.uint8], places: tuple[Matrix, Matrix], size: tuple[int, int]
) -> Pixels:
    """What a camera sees; `places`: (3, 3) camera px -> layer px, of the back and the front layer."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    back, front = (
        cv2.warpPerspective(layer, place, size, flags=flags) for layer, place in zip(layers, places, strict=True)
    )
    nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    there = cv2.warpPerspective(posts, places[1], size, flags=nearest)
    cv2.copyTo(front, there, back)
    return np.asarray(back, np.uint8)


def write_pair(folder: Path, megapixels: float) -> PairFiles:
    """Make a pair and write it as two JPEG files of quality 95 into `folder`."""
    folder.mkdir(exist_ok=True)
    paths = folder / "1.jpg", folder / "2.jpg"
    for path, pixels in zip(paths, make_pair(megapixels), strict=True):
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return PairFiles(f"scene, {megapixels:g} Mpx", *paths)
