"""Photographed pairs, as far as a training can tell: pictures of one scene, without ground truth."""

import cv2
import numpy as np

from stitching.io.picture_writer import write_picture


def two_views(seed, translation=12):
    """(64, 64, 3) uint8 each: one scene of soft blobs, seen by a target `translation` px farther right."""
    rng, side = np.random.default_rng(seed), 96
    layers = [
        cv2.resize(rng.uniform(0, 1, (side // cell, side // cell, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
        for cell in (8, 12, 24)
    ]
    scene = np.clip(20 + 75 * sum(layers), 0, 255).astype(np.uint8)
    return scene[:64, :64], scene[:64, translation : 64 + translation]


def write_pairs(folder, count):
    """A folder of pairs input1/NUMBER.jpg and input2/NUMBER.jpg."""
    for side in ("input1", "input2"):
        (folder / side).mkdir(parents=True)
    for number in range(count):
        for side, picture in zip(("input1", "input2"), two_views(number), strict=True):
            write_picture(folder / side / f"{number}.jpg", picture)
    return folder
