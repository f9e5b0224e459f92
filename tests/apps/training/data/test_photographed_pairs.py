"""Examples of photographed pairs, and their cache."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from photo_pairs import two_views, write_pairs
from training_runs import SIZE

from apps.training.data import photographed_pairs
from apps.training.data.photographed_pairs import PhotographedPairs
from stitching.errors import InputError
from stitching.io.picture_writer import write_picture


def opened(folder, cache, jitter_alignment=True, size=SIZE):
    pairs = PhotographedPairs(folder, size, jitter_alignment, cache)
    pairs.open()
    return pairs


def test_a_cache_returns_what_it_was_given_rounded(tmp_path):
    folder = write_pairs(tmp_path / "pairs", 1)
    plain, cached = PhotographedPairs(folder, SIZE, True), opened(folder, tmp_path / "new" / "cache")
    index = plain.split()[0][0]
    first, second = cached(index), cached(index)
    for name in ("target", "start", "trusted"):
        assert np.array_equal(getattr(first, name), getattr(second, name))  # else resumed runs would differ
    assert np.array_equal(plain(index).target, second.target)
    assert np.allclose(plain(index).start, second.start, rtol=1e-3, atol=1e-6)


def test_a_cache_is_used_and_knows_the_contents_of_the_pictures(tmp_path, monkeypatch):
    folder, made = write_pairs(tmp_path / "pairs", 1), []
    make = photographed_pairs.make_example
    monkeypatch.setattr(photographed_pairs, "make_example", lambda *args: made.append(args) or make(*args))
    pairs = opened(folder, tmp_path / "cache")
    index = pairs.split()[0][0]
    pairs(index)
    pairs(index)
    assert len(made) == 1
    write_picture(folder / "input1" / "0.jpg", two_views(7)[0])
    pairs(index)
    assert len(made) == 2


def test_examples_of_other_options_or_other_code_are_never_taken_for_these(tmp_path, monkeypatch):
    folder = write_pairs(tmp_path / "pairs", 1)
    for change in ({}, {"jitter_alignment": False}, {"size": (72, 64)}):
        pairs = opened(folder, tmp_path / "cache", **change)
        for _ in range(2):
            pairs(pairs.split()[0][0])
    assert len([*pairs.cache.iterdir()]) == 3
    monkeypatch.setattr(photographed_pairs, "_version", lambda: "of tomorrow")
    pairs(pairs.split()[0][0])
    assert len([*pairs.cache.iterdir()]) == 4


def test_a_cache_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder that can be written"):
        opened(write_pairs(tmp_path / "pairs", 1), tmp_path / "file" / "cache")


def test_a_relative_path_means_another_folder_elsewhere(tmp_path, monkeypatch):
    found = []
    (tmp_path / "cache").mkdir()
    for number, place in enumerate(("here", "there")):
        folder = write_pairs(tmp_path / place / "pairs", 1)
        for side, picture in zip(("input1", "input2"), two_views(number), strict=True):
            write_picture(folder / side / "0.jpg", picture)
        monkeypatch.chdir(tmp_path / place)
        pairs = PhotographedPairs(Path("pairs"), SIZE, True, Path("../cache"))
        found.append(pairs(pairs.split()[0][0]).reference)
    assert not np.array_equal(*found)


def test_a_picture_that_takes_the_place_of_another_is_seen_by_the_next_run(tmp_path):
    folder = write_pairs(tmp_path / "pairs", 1)
    pairs = opened(folder, tmp_path / "cache")
    index = pairs.split()[0][0]
    before = pairs(index)
    write_picture(folder / "input1" / "0.png", two_views(7)[0])  # lossless, so it is taken
    after = opened(folder, tmp_path / "cache")(index)
    assert not np.array_equal(before.reference, after.reference)


def test_a_damaged_example_is_named_with_what_to_do(tmp_path):
    pairs = opened(write_pairs(tmp_path / "pairs", 1), tmp_path / "cache")
    index = pairs.split()[0][0]
    pairs(index)
    (path,) = pairs.cache.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"{path.name}: .* delete it"):
        pairs(index)


def test_pairs_can_be_sent_to_other_processes(tmp_path):
    pairs = PhotographedPairs(write_pairs(tmp_path / "pairs", 2), SIZE, True)
    index = pairs.split()[0][0]
    expected = pairs(index)
    sent = pickle.dumps(pairs)
    assert len(sent) < 1000  # nothing that was opened here
    assert np.array_equal(pickle.loads(sent)(index).target, expected.target)


def test_a_tenth_of_many_pairs_is_kept_to_validate_on(tmp_path):
    training, validation = PhotographedPairs(write_pairs(tmp_path / "pairs", 20), SIZE, False).split()
    assert (len(training), len(validation)) == (18, 2)
    assert not set(training) & set(validation)


def test_the_index_of_a_pair_stays_when_others_join(tmp_path):
    small, large = (PhotographedPairs(write_pairs(tmp_path / str(n), n), SIZE, False) for n in (2, 5))
    for index in small.split()[0]:
        assert np.array_equal(small(index).reference, large(index).reference)


def test_large_photographs_are_reduced_and_16_bits_become_8(tmp_path):
    (tmp_path / "a").mkdir()
    for name, picture in zip(("1.png", "2.png"), two_views(1), strict=True):
        large = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC)
        write_picture(tmp_path / "a" / name, large.astype(np.uint16) * 257)
    pairs = PhotographedPairs(tmp_path, SIZE, jitter_alignment=False)
    example = pairs(pairs.split()[0][0])
    assert example.reference.shape == (64, 64, 3)
    assert example.target_valid.mean() > 0.7  # all of the target, not a quarter of it


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(InputError, match="no picture pair"):
        PhotographedPairs(tmp_path, SIZE, jitter_alignment=False).split()


def test_photographs_that_cannot_be_used_are_refused_by_name(tmp_path):
    damaged = write_pairs(tmp_path / "damaged", 1) / "input2" / "0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:300])
    transparent = write_pairs(tmp_path / "transparent", 1) / "input1" / "0.png"  # preferred to 0.jpg
    write_picture(transparent, two_views(0)[0], np.eye(64, dtype=np.uint8) * 255)
    for path in (damaged, transparent):
        pairs = PhotographedPairs(path.parents[1], SIZE, jitter_alignment=False)
        with pytest.raises(InputError, match=str(path)):
            pairs(pairs.split()[0][0])
