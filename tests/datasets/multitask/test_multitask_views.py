"""Pairs of the multi-task benchmark: labels that agree with the pictures, the cameras and each other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from worlds import CPU, bank_of, camera, gentle_bank, make_scene, soft, square

from datasets.camera_request import CameraRequest
from datasets.labels import Item
from datasets.multitask import rendered_set, scenes, views
from datasets.multitask.scenes import MultiTaskScenes
from datasets.multitask.views import LABELS, MultiTaskViews
from datasets.options import SampleOptions
from datasets.rendering.cameras import Cameras
from datasets.sample_renderer import SampleRenderer
from datasets.scene_sampler import SampledScene
from datasets.scenes.scene import Kind, Scene
from datasets.viewpoints.search import Viewpoints

OPTIONS = SampleOptions(size=(48, 40), supersampling=1, overlap=(0.8, 0.95), parallax=(5.0, 25.0))
COUNT, SEED = 6, 3
FOCAL = float(camera(size=(48, 40)).intrinsics[0, 0, 0])  # px
BOARD = square((0, 0, 2), (-0.5, 0, 0), (0, 0.5, 0))  # faces the camera
WALL = square((0, 20, 4), (-40, 0, 0), (0, 20, 0))  # the upper half of the picture is sky


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `shown` rendered."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def shown(cache: Path) -> Item:
    return make_views().tensors(cache)


def make_views(**corrupt: float) -> MultiTaskViews:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rendered_set, "open_renderer", lambda options, seed: SampleRenderer(options, seed, CPU, gentle_bank())
        )
        return MultiTaskViews(COUNT, SEED, OPTIONS, corrupt)


def show(scene: Scene, other: Cameras, monkeypatch: pytest.MonkeyPatch, kind: type = MultiTaskViews) -> Item:
    """The only item of a set: this scene, seen by a camera at the origin, and by the other one."""
    first, where = camera(size=OPTIONS.size), torch.zeros(1, dtype=torch.int64)
    points = torch.from_numpy(scene.corners).double().flatten(0, 1)  # (n, 3, 3) -> (3 n, 3)
    pair = Viewpoints(first, other, where, points, where.expand(len(points)))
    aims = np.zeros((4, 3))
    drawn = SampledScene(0, scene, CameraRequest(0.9, 5, 60, 0, aims, aims, aims, np.ones(4)), np.random.default_rng(0))
    with monkeypatch.context() as patch:
        renderer = SampleRenderer(OPTIONS, SEED, CPU, bank_of(soft(64, 3)))
        patch.setattr(renderer, "sample_scene", lambda index: drawn)
        patch.setattr(rendered_set, "open_renderer", lambda options, seed: renderer)
        patch.setattr(views, "choose_viewpoints", lambda *given: pair)
        patch.setattr(scenes, "_choose_camera", lambda *given: (first, points))
        item: Item = kind(1, SEED, OPTIONS)[0]
    return item


def moved_right(distance: float = 0.5) -> Cameras:
    return camera((distance, 0, 0), (distance, 0, 1), size=OPTIONS.size)


def test_every_item_has_two_pictures_and_a_label_map_for_each_task(shown: Item) -> None:
    images, labels = shown
    assert images.shape == (COUNT, 6, 40, 48)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert tuple(labels) == tuple(LABELS)
    shapes = {"albedo": (3, 40, 48), "shading": (40, 48), "silhouettes": (40, 48), "motion": (2, 40, 48)}
    for task, shape in shapes.items():
        assert (labels[task].dtype, labels[task].shape[1:]) == (torch.float32, shape)
    sky = labels["segmentation"] == int(Kind.SKY)
    assert 0 < float(sky.float().mean()) < 0.8
    assert torch.equal(labels["shading"].isnan(), sky)
    assert torch.equal(labels["albedo"].isnan().any(1), sky)
    assert labels["motion"].isnan().any(1)[sky].all()
    known = labels["albedo"][~labels["albedo"].isnan()]
    assert 0 <= float(known.min()) < float(known.max()) <= 1
    assert float(labels["shading"][~sky].min()) >= 0


def test_the_other_picture_brought_back_along_the_motion_is_the_first_one(shown: Item) -> None:
    """Up to what is hidden there, and what supersampling would smooth."""
    images, labels = shown
    warped, inside = bring_back(images[:, 3:], labels["motion"])
    assert float(inside.float().mean()) > 0.4
    error, still = ((images[:, :3] - other).abs().mean(1)[inside] for other in (warped, images[:, 3:]))
    assert float(error.median()) < 0.02
    assert float(error.median()) < 0.4 * float(still.median())


def bring_back(pictures: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (b, 3, h, w) sampled where the motion (b, 2, h, w) points to; and where that is inside (b, h, w)."""
    h, w = motion.shape[2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    grid = torch.stack([(motion[:, 0] + x + 0.5) / w, (motion[:, 1] + y + 0.5) / h], 3) * 2 - 1
    inside = (grid.abs() < 1).all(3)
    return torch.nn.functional.grid_sample(pictures, grid.nan_to_num(0), align_corners=False), inside


def test_motion_is_the_parallax_of_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board 2 m away, and a wall at 4 m that leaves the upper half to the sky; the camera moves half a metre."""
    _, labels = show(make_scene(WALL, BOARD), moved_right(), monkeypatch)
    motion = labels["motion"]
    torch.testing.assert_close(motion[:, 20, 24], torch.tensor([-FOCAL * 0.5 / 2, 0]))
    torch.testing.assert_close(motion[:, 35, 4], torch.tensor([-FOCAL * 0.5 / 4, 0]))
    assert motion[:, 4, 4].isnan().all()


@pytest.mark.parametrize("other", [camera((0, 0, 3), (0, 0, 4), size=OPTIONS.size), moved_right(5.0)])
def test_motion_behind_the_other_camera_or_beyond_its_picture_is_unknown(
    other: Cameras, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, labels = show(make_scene(BOARD, WALL), other, monkeypatch)
    assert labels["motion"][:, 20, 24].isnan().all()
    _, labels = show(make_scene(BOARD, WALL), moved_right(), monkeypatch)
    assert labels["motion"][:, 20, 24].isfinite().all()


def test_silhouettes_are_the_outermost_pixels_of_what_is_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    _, labels = show(make_scene(WALL, BOARD), moved_right(), monkeypatch)
    board = labels["depth"] == 0.5
    inner = -torch.nn.functional.max_pool2d(-board[None].float(), 3, 1, 1)[0] > 0
    around = torch.zeros_like(board)
    around[20] = (labels["segmentation"][20] != int(Kind.SKY)) & ~board[20]  # the wall's upper rim, before the sky
    corners = 4  # of the board: their neighbours in row and column decide, those across do not
    difference = (labels["silhouettes"] > 0) != (board & ~inner | around)
    assert board.sum() > 100
    assert int(difference.sum()) <= corners


def test_silhouettes_are_edges_but_not_all_of_them(shown: Item) -> None:
    _, labels = shown
    found = labels["silhouettes"] > 0
    assert 0.01 < float(found.float().mean()) < 0.6 * float(labels["edges"].mean())
    assert labels["edges"][found].all()
    assert (labels["segmentation"][found] != int(Kind.SKY)).all()


def test_albedo_times_shading_is_the_picture_in_grey_light(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(WALL, BOARD, to_sun=(0.5, -0.5, -1), sun=(0.6,) * 3, ambient=(0.3,) * 3)
    image, labels = show(scene, moved_right(), monkeypatch)
    solid = labels["segmentation"] != int(Kind.SKY)
    product = labels["albedo"] * labels["shading"]
    torch.testing.assert_close(product[:, solid], image[:3, solid], atol=0.004, rtol=0)
    assert len(labels["shading"][solid].unique()) == 2  # in the light, and in the shadow of the board


def test_the_first_four_labels_are_those_of_single_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(WALL, BOARD)
    image, labels = show(scene, moved_right(), monkeypatch)
    alone, expected = show(scene, moved_right(), monkeypatch, MultiTaskScenes)
    assert torch.equal(image[:3], alone)
    assert not torch.equal(image[3:], alone)
    assert all(torch.equal(labels[task], expected[task]) for task in scenes.LABELS)


def test_wrong_labels_are_those_of_other_pairs(shown: Item, cache: Path) -> None:
    images, labels = shown
    data = make_views(motion=0.5)
    found, taken = data.tensors(cache)
    assert torch.equal(found, images)
    wrong = data.corrupted("motion")
    assert int(wrong.sum()) == 3
    for index in range(COUNT):
        same = torch.equal(taken["motion"][index].nan_to_num(99), labels["motion"][index].nan_to_num(99))
        assert same != wrong[index]
    torch.testing.assert_close(taken["albedo"], labels["albedo"], equal_nan=True)
    torch.testing.assert_close(data[0][1]["motion"], taken["motion"][0], equal_nan=True)  # one by one as all at once
