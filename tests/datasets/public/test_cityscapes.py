"""Cityscapes: the arrays of MTAN and the original pictures."""

import numpy as np
import pytest
import torch
from public_folders import LEFT, SIZE, H, W, write_array, write_cityscapes, write_cityscapes_arrays

from datasets.labels import IGNORED, Labels
from datasets.public.registry import open_public
from stitching.errors import InputError


@pytest.mark.parametrize("classes", [7, 19])
def test_arrays_have_as_many_classes_as_their_folder_says(tmp_path, classes):
    write_cityscapes_arrays(tmp_path, classes)
    data = open_public("cityscapes", tmp_path, "val", SIZE)
    assert data.labels == {"segmentation": Labels("classes", classes), "depth": Labels("distance")}
    _, maps = data[0]
    left = torch.from_numpy(LEFT)
    assert torch.equal(maps["segmentation"], torch.where(left, IGNORED, classes - 1))
    assert maps["depth"][left].isnan().all()
    assert (maps["depth"][~left] == 0.25).all()


def test_of_both_label_folders_the_7_classes_are_read(tmp_path):
    write_cityscapes_arrays(tmp_path, 19)
    write_cityscapes_arrays(tmp_path, 7)
    assert open_public("cityscapes", tmp_path, "train", SIZE).labels["segmentation"].classes == 7


def test_arrays_are_in_the_order_of_their_numbers(tmp_path):
    write_cityscapes_arrays(tmp_path)
    data = open_public("cityscapes", tmp_path, "train", SIZE)
    assert [round(20 * float(data[k][0][0, 0, 0])) for k in range(len(data))] == [*range(11)]


def test_a_class_is_a_whole_number(tmp_path):
    write_cityscapes_arrays(tmp_path)
    write_array(tmp_path / "val/label_7/0.npy", np.full((H, W), 2.7))
    with pytest.raises(InputError, match=r"label_7/0\.npy: a value that stands for class 2\.7; expected"):
        open_public("cityscapes", tmp_path, "val", SIZE)[0]


def test_array_pictures_of_another_range_are_refused(tmp_path):
    write_cityscapes_arrays(tmp_path)
    write_array(tmp_path / "val/image/0.npy", np.full((H, W, 3), 255, np.uint8))
    with pytest.raises(InputError, match=r"image/0\.npy: uint8 of shape \(12, 16, 3\); expected .* RGB in 0 \.\. 1"):
        open_public("cityscapes", tmp_path, "val", SIZE)[0]


def test_label_numbers_become_the_19_classes_and_disparity_pixels(tmp_path):
    write_cityscapes(tmp_path)
    data = open_public("cityscapes", tmp_path, "val", SIZE)
    assert data.labels == {"segmentation": Labels("classes", 19), "depth": Labels("distance")}
    _, maps = data[0]
    assert maps["segmentation"][5, ::4].tolist() == [IGNORED, 0, IGNORED, 18]
    left = torch.from_numpy(LEFT)
    assert maps["depth"][left].isnan().all()
    assert (maps["depth"][~left] == 50).all()  # (12801 - 1) / 256


def test_disparity_does_not_change_with_the_size(tmp_path):
    write_cityscapes(tmp_path)
    _, maps = open_public("cityscapes", tmp_path, "test", (W // 4, H // 4))[0]
    assert maps["depth"][~maps["depth"].isnan()].unique().tolist() == [50]


def test_items_are_those_of_all_cities_of_a_split(tmp_path):
    write_cityscapes(tmp_path)
    counts = {split: len(open_public("cityscapes", tmp_path, split, SIZE)) for split in ("train", "val", "test")}
    assert counts == {"train": 2, "val": 1, "test": 1}


def test_a_split_without_pictures_is_refused(tmp_path):
    (tmp_path / "leftImg8bit/train").mkdir(parents=True)
    with pytest.raises(InputError, match=r"leftImg8bit.train: no \*/\*_leftImg8bit\.png in it"):
        open_public("cityscapes", tmp_path, "train", SIZE)
