"""NYUD-v2: what the stored numbers become."""

import numpy as np
import pytest
import torch
from public_folders import LEFT, SIZE, H, W, write_array, write_nyud, write_split

from datasets.labels import IGNORED, Labels
from datasets.public.registry import open_public
from stitching.errors import InputError


def test_stored_numbers_become_classes_metres_and_normals_of_our_camera(tmp_path):
    write_nyud(tmp_path)
    data = open_public("nyud", tmp_path, "val", SIZE)
    assert data.labels == {
        "segmentation": Labels("classes", 40),
        "depth": Labels("distance"),
        "normals": Labels("normals"),
        "edges": Labels("binary"),
    }
    _, maps = data[0]
    left = torch.from_numpy(LEFT)
    assert (maps["segmentation"][left] == IGNORED).all()
    assert (maps["segmentation"][~left] == 39).all()  # stored from 1
    assert maps["depth"][left].isnan().all()
    assert (maps["depth"][~left] == 2.5).all()
    assert not maps["normals"][:, left].any()
    # a floor: up is -y
    torch.testing.assert_close(maps["normals"][:, 0, -1], torch.tensor([0.0, -0.8, -0.6]))
    assert maps["edges"].sum(0).tolist() == [H * (k == 4) for k in range(W)]


def test_items_are_those_of_the_list_in_its_order(tmp_path):
    write_nyud(tmp_path)
    for name in ("0001", "0005"):
        write_array(tmp_path / f"depth/{name}.npy", np.full((H, W), int(name), np.float32))
    data = open_public("nyud", tmp_path, "train", SIZE)
    assert [int(data[k][1]["depth"][0, 0]) for k in range(len(data))] == [5, 1]


def test_a_wall_to_the_right_faces_left(tmp_path):
    """Stored x points to the left."""
    write_nyud(tmp_path)
    write_array(tmp_path / "normals/0002.npy", np.full((H, W, 3), [0.6, 0, 0.8], np.float32))
    _, maps = open_public("nyud", tmp_path, "val", SIZE)[0]
    torch.testing.assert_close(maps["normals"][:, 3, 3], torch.tensor([-0.6, 0.0, -0.8]))


@pytest.mark.filterwarnings("error")
def test_numbers_that_no_map_can_keep_are_refused(tmp_path):
    write_nyud(tmp_path)
    write_array(tmp_path / "depth/0002.npy", np.full((H, W), 1e300))
    with pytest.raises(InputError, match=r"depth/0002\.npy: a distance of 1e\+300; expected at most 1e\+18"):
        open_public("nyud", tmp_path, "val", SIZE)[0]
    write_nyud(tmp_path)
    write_array(tmp_path / "normals/0002.npy", np.full((H, W, 3), 1e300))
    with pytest.raises(InputError, match=r"normals/0002\.npy: normals that are not finite, or huge"):
        open_public("nyud", tmp_path, "val", SIZE)[0]


def test_an_empty_list_and_broken_normals_are_refused(tmp_path):
    write_nyud(tmp_path)
    write_array(tmp_path / "normals/0002.npy", np.full((H, W, 3), np.nan, np.float32))
    with pytest.raises(InputError, match=r"normals/0002\.npy: normals that are not finite"):
        open_public("nyud", tmp_path, "val", SIZE)[0]
    write_split(tmp_path / "gt_sets/val.txt", [" "])
    with pytest.raises(InputError, match=r"val\.txt: empty; expected a name on each line"):
        open_public("nyud", tmp_path, "val", SIZE)
