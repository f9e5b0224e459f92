"""Photographed pairs with the warp of a stitch as labels, and their cache."""

from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from moved_plane import views
from photo_pairs import write_pairs
from synthetic import SIZE
from training_runs import quiet
from worlds import CPU

from apps.evaluation.measures.matching import WINDOW
from apps.training import validation
from apps.training.data import labelled_pairs
from apps.training.data.batches import training_batches
from apps.training.data.labelled_pairs import LabelledPairs
from apps.training.data.photographed_pairs import PhotographedPairs
from apps.training.objectives import Objectives
from apps.training.options import MATCHING_TASKS
from apps.training.trainer import train
from apps.training.validation import labelled_windows, validate_matches
from datasets.sample import Visibility
from stitching.errors import InputError
from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.tiff_tags import EXIF, write_directory
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture
from stitching.lens_correction import with_lens
from stitching.network.stitching_network import StitchingNetwork

SHIFT, CUT = (30, 12), 60  # px, of the second view; it is cut at the right


def write_pair(folder, reference, target):
    (folder / "pair").mkdir(parents=True)
    write_picture(folder / "pair" / "1.png", reference)
    write_picture(folder / "pair" / "2.png", target)
    return folder


def only_index(folder):
    return PhotographedPairs(folder, SIZE, False).split()[0][0]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """One pair, whose target is narrower and has half the px of the reference a side."""
    reference, target = views(*SHIFT)
    half = cv2.resize(target[:, : SIZE[0] - CUT], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return write_pair(tmp_path_factory.mktemp("labels") / "pairs", reference, half)


@pytest.fixture(scope="module")
def label(photographs):
    return LabelledPairs(photographs, SIZE)(only_index(photographs))


def test_labels_are_where_the_target_shows_what_the_reference_does(label):
    target, reference = label.pictures
    scales = reference.shape[1] / SIZE[0], target.shape[1] / (SIZE[0] - CUT)
    assert scales[1] == 0.5  # a small picture stays as it is
    visible = label.mask == Visibility.VISIBLE
    rows, columns = np.nonzero(visible)
    places = (np.stack([columns, rows], axis=-1) + 0.5) / scales[0] + SHIFT
    errors = label.warp[visible] - (places * scales[1] - 0.5)
    assert visible.mean() > 0.6
    assert np.percentile(np.linalg.norm(errors, axis=1), 95) < 1


def test_what_the_target_does_not_show_is_outside_of_it(label):
    h, w = label.mask.shape
    x, y = np.array([SHIFT[0] + CUT, SHIFT[1]]) * w / SIZE[0]
    leaves = np.zeros((h, w), bool)
    leaves[:, w - int(x) + 2 :] = leaves[h - int(y) + 2 :] = True
    assert (label.mask[leaves] == Visibility.OUTSIDE).mean() > 0.95
    assert (label.mask[~leaves] == Visibility.OUTSIDE).mean() < 0.05


def test_pictures_of_different_scenes_have_no_labels_and_teach_nothing(tmp_path, options):
    noise = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    pairs = write_pair(tmp_path / "pairs", views(0, 0)[0], noise)
    some = replace(options, pairs=pairs, size=(96, 64))
    batch = list(islice(training_batches(some, 0, CPU), 2))[1]
    assert not batch.truth.visible.any()
    losses, _ = Objectives(StitchingNetwork(), half=False)(batch, MATCHING_TASKS, False)
    assert losses["matching"].item() == 0


def test_labels_are_of_photographs_as_they_are(tmp_path):
    """The lens of the camera that the files name would be corrected in a stitch."""
    pytest.importorskip("lensfunpy")
    focal_length = {0x920A: (5, b"\3\0\0\0\1\0\0\0")}
    tags = {0x010F: (2, b"GoPro\0"), 0x0110: (2, b"HERO4 Silver\0"), EXIF: focal_length}
    exif = b"II*\0\x08\0\0\0" + write_directory(tags, 8)
    made = [write_pair(tmp_path / name, *views(*SHIFT)) for name in ("plain", "tagged")]
    for number in (1, 2):
        path = made[1] / "pair" / f"{number}.png"
        picture = read_picture(path)
        write_picture(path, picture.pixels, metadata=Metadata(exif=exif))
        assert with_lens(read_picture(path), "auto").lens is not None
    first, second = (LabelledPairs(folder, SIZE)(only_index(folder)) for folder in made)
    assert np.array_equal(first.warp, second.warp)


def test_a_network_that_finds_the_labels_is_told_so(label, monkeypatch):
    asked = []

    def perfect(inputs):
        asked.append(inputs)
        h, w = inputs["target"].shape[2:]
        shown = pixel_grid(h, w)  # px of the window, at most as large as the pictures
        scale = min(1, WINDOW[0] / label.mask.shape[1], WINDOW[1] / label.mask.shape[0])
        at = np.clip(np.rint((shown + 0.5) / scale - 0.5).astype(int), 0, np.array(label.mask.shape)[::-1] - 1)
        found = label.warp[at[..., 1], at[..., 0]] - shown if len(asked) == 1 else np.zeros((h, w, 2), np.float32)
        return {"forward_matches": found[4::8, 4::8].transpose(2, 0, 1)[None]}  # aligned: nothing is left to move

    monkeypatch.setattr(validation, "TorchRuntime", lambda *_: perfect)
    shares = validate_matches(StitchingNetwork(), labelled_windows([label]))
    assert shares["labelled/raw"] > 0.95
    assert shares["labelled/aligned"] > 0.95


def test_a_cache_gives_the_same_labels_without_estimating_them_again(photographs, label, tmp_path, monkeypatch):
    PhotographedPairs(photographs, SIZE, False, tmp_path).open()
    cached = LabelledPairs(photographs, SIZE, tmp_path)
    first = cached(only_index(photographs))
    monkeypatch.setattr(labelled_pairs, "estimate_warp", None)
    second = cached(only_index(photographs))
    for made in (first, second):
        assert np.array_equal(made.warp, label.warp)
        assert np.array_equal(made.mask, label.mask)
        assert all(map(np.array_equal, made.pictures, label.pictures))


def test_a_picture_that_takes_the_place_of_another_gets_labels_of_its_own(tmp_path):
    folder = write_pair(tmp_path / "pairs", *views(*SHIFT))
    before = LabelledPairs(folder, SIZE)(only_index(folder))
    write_picture(folder / "pair" / "2.png", views(-20, 5)[1])
    assert not np.array_equal(LabelledPairs(folder, SIZE)(only_index(folder)).warp, before.warp)


def test_a_damaged_photograph_is_named(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", 1)
    damaged = pairs / "input2" / "0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(InputError, match=str(damaged)):
        LabelledPairs(pairs, SIZE)(only_index(pairs))


def test_the_matching_is_taught_by_labels_in_every_second_step(photographs, options):
    some = replace(options, pairs=photographs, size=(96, 64), raw_share=1)
    first, labelled, _, unlabelled = islice(training_batches(some, 0, CPU), 4)
    assert (first.truth.fundamental != 0).any()  # of the data set
    assert labelled.truth.visible.mean() > 0.1
    assert not labelled.truth.occluded.any()
    assert unlabelled.truth is None  # the matching stage is over
    again = next(training_batches(some, 1, CPU))
    assert torch.equal(again.target, labelled.target)


def test_a_run_may_train_the_matching_alone(photographs, options, tmp_path):
    some = replace(options, pairs=photographs, size=(96, 64), steps=2, matching_steps=2)
    lines = []
    metrics = train("joint", tmp_path / "run", some, lines.append)
    assert lines[-2].endswith("--begin-from last.safetensors")  # no score tells which weights match best
    assert 0 <= metrics["labelled/raw"] <= 1
    assert 0 <= metrics["labelled/aligned"] <= 1
    train("joint", tmp_path / "run", some, quiet)  # there is nothing left to do
