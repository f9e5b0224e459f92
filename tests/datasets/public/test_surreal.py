"""SURREAL: the middle frame of each clip."""

import numpy as np
import pytest
import torch
from public_folders import LEFT, SIZE, write_matlab, write_surreal

from datasets.labels import Labels
from datasets.public.registry import open_public
from stitching.errors import InputError


@pytest.mark.parametrize(("frames", "middle"), [(1, 1), (4, 2), (5, 3)])
def test_picture_parts_and_depth_are_those_of_the_middle_frame(tmp_path, frames, middle):
    write_surreal(tmp_path, frames)
    data = open_public("surreal", tmp_path, "train", SIZE)
    assert data.labels == {"parts": Labels("classes", 25), "depth": Labels("distance")}
    assert len(data) == 2
    left = torch.from_numpy(LEFT)
    for k in range(2):
        image, maps = data[k]
        assert round(float(image.mean()) * 255 / 20) == middle
        assert torch.equal(maps["parts"], torch.where(left, middle, 0))
        assert (maps["depth"][left] == middle).all()
        assert maps["depth"][~left].isnan().all()  # a photograph stands behind


@pytest.mark.parametrize(
    ("file", "variables", "words"),
    [
        ("info", {"gender": np.zeros((5, 1))}, r"_info\.mat: no variable zrot in it"),
        ("info", {"zrot": np.zeros((0, 1))}, r"_info\.mat: zrot is empty"),
        ("info", {"zrot": np.zeros((19, 1))}, r"\.mp4: frame 9 cannot be read; expected a video of more than 9 frames"),
        ("segm", {"segm_1": np.zeros(SIZE)}, r"_segm\.mat: no variable segm_3 in it"),
        ("depth", {"depth_1": np.zeros(SIZE)}, r"_depth\.mat: no variable depth_3 in it"),
    ],
)
def test_clips_whose_files_do_not_fit_together_are_refused(tmp_path, file, variables, words):
    write_surreal(tmp_path)
    write_matlab(tmp_path / f"cmu/val/run0/09_01/09_01_c0001_{file}.mat", **variables)
    with pytest.raises(InputError, match=words):
        open_public("surreal", tmp_path, "val", SIZE)[0]


def test_a_missing_description_is_named(tmp_path):
    write_surreal(tmp_path)
    (tmp_path / "cmu/val/run0/09_01/09_01_c0001_info.mat").unlink()
    with pytest.raises(InputError, match=r"cannot read .*09_01_c0001_info\.mat: no such file"):
        open_public("surreal", tmp_path, "val", SIZE)[0]
