"""NYUD-v2 as the ASTMT and MTI-Net code bases share it: NYUD_MT (Silberman et al., ECCV 2012).

Maninis et al., "Attentive Single-Tasking of Multiple Tasks", CVPR 2019; Vandenhende et al., "MTI-Net", ECCV 2020.
"""

from pathlib import Path

import numpy as np

from datasets.labels import IGNORED, Labels
from datasets.public.layout import Layout, MapFile
from datasets.public.readers import Map, read_array, read_image, read_lines, read_numbers


def _list_names(folder: Path, split: str) -> list[str]:
    return read_lines(folder / "gt_sets" / f"{split}.txt")


def _decode_classes(path: Path) -> Map:
    """Stored 1 .. 40, and 0 where unlabelled."""
    stored = read_numbers(path).astype(np.int64)
    return np.where(stored == 0, IGNORED, stored - 1)


def _decode_depth(path: Path) -> Map:
    """Metres; stored 0 where the sensor has no value."""
    stored = read_array(path)
    return np.where(stored > 0, stored, np.nan)


def _decode_normals(path: Path) -> Map:
    """Stored x left, y up, z towards the camera; here x right, y down, z forward."""
    return -read_array(path).astype(np.float64)


def _decode_edges(path: Path) -> Map:
    return (read_array(path) > 0.5).astype(np.float32)


LAYOUT = Layout(
    marker="gt_sets",
    names=_list_names,
    image=MapFile(("images/{name}.jpg",), read_image),
    labels={
        "segmentation": Labels("classes", 40),
        "depth": Labels("distance"),
        "normals": Labels("normals"),
        "edges": Labels("binary"),
    },
    maps={
        "segmentation": MapFile(("segmentation/{name}.png",), _decode_classes),
        "depth": MapFile(("depth/{name}.npy",), _decode_depth),
        "normals": MapFile(("normals/{name}.npy",), _decode_normals),
        "edges": MapFile(("edge/{name}.npy",), _decode_edges),
    },
)
