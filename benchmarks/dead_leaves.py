"""A synthetic pair of any size, sharp down to the pixel: two layers of "dead leaves", seen by two cameras.

Discs of random colour with radii from a few pixels to a sixth of the picture's height, painted over each other (Lee,
Mumford & Huang 2001): edges at all scales as in a photograph, and as sharp at 50 Mpx as at 0.5.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.pair_folders import PairFiles

Pixels = NDArray[np.uint8]  # (h, w, 3) BGR
Matrix = NDArray[np.float64]  # (3, 3)

ASPECT = 4 / 3
FOCAL = 1.1  # of the width
YAW, PITCH, ROLL = 15.0, 1.0, 2.0  # degrees between the cameras: few enough for OpenCV's Stitcher
BASELINE = 0.03  # of the depth of the back layer
FRONT_DEPTH = 0.45  # the same
MIN_RADIUS = 3.0  # px
LAYERS_OF_LEAVES = 3.0  # leaves over a pixel, on average
GRAIN = 4.0  # grey levels, sigma of the noise of the texture
GAIN = (0.92, 0.95, 1.0)  # of the target, BGR


def make_pair(megapixels: float, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Reference and target, (h, w, 3) each, of about `megapixels`; the same for the same arguments."""
    h = round((megapixels * 1e6 / ASPECT) ** 0.5)
    w = round(h * ASPECT)
    to_target = [_target_homography(w, h, depth) for depth in (1.0, FRONT_DEPTH)]
    left, top, right, bottom = _bounds(w, h, to_target)
    to_layer = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)  # reference px -> layer px
    rng = np.random.default_rng(seed)
    layers = [_leaves(right - left, bottom - top, h / 6, rng) for _ in range(2)]
    posts = _posts(right - left, bottom - top, w, rng)
    reference = _view(layers, posts, [to_layer, to_layer], (w, h))
    target = _view(layers, posts, [to_layer @ np.linalg.inv(homography) for homography in to_target], (w, h))
    return reference, (target * np.array(GAIN)).round().astype(np.uint8)


def write_pair(folder: Path, megapixels: float) -> PairFiles:
    """Make a pair and write it as two JPEG files of quality 95 into `folder`."""
    folder.mkdir(exist_ok=True)
    paths = folder / "1.jpg", folder / "2.jpg"
    for path, pixels in zip(paths, make_pair(megapixels), strict=True):
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return PairFiles(f"synthetic, {megapixels:g} Mpx", *paths)


def _target_homography(w: int, h: int, depth: float) -> Matrix:
    """Reference px -> target px of a plane that is parallel to the reference's picture, `depth` away."""
    k = np.array([[FOCAL * w, 0, (w - 1) / 2], [0, FOCAL * w, (h - 1) / 2], [0, 0, 1]])
    rotation = np.eye(3)
    for axis, degrees in enumerate((PITCH, YAW, ROLL)):
        vector = np.zeros(3)
        vector[axis] = -np.deg2rad(degrees)
        rotation = np.asarray(cv2.Rodrigues(vector)[0], np.float64) @ rotation
    translation = np.eye(3)
    translation[0, 2] = -BASELINE / depth
    homography: Matrix = k @ rotation @ translation @ np.linalg.inv(k)
    return homography


def _bounds(w: int, h: int, to_target: list[Matrix]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all that either camera sees, reference px."""
    corners = np.array([[[0, 0]], [[w, 0]], [[w, h]], [[0, h]]], np.float64)
    outlines = [corners, *(cv2.perspectiveTransform(corners, np.linalg.inv(m)) for m in to_target)]
    points = np.concatenate(outlines)[:, 0]  # (12, 2)
    left, top = np.floor(points.min(axis=0)).astype(int) - 4
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 4
    return int(left), int(top), int(right), int(bottom)


def _leaves(w: int, h: int, max_radius: float, rng: np.random.Generator) -> Pixels:
    """A texture of discs whose number falls with the cube of their radius, and grain."""
    mean_area = 2 * np.pi * MIN_RADIUS**2 * np.log(max_radius / MIN_RADIUS)
    count = int(LAYERS_OF_LEAVES * w * h / mean_area)
    share = rng.uniform((MIN_RADIUS / max_radius) ** 2, 1, count)
    radii = (MIN_RADIUS / np.sqrt(share)).round().astype(int).tolist()
    centres = np.stack([rng.integers(0, w, count), rng.integers(0, h, count)], axis=-1).tolist()
    brightness = rng.uniform(20, 235, (count, 1))
    colours = np.clip(brightness + rng.normal(0, 15, (count, 3)), 12, 243).round().tolist()
    texture = np.full((h, w, 3), 128, np.uint8)
    for centre, radius, colour in zip(centres, radii, colours, strict=True):
        cv2.circle(texture, centre, radius, colour, -1)
    for row in range(0, h, 256):  # in strips, because noise is eight bytes a value
        strip = texture[row : row + 256]
        grain = rng.normal(0, GRAIN, (*strip.shape[:2], 1))
        strip[:] = np.clip(strip + grain, 0, 255).round().astype(np.uint8)
    return texture


def _posts(w: int, h: int, picture_width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(h, w) mask of the front layer, 255 = opaque: posts that stand on the lower edge."""
    mask = np.zeros((h, w), np.uint8)
    step = round(0.22 * picture_width)
    for middle in range(step // 2, w, step):
        half, top = round(rng.uniform(0.02, 0.04) * picture_width), round(rng.uniform(0.35, 0.6) * h)
        cv2.rectangle(mask, (middle - half, top), (middle + half, h), 255, -1)
        cv2.circle(mask, (middle, top), 2 * half, 255, -1)
    return mask


def _view(layers: list[Pixels], posts: NDArray[np.uint8], to_layers: list[Matrix], size: tuple[int, int]) -> Pixels:
    """A camera's picture; `to_layers`: camera px -> layer px, of the back and the front layer."""
    back, front = (
        cv2.warpPerspective(layer, to_layer, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        for layer, to_layer in zip(layers, to_layers, strict=True)
    )
    opaque = cv2.warpPerspective(posts, to_layers[1], size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    cv2.copyTo(front, opaque, back)
    return np.asarray(back, np.uint8)
