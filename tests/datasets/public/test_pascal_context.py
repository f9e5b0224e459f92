"""PASCAL-Context: classes, parts, borders, and which normals count."""

import numpy as np
import pytest
import torch
from public_folders import LEFT, SIZE, H, W, part, row, thing, write_matlab, write_numbers, write_pascal_context

from datasets.labels import IGNORED, Labels
from datasets.public.pascal_context import PARTS
from datasets.public.registry import open_public
from stitching.errors import InputError


@pytest.fixture
def folder(tmp_path):
    write_pascal_context(tmp_path)
    return tmp_path


def item(folder, index=0):
    return open_public("pascal-context", folder, "train", SIZE)[index][1]


def test_tasks(folder):
    assert open_public("pascal-context", folder, "train", SIZE).labels == {
        "segmentation": Labels("classes", 21),
        "parts": Labels("classes", 7),
        "saliency": Labels("binary"),
        "normals": Labels("normals"),
        "edges": Labels("binary"),
    }


def test_classes_are_a_palettes_indices_in_either_folder(folder):
    expected = torch.from_numpy(np.where(LEFT, 15, IGNORED))
    assert torch.equal(item(folder, 0)["segmentation"], expected)
    assert torch.equal(item(folder, 1)["segmentation"], expected)


def test_parts_of_persons_are_joined_to_six(folder):
    parts = item(folder)["parts"]
    assert parts[:, 0].tolist() == [1] * 3 + [2] * 3 + [6] * 3 + [0] * 3
    assert not parts[:, 4:].any()
    assert len(PARTS) == 24
    assert set(PARTS.values()) == {1, 2, 3, 4, 5, 6}


def test_pictures_without_parts_are_ignored(folder):
    assert (item(folder, 1)["parts"] == IGNORED).all()


def test_salient_pixels_are_above_one_half(folder):
    assert torch.equal(item(folder)["saliency"], torch.from_numpy(LEFT).float())


def test_normals_count_where_a_room_could_have_the_class_and_point_to_the_camera(folder):
    """Stored (128, 230, 204): y up 0.8, z towards the camera 0.6. A person may be in a room, the sky is not."""
    normals, left = item(folder)["normals"], torch.from_numpy(LEFT)
    torch.testing.assert_close(normals[:, 0, 0], torch.tensor([0.0, -0.8, -0.6]), atol=0.01, rtol=0)
    assert (normals[:, left].norm(dim=0) > 0.99).all()
    assert not normals[:, ~left].any()


def test_edges_are_one_pixel_wide_where_the_459_classes_meet(folder):
    edges = item(folder)["edges"]
    assert edges[2:-2].sum(1).tolist() == [1] * (H - 4)
    assert edges[:, [W // 2 - 1, W // 2]].sum() == edges.sum()


def test_one_class_has_no_edges(folder):
    write_matlab(folder / "pascal-context/trainval/2008_000002.mat", LabelMap=np.full((H, W), 284, np.uint16))
    assert not item(folder)["edges"].any()


@pytest.mark.parametrize(
    "annotation",
    [
        np.zeros((2, 2)),
        {"imname": "x", "objects": row()},
        {"imname": "x", "objects": row({"name": "x"})},
        {"imname": "x", "objects": row(thing(15, part("wing", slice(0, 3))))},
    ],
    ids=["numbers", "no objects", "other fields", "a part that persons lack"],
)
def test_annotations_of_another_form_are_refused(folder, annotation):
    write_matlab(folder / "human_parts/2008_000002.mat", anno=annotation)
    with pytest.raises(InputError, match=r"human_parts/2008_000002\.mat: not as PASCAL-Part has it"):
        item(folder)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"other": np.zeros((H, W))}, "no variable LabelMap in it"),
        ({"LabelMap": np.array(["x", "y"], object)}, "an array of object; expected numbers"),
        ({"LabelMap": np.zeros((H, W, 2))}, "LabelMap of shape|a map of"),
        ({"LabelMap": np.zeros((H, W - 1))}, "a map of"),
    ],
)
def test_class_maps_of_another_form_are_refused(folder, variables, words):
    write_matlab(folder / "pascal-context/trainval/2008_000002.mat", **variables)
    with pytest.raises(InputError, match=words):
        item(folder)


def test_a_colour_picture_is_no_class_map(folder):
    write_numbers(folder / "semseg/VOC12/2008_000002.png", np.zeros((H, W, 3), np.uint8))
    with pytest.raises(InputError, match=r"2008_000002\.png: a picture of type RGB; expected one channel"):
        item(folder)
