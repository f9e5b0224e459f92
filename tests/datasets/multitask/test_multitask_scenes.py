"""The multi-task scenes: labels that agree with each other, and just as many wrong ones as asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from banks import small_bank
from worlds import CPU, make_scene, square

from datasets.camera_request import CameraRequest
from datasets.labels import Item
from datasets.multitask import rendered_set
from datasets.multitask.scenes import LABELS, MultiTaskScenes
from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer
from datasets.scene_sampler import SampledScene
from datasets.scenes.scene import Kind
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(48, 40), supersampling=1)
COUNT, SEED = 8, 3
TASKS = tuple(LABELS)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank of textures that is there at once."""
    monkeypatch.setattr(
        rendered_set, "open_renderer", lambda options, seed: SampleRenderer(options, seed, CPU, small_bank())
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `shown` rendered."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def shown(cache: Path) -> Item:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rendered_set, "open_renderer", lambda options, seed: SampleRenderer(options, seed, CPU, small_bank())
        )
        return MultiTaskScenes(COUNT, SEED, OPTIONS).tensors(cache)


def scenes(count: int = COUNT, **corrupt: float) -> MultiTaskScenes:
    return MultiTaskScenes(count, SEED, OPTIONS, corrupt)


def test_shapes_types_and_ranges(shown: Item) -> None:
    image, labels = shown
    assert image.shape == (COUNT, 3, 40, 48)
    assert image.dtype == torch.float32
    assert 0.3 < float(image.max()) <= 1
    assert float(image.min()) >= 0
    assert tuple(labels) == TASKS
    assert {task: (labels[task].dtype, labels[task].shape[1:]) for task in TASKS} == {
        "segmentation": (torch.int64, (40, 48)),
        "depth": (torch.float32, (40, 48)),
        "normals": (torch.float32, (3, 40, 48)),
        "edges": (torch.float32, (40, 48)),
    }
    assert set(labels["segmentation"].unique().tolist()) <= {*Kind}


def test_labels_agree_with_each_other(shown: Item) -> None:
    _, labels = shown
    sky = labels["segmentation"] == int(Kind.SKY)
    assert 0 < float(sky.float().mean()) < 0.8
    assert torch.equal(labels["depth"] == 0, sky)
    assert float(labels["depth"].max()) < 1 / 0.25  # nothing is before the camera's nose
    length = labels["normals"].norm(dim=1)
    assert not length[sky].any()
    torch.testing.assert_close(length[~sky], torch.ones(int((~sky).sum())), atol=1e-4, rtol=0)
    assert set(labels["edges"].unique().tolist()) == {0.0, 1.0}
    kinds = labels["segmentation"]
    border = kinds[:, :, 1:] != kinds[:, :, :-1]
    assert labels["edges"][:, :, 1:][border].all()
    assert labels["edges"][:, :, :-1][border].all()
    assert float(labels["edges"].mean()) < 0.6


def test_labels_of_a_wall_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall 4 m away that leaves the upper half to the sky; and a view that is blocked is not taken."""
    wall = square((0, 20, 4), (40, 0, 0), (0, 20, 0))
    blocking = square((0, 0, -0.1), (1, 0, 0), (0, 1, 0))
    aims = np.array([[0.0, 0, -9], [0, 0, 9], [0, 0, -9], [0, 0, -9]])
    request = CameraRequest(0.5, 5, 60, 0, np.zeros((4, 3)), aims, np.ones((4, 3)), np.ones(4))
    data = scenes(1)
    drawn = SampledScene(0, make_scene(wall, blocking), request, np.random.default_rng(0))
    monkeypatch.setattr(data._renderer, "sample_scene", lambda index: drawn)
    _, labels = data[0]
    assert (labels["segmentation"][:20] == int(Kind.SKY)).all()
    assert (labels["segmentation"][20:] == int(Kind.WALL)).all()
    torch.testing.assert_close(labels["depth"][20:], torch.full((20, 48), 0.25))
    torch.testing.assert_close(labels["normals"][:, 30, 24], torch.tensor([0.0, 0.0, -1.0]))
    assert labels["edges"][19:21].all()
    assert not labels["edges"][22:].any()


def test_items_depend_on_seed_and_index_alone(shown: Item) -> None:
    image, labels = shown
    fewer = MultiTaskScenes(3, SEED, OPTIONS)
    assert len(fewer) == 3
    for index in (2, 0):
        one, truth = fewer[index]
        assert torch.equal(one, image[index])
        assert all(torch.equal(truth[task], labels[task][index]) for task in TASKS)
    other, _ = MultiTaskScenes(3, SEED + 1, OPTIONS)[0]
    assert not torch.equal(other, image[0])
    with pytest.raises(IndexError):
        fewer[3]


def test_just_the_stated_share_gets_the_labels_of_others(shown: Item, cache: Path) -> None:
    image, labels = shown
    data = scenes(depth=0.5, edges=0.25)
    wrong = data.corrupted("depth")
    assert (int(wrong.sum()), int(data.corrupted("edges").sum()), data.corrupted("normals").any()) == (4, 2, False)
    found, taken = data.tensors(cache)
    assert torch.equal(found, image)
    assert torch.equal(taken["segmentation"], labels["segmentation"])
    assert torch.equal(taken["normals"], labels["normals"])
    for index in range(COUNT):
        owners = [k for k in range(COUNT) if torch.equal(taken["depth"][index], labels["depth"][k])]
        assert owners != [index] if wrong[index] else owners == [index]
        assert wrong[owners[0]] == wrong[index]
    order = torch.argsort(taken["depth"].flatten(1).sum(1))
    assert torch.equal(taken["depth"][order], labels["depth"][torch.argsort(labels["depth"].flatten(1).sum(1))])
    index = int(np.flatnonzero(wrong)[0])
    assert torch.equal(data[index][1]["depth"], taken["depth"][index])  # one by one as all at once


def test_corruption_is_the_same_every_time_and_differs_between_tasks_and_seeds() -> None:
    shares = dict.fromkeys(TASKS, 0.3)
    first, again = (MultiTaskScenes(200, SEED, OPTIONS, shares) for _ in range(2))
    other = MultiTaskScenes(200, SEED + 1, OPTIONS, shares)
    found = [first.corrupted(task) for task in TASKS]
    assert all(np.array_equal(first.corrupted(task), again.corrupted(task)) for task in TASKS)
    assert not any(np.array_equal(first.corrupted(task), other.corrupted(task)) for task in TASKS)
    assert len({mask.tobytes() for mask in found}) == len(TASKS)
    assert all(int(mask.sum()) == 60 for mask in found)


def test_cache_is_used_whatever_is_corrupted_and_rendered_again_where_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Item
) -> None:
    folder = tmp_path / "cache"
    assert torch.equal(scenes(2).tensors(folder)[0], shown[0][:2])
    (file,) = folder.iterdir()
    rendered, real = [], MultiTaskScenes.render
    monkeypatch.setattr(MultiTaskScenes, "render", lambda self, index: rendered.append(index) or real(self, index))
    image, labels = scenes(2, depth=1.0).tensors(folder)
    assert not rendered
    assert torch.equal(image, shown[0][:2])
    assert torch.equal(labels["depth"], shown[1]["depth"][:2].flip(0))
    file.write_bytes(file.read_bytes()[:1000])
    assert torch.equal(scenes(2).tensors(folder)[0], shown[0][:2])
    assert rendered == [0, 1]
    assert [path.name for path in folder.iterdir()] == [file.name]
    MultiTaskScenes(1, SEED, OPTIONS).tensors(folder)
    assert len([*folder.iterdir()]) == 2
    monkeypatch.setattr(rendered_set, "code_digest", lambda parts: "of tomorrow")
    MultiTaskScenes(1, SEED, OPTIONS).tensors(folder)
    assert rendered == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("count", "corrupt", "words"),
    [
        (0, {}, "count 0: expected 1 or above"),
        (8, {"flow": 0.5}, "corrupt flow: expected tasks of segmentation, depth, normals, edges"),
        (8, {"depth": 1.5}, "corrupt depth 1.5: expected 0, or a share"),
        (8, {"depth": 0.1}, "corrupt depth 0.1: expected 0, or a share up to 1 of 8 that is 2 or more"),
        (8, {"depth": float("nan")}, "corrupt depth nan"),
    ],
)
def test_impossible_arguments_are_refused(count: int, corrupt: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        MultiTaskScenes(count, SEED, OPTIONS, corrupt)
