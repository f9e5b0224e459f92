"""Cityscapes (Cordts et al., CVPR 2016): as published, and as the small arrays of MTAN (Liu et al., CVPR 2019).

"depth" is disparity in both, inverse depth up to a factor: far is 0.
"""

from pathlib import Path

import numpy as np

from datasets.labels import IGNORED, Labels
from datasets.public.layout import Layout, MapFile
from datasets.public.readers import Map, find_names, read_array, read_image, read_numbers
from stitching.errors import InputError

# class -> the number that *_labelIds.png holds: road, sidewalk, building, wall, fence, pole, traffic light, traffic
# sign, vegetation, terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def _list_arrays(folder: Path, split: str) -> list[str]:
    names = find_names(folder / split / "image", "*.npy", ".npy")
    return sorted(names, key=lambda name: (len(name), name))  # in numerical order: 2 before 10


def _list_pictures(folder: Path, split: str) -> list[str]:
    return find_names(folder / "leftImg8bit" / split, "*/*_leftImg8bit.png", "_leftImg8bit.png")


def _decode_stored_image(path: Path) -> Map:
    """Stored (h, w, 3) RGB, 0 .. 1."""
    stored = read_array(path)
    if stored.ndim != 3 or not np.abs(stored).max(initial=0) < 2:  # resizing may have overshot 1 a little
        raise InputError(f"{path}: {stored.dtype} of shape {stored.shape}; expected (height, width, 3) RGB in 0 .. 1")
    return np.ascontiguousarray(stored[..., ::-1].clip(0, 1))


def _decode_stored_classes(path: Path) -> Map:
    """Stored -1 where unlabelled."""
    stored = read_array(path)
    return np.where(stored == -1, IGNORED, stored)


def _decode_stored_disparity(path: Path) -> Map:
    """Stored (h, w, 1); 0 where stereo matching failed."""
    stored = read_array(path)
    plane = stored[..., 0] if stored.ndim == 3 and stored.shape[2] == 1 else stored  # (h, w, 1) -> (h, w)
    return np.where(plane > 0, plane, np.nan)


def _decode_label_ids(path: Path) -> Map:
    classes = np.full(1 << 16, IGNORED, np.uint8)  # table: class of every 16-bit value
    classes[list(LABEL_IDS)] = np.arange(len(LABEL_IDS))
    return np.asarray(classes[read_numbers(path)])


def _decode_disparity(path: Path) -> Map:
    """Stored 256 disparity + 1; 0 where stereo matching failed."""
    stored = read_numbers(path).astype(np.float32)
    return np.where(stored > 0, (stored - 1) / 256, np.nan)


def _arrays(classes: int) -> Layout:
    """Layout of the arrays of MTAN with so many classes."""
    return Layout(
        marker=f"{{split}}/label_{classes}",
        names=_list_arrays,
        image=MapFile(("{split}/image/{name}.npy",), _decode_stored_image),
        labels={"segmentation": Labels("classes", classes), "depth": Labels("distance")},
        maps={
            "segmentation": MapFile((f"{{split}}/label_{classes}/{{name}}.npy",), _decode_stored_classes),
            "depth": MapFile(("{split}/depth/{name}.npy",), _decode_stored_disparity),
        },
    )


ARRAYS_7, ARRAYS_19 = _arrays(7), _arrays(19)

ORIGINAL = Layout(
    marker="leftImg8bit",
    names=_list_pictures,
    image=MapFile(("leftImg8bit/{split}/{name}_leftImg8bit.png",), read_image),
    labels={"segmentation": Labels("classes", len(LABEL_IDS)), "depth": Labels("distance")},
    maps={
        "segmentation": MapFile(("gtFine/{split}/{name}_gtFine_labelIds.png",), _decode_label_ids),
        "depth": MapFile(("disparity/{split}/{name}_disparity.png",), _decode_disparity),
    },
)
