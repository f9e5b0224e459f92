"""SURREAL: rendered people in front of photographs (Varol et al., "Learning from Synthetic Humans", CVPR 2017).

An item is the middle frame of a clip, as in the authors' evaluation: the frames of a clip are much alike.
"""

from pathlib import Path

import numpy as np

from datasets.labels import Labels
from datasets.public.layout import Layout, MapFile
from datasets.public.readers import Map, find_names, read_frame, read_matlab_array
from stitching.errors import InputError

_BACKGROUND = 1e3  # m; the background, a photograph, is stored as 1e10


def _list_clips(folder: Path, split: str) -> list[str]:
    return find_names(folder / "cmu" / split, "run*/*/*.mp4", ".mp4")


def _middle_frame(clip: Path) -> int:
    """The number, from 1, of the middle frame of a clip, given by its path without extension."""
    info = clip.with_name(f"{clip.name}_info.mat")
    frames = read_matlab_array(info, "zrot").size  # one angle per frame
    if frames < 1:
        raise InputError(f"{info}: zrot is empty; expected an angle for each frame")
    return (frames + 1) // 2


def _decode_frame(path: Path) -> Map:
    return read_frame(path, _middle_frame(path.with_suffix("")) - 1)


def _decode_parts(path: Path) -> Map:
    """Stored 0 for the background and 1 .. 24 for the parts of the SMPL body."""
    return read_matlab_array(path, f"segm_{_middle_frame(path.with_name(path.name.removesuffix('_segm.mat')))}")


def _decode_depth(path: Path) -> Map:
    """Metres."""
    stored = read_matlab_array(path, f"depth_{_middle_frame(path.with_name(path.name.removesuffix('_depth.mat')))}")
    return np.where(stored < _BACKGROUND, stored, np.nan)


LAYOUT = Layout(
    marker="cmu",
    names=_list_clips,
    image=MapFile(("cmu/{split}/{name}.mp4",), _decode_frame),
    labels={"parts": Labels("classes", 25), "depth": Labels("distance")},
    maps={
        "parts": MapFile(("cmu/{split}/{name}_segm.mat",), _decode_parts),
        "depth": MapFile(("cmu/{split}/{name}_depth.mat",), _decode_depth),
    },
)
