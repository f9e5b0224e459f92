"""Data made ready for many runs, and the batches of a training."""

import json
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from banks import small_bank
from benchmark_toys import DATA, LABELS, TASKS, toy_item, use_toys

from apps.benchmarking.data import preparation
from apps.benchmarking.data.array_dataset import LabelledBatch, flip_horizontally, sequential_batches, shuffled_batches
from apps.benchmarking.data.data_sources import open_data_source
from apps.benchmarking.data.preparation import prepare
from apps.benchmarking.experiment.choices import PUBLIC
from apps.benchmarking.experiment.settings import DataSettings
from datasets.labels import Labels
from datasets.multitask import rendered_set
from datasets.multitask.views import OPTIONS, MultiTaskViews
from datasets.public.registry import LAYOUTS
from datasets.sample_renderer import SampleRenderer
from stitching.errors import InputError, JobError

CPU = torch.device("cpu")


def test_prepared_data_are_what_the_source_gave(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    data = prepare(DATA, tmp_path / "data", tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 4, 4)
    assert data.labels == LABELS
    batch = data.train.take([5, 2], CPU)
    assert batch.sample_ids.tolist() == [5, 2]
    for row, number in enumerate((5, 2)):
        image, maps = toy_item(number)
        torch.testing.assert_close(batch.images[row], image)
        for task in TASKS:
            torch.testing.assert_close(batch.labels[task][row], maps[task], equal_nan=True)
    known = torch.stack([toy_item(number)[1]["depth"][:, 1:] for number in range(8)])
    assert data.scales["depth"].unit == pytest.approx(float(known.mean()), rel=1e-5)


def test_data_are_made_once_and_again_where_they_are_unfinished(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    first = np.array(prepare(DATA, tmp_path / "data", tmp_path).test.arrays["depth"])
    made, make = [], preparation.open_data_source
    monkeypatch.setattr(preparation, "open_data_source", lambda *given: made.append(given) or make(*given))
    prepare(DATA, tmp_path / "data", tmp_path)
    assert not made
    (tmp_path / "data" / "facts.json").unlink()
    (tmp_path / "data" / "test" / "depth.npy").write_bytes(b"cut short")
    again = prepare(DATA, tmp_path / "data", tmp_path)
    assert len(made) == 3
    np.testing.assert_array_equal(again.test.arrays["depth"], first)


def test_data_that_another_process_prepares_meanwhile_are_kept(tmp_path, monkeypatch):
    """It may be training on them already."""
    use_toys(monkeypatch)
    folder, make, facts = tmp_path / "data", preparation.open_data_source, []

    def be_overtaken(settings, part, cache):
        monkeypatch.setattr(preparation, "open_data_source", make)
        prepare(settings, folder, cache)
        facts.append((folder / "facts.json").stat().st_ino)
        return make(settings, part, cache)

    monkeypatch.setattr(preparation, "open_data_source", be_overtaken)
    assert len(prepare(DATA, folder, tmp_path).train) == 8
    assert facts == [(folder / "facts.json").stat().st_ino]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path, monkeypatch):
    """Arrays that are mapped into memory would end the process without a word."""
    use_toys(monkeypatch)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(JobError, match=r"cannot write .*: File too large"):
            prepare(DATA, tmp_path / "data", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content"),
    [("train/image.npy", b""), ("test/depth.npy", b"\x93NUMPY"), ("facts.json", b"[]"), ("facts.json", b'{"settings')],
)
def test_damaged_files_are_refused(tmp_path, monkeypatch, name, content):
    use_toys(monkeypatch)
    prepare(DATA, tmp_path / "data", tmp_path)
    (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(InputError, match="delete it, and it is prepared again"):
        prepare(DATA, tmp_path / "data", tmp_path)


def test_arrays_of_different_lengths_are_refused(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    prepare(DATA, tmp_path / "data", tmp_path)
    edges = tmp_path / "data" / "train" / "edges.npy"
    np.save(edges, np.load(edges)[:7])
    with pytest.raises(InputError, match="delete it"):
        prepare(DATA, tmp_path / "data", tmp_path)


def test_foreign_data_are_refused(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    folder = tmp_path / "data"
    prepare(DATA, folder, tmp_path)
    with pytest.raises(InputError, match="choose another output"):
        prepare(DataSettings("scenes", "", (32, 32), 8, 4, 3), folder, tmp_path)


def test_wrong_labels_are_known_after_preparing(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    noisy = DataSettings("scenes", "", (32, 32), 8, 4, 4, "edges", 0.5)
    data = prepare(noisy, tmp_path / "data", tmp_path)
    assert data.corrupted["edges"].tolist() == [True] * 4 + [False] * 4
    torch.testing.assert_close(data.train.take([1], CPU).labels["edges"][0], toy_item(0)[1]["edges"])
    torch.testing.assert_close(data.train.take([1], CPU).labels["depth"][0], toy_item(1)[1]["depth"], equal_nan=True)


def test_mirroring_a_slope_that_faces_left_makes_it_face_right():
    image = torch.arange(4.0).expand(1, 3, 1, 4)
    normals = torch.tensor([[-0.6, 0, 0], [0, 0, -0.8]]).T.reshape(1, 3, 1, 2)  # faces left; unknown half
    batch = LabelledBatch(torch.tensor([0]), image, {"normals": normals, "depth": torch.tensor([[[1.0, 2.0]]])})
    labels = {"normals": Labels("normals"), "depth": Labels("distance")}
    found = flip_horizontally(batch, labels, torch.tensor([True]))
    assert found.images[0, 0, 0].tolist() == [3, 2, 1, 0]
    assert found.labels["depth"].tolist() == [[[2.0, 1.0]]]
    torch.testing.assert_close(found.labels["normals"][0, :, 0].T, torch.tensor([[0, 0, -0.8], [0.6, 0, 0]]))
    back = flip_horizontally(found, labels, torch.tensor([True]))
    assert all(torch.equal(back.labels[task], batch.labels[task]) for task in labels)


def test_mirroring_a_pair_mirrors_both_pictures_and_their_motion():
    """A bright dot at column 0 of the first picture and column 2 of the second."""
    images = torch.zeros(1, 6, 1, 4)
    images[0, :3, 0, 0] = images[0, 3:, 0, 2] = 1
    motion = torch.zeros(1, 2, 1, 4)
    motion[0, :, 0, 0] = torch.tensor([2.0, 0.5])
    labels = {"motion": Labels("motion")}
    found = flip_horizontally(
        LabelledBatch(torch.tensor([0]), images, {"motion": motion}), labels, torch.tensor([True])
    )
    first, second = (int(found.images[0, channel, 0].argmax()) for channel in (0, 3))
    assert found.labels["motion"][0, :, 0, first].tolist() == [second - first, 0.5]


def test_only_the_chosen_examples_are_mirrored():
    maps = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    batch = LabelledBatch(torch.arange(2), torch.zeros(2, 3, 1, 2), {"depth": maps})
    found = flip_horizontally(batch, {"depth": Labels("distance")}, torch.tensor([False, True]))
    assert found.labels["depth"].tolist() == [[[1.0, 2.0]], [[4.0, 3.0]]]
    assert maps.tolist() == [[[1.0, 2.0]], [[3.0, 4.0]]]


def test_every_epoch_has_another_order_of_full_batches():
    first, again, second = shuffled_batches(10, 4, 0, 0), shuffled_batches(10, 4, 0, 0), shuffled_batches(10, 4, 0, 1)
    assert first == again != second
    assert [len(batch) for batch in first] == [4, 4]
    assert len({place for batch in first for place in batch}) == 8
    assert shuffled_batches(10, 4, 1, 0) != first
    assert [len(batch) for batch in shuffled_batches(3, 16, 0, 0)] == [3]
    assert sequential_batches(5, 2) == [[0, 1], [2, 3], [4]]


def write_cityscapes(folder):
    """Five training and two validation pictures, each all of one grey that is its number."""
    for split, count in (("train", 5), ("val", 2)):
        for kind in ("image", "label_7", "depth"):
            (folder / split / kind).mkdir(parents=True)
        for number in range(count):
            np.save(folder / split / "image" / f"{number}.npy", np.full((32, 64, 3), number / 10))
            np.save(folder / split / "label_7" / f"{number}.npy", np.full((32, 64), number))
            np.save(folder / split / "depth" / f"{number}.npy", np.full((32, 64, 1), 0.1 + number))


def test_of_a_public_set_validation_pictures_are_not_trained_on(tmp_path):
    write_cityscapes(tmp_path / "city")
    settings = DataSettings("cityscapes", str(tmp_path / "city"), (32, 32), None, 2, None)
    data = prepare(settings, tmp_path / "data", None)
    numbers = {
        part: [round(10 * float(getattr(data, part).take([k], CPU).images.mean())) for k in range(count)]
        for part, count in (("train", 3), ("validation", 2), ("test", 2))
    }
    assert sorted(numbers["train"] + numbers["validation"]) == [0, 1, 2, 3, 4]
    assert numbers["test"] == [0, 1]
    assert set(data.labels) == {"segmentation", "depth"}
    fewer = prepare(DataSettings("cityscapes", str(tmp_path / "city"), (32, 32), 2, 2, 1), tmp_path / "fewer", None)
    assert (len(fewer.train), len(fewer.validation), len(fewer.test)) == (2, 2, 1)
    assert torch.equal(fewer.validation.take([0, 1], CPU).images, data.validation.take([0, 1], CPU).images)
    too_many = DataSettings("cityscapes", str(tmp_path / "city"), (32, 32), None, 4, None)
    with pytest.raises(InputError, match="5 pictures in its split train, --validation 4: expected two"):
        open_data_source(too_many, "train", None)
    more = DataSettings("cityscapes", str(tmp_path / "city"), (32, 32), 9, 2, None)
    with pytest.raises(InputError, match=r"--train 9.*at most 3, which train has"):
        open_data_source(more, "train", None)


def test_parts_with_other_classes_are_refused_before_any_picture_is_read(tmp_path):
    """Of Cityscapes there are forms with 7 and with 19 classes, and each split says for itself which one it has."""
    write_cityscapes(tmp_path / "city")
    (tmp_path / "city" / "val" / "label_7").rename(tmp_path / "city" / "val" / "label_19")
    for damaged in (tmp_path / "city" / "train" / "image").iterdir():
        damaged.write_bytes(b"")
    settings = DataSettings("cityscapes", str(tmp_path / "city"), (32, 32), None, 2, None)
    with pytest.raises(InputError, match="test pictures: 19 classes of segmentation: expected 7"):
        prepare(settings, tmp_path / "out" / "data", None)
    assert not (tmp_path / "out").exists()


def test_every_public_set_can_be_named():
    assert set(PUBLIC) == set(LAYOUTS)


def test_views_are_pairs_with_eight_tasks_whose_labels_keep_what_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(
        rendered_set, "open_renderer", lambda options, seed: SampleRenderer(options, seed, CPU, small_bank())
    )
    data = prepare(DataSettings("views", "", (32, 32), 4, 1, 1, "motion", 0.5), tmp_path / "data", tmp_path)
    images, maps = MultiTaskViews(4, 1, replace(OPTIONS, size=(32, 32)), {"motion": 0.5}).tensors(tmp_path)
    assert data.labels == dict(MultiTaskViews.labels)
    assert data.corrupted["motion"].sum() == 2
    batch = data.train.take(range(4), CPU)
    torch.testing.assert_close(batch.images, images)
    for task, truth in maps.items():
        torch.testing.assert_close(batch.labels[task], truth, equal_nan=True)
    assert data.scales["motion"].unit == pytest.approx(float(maps["motion"].norm(dim=1).nanmean()), rel=1e-5)


def test_settings_say_what_was_prepared(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    prepare(DATA, tmp_path / "data", tmp_path)
    assert json.loads((tmp_path / "data" / "facts.json").read_text())["settings"]["train"] == 8
