"""Sources of training examples, and their cache."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_renderer import open_fake
from photo_pairs import two_views, write_pairs
from training_runs import SIZE

from apps.training.data import sources
from apps.training.data.sources import CachedSource, FolderSource, GeneratorSource, PairSource
from datasets.options import SampleOptions
from stitching.errors import InputError
from stitching.io.picture_writer import write_picture


def test_a_cache_returns_the_examples_of_its_source(folder, tmp_path):
    source = FolderSource(folder, SIZE, jitter_alignment=True)
    cached = CachedSource(source, tmp_path / "new" / "cache")
    first, second = cached(2), cached(2)
    for name in ("target", "start", "trusted"):
        assert np.array_equal(getattr(first, name), getattr(second, name))  # else resumed runs would differ
    assert np.array_equal(source(2).target, second.target)
    assert np.allclose(source(2).start, second.start, rtol=1e-3)
    assert np.array_equal(CachedSource(source, tmp_path / "new" / "cache")(2).target, second.target)


def test_sources_can_be_sent_to_other_processes(folder, tmp_path):
    pairs = write_pairs(tmp_path / "pairs", 2)
    folder_source, pair_source = FolderSource(folder, SIZE, True), PairSource(pairs, SIZE, True)
    for source, index in (
        (folder_source, 1),
        (CachedSource(folder_source, tmp_path / "cache"), 1),
        (pair_source, pair_source.split()[0][0]),
    ):
        expected = source(index)
        sent = pickle.dumps(source)
        assert len(sent) < 1000  # nothing that was opened here
        assert np.array_equal(pickle.loads(sent)(index).target, expected.target)


def test_a_generator_source_is_sent_without_its_renderer(monkeypatch):
    monkeypatch.setattr(sources, "example_of", lambda sample, size, rng: sample)
    monkeypatch.setattr(sources, "open_renderer", open_fake)
    sources._renderer.cache_clear()
    source = GeneratorSource(SampleOptions(size=SIZE), 3, jitter_alignment=True)
    expected = source(1)
    sent = pickle.dumps(source)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)(1).target.picture, expected.target.picture)
    sources._renderer.cache_clear()


def test_a_cache_of_another_source_is_refused(folder, tmp_path):
    CachedSource(FolderSource(folder, SIZE, jitter_alignment=True), tmp_path)
    for other in (
        FolderSource(folder, SIZE, jitter_alignment=False),
        FolderSource(folder, (72, 64), jitter_alignment=True),
        FolderSource(folder / "other", SIZE, jitter_alignment=True),
        GeneratorSource(SampleOptions(size=SIZE), 0, jitter_alignment=True),
    ):
        with pytest.raises(InputError, match="choose another --cache"):
            CachedSource(other, tmp_path)


@pytest.mark.parametrize(
    ("source", "label"),
    [
        (FolderSource(Path("a"), (8, 4), True), {"source": "folder", "folder": "a", "size": [8, 4]}),
        (PairSource(Path("a"), (8, 4), True), {"source": "pairs", "folder": "a", "size": [8, 4]}),
        (
            GeneratorSource(SampleOptions(scene=Path("b.obj")), 3, True),
            {"source": "generator", "seed": 3, "options": json.loads(
                '{"size": [640, 512], "scenes": ["room", "street", "landscape", "clutter"], "scene": "b.obj",'
                '"textures": null, "overlap": [0.3, 0.85], "parallax": [1.0, 20.0], "fov": [45.0, 75.0],'
                '"roll": [-8.0, 8.0], "baseline": [1.0, 0.3, 0.4], "supersampling": 2, "photometry": true,'
                '"keep_clean": false, "geometry": false}'
            )},
        ),
    ],
)  # fmt: skip
def test_the_label_of_a_cache_does_not_depend_on_names_of_classes(tmp_path, source, label):
    renamed = type("Renamed", (type(source),), {})(**vars(source))
    for same in (source, renamed, source):
        CachedSource(same, tmp_path)
        assert json.loads((tmp_path / "examples.json").read_text()) == {"format": 2, "jitter_alignment": True} | label


def test_a_cache_that_cannot_be_a_folder_is_refused(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder that can be written"):
        CachedSource(FolderSource(folder, SIZE, jitter_alignment=True), tmp_path / "file" / "cache")


# --- photographed pairs ---


def test_a_tenth_of_many_pairs_is_kept_to_validate_on(tmp_path):
    training, validation = PairSource(write_pairs(tmp_path / "pairs", 20), SIZE, jitter_alignment=False).split()
    assert (len(training), len(validation)) == (18, 2)
    assert not set(training) & set(validation)


def test_the_index_of_a_pair_stays_when_others_join(tmp_path):
    small, large = (PairSource(write_pairs(tmp_path / str(n), n), SIZE, jitter_alignment=False) for n in (2, 5))
    for index in small.split()[0]:
        assert np.array_equal(small(index).reference, large(index).reference)


def test_large_photographs_are_reduced_and_16_bits_become_8(tmp_path):
    (tmp_path / "a").mkdir()
    for name, picture in zip(("1.png", "2.png"), two_views(1), strict=True):
        large = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC)
        write_picture(tmp_path / "a" / name, large.astype(np.uint16) * 257)
    source = PairSource(tmp_path, SIZE, jitter_alignment=False)
    example = source(source.split()[0][0])
    assert example.reference.shape == (64, 64, 3)
    assert example.target_valid.mean() > 0.7  # all of the target, not a quarter of it


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(InputError, match="no picture pair"):
        PairSource(tmp_path, SIZE, jitter_alignment=False).split()


def test_photographs_that_cannot_be_used_are_refused_by_name(tmp_path):
    damaged = write_pairs(tmp_path / "damaged", 1) / "input2" / "0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:300])
    transparent = write_pairs(tmp_path / "transparent", 1) / "input1" / "0.png"  # preferred to 0.jpg
    write_picture(transparent, two_views(0)[0], np.eye(64, dtype=np.uint8) * 255)
    for path in (damaged, transparent):
        source = PairSource(path.parents[1], SIZE, jitter_alignment=False)
        with pytest.raises(InputError, match=str(path)):
            source(source.split()[0][0])
