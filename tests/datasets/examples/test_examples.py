"""Training examples: what a sample makes, stored and read back, and as batches."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from worlds import CPU, gentle_bank

from datasets.examples.batch import BatchTruth, ExampleBatch, collate_examples
from datasets.examples.example import Example, example_of, make_example
from datasets.examples.example_files import load_example, save_example
from datasets.examples.windows import WindowTruth
from datasets.options import SampleOptions
from datasets.sample import Visibility
from datasets.sample_renderer import SampleRenderer
from stitching.errors import InputError

SIZE = (96, 64)


@pytest.fixture(scope="module")
def examples():
    """Of a room and a street."""
    make = SampleRenderer(SampleOptions(size=SIZE, supersampling=1, scenes=("room", "street")), 1, CPU, gentle_bank())
    return [example_of(make(index), SIZE) for index in range(2)]


def arrays(example):
    """Name -> array of an example and its truth."""
    parts = {part.name: getattr(example, part.name) for part in fields(Example) if part.name != "truth"}
    truth = example.truth
    return parts | ({} if truth is None else {part.name: getattr(truth, part.name) for part in fields(WindowTruth)})


def with_segments(example, *ends):
    return replace(example, truth=replace(example.truth, segments=np.array(ends, np.float32).reshape(-1, 2, 2)))


def test_an_example_has_the_size_of_the_window_and_is_black_where_not_valid(examples):
    w, h = SIZE
    for example in examples:
        shapes = {name: array.shape for name, array in arrays(example).items()}
        assert {shapes[name] for name in ("reference", "target", "stitched")} == {(h, w, 3)}
        assert {shapes[name] for name in ("reference_valid", "target_valid", "trusted", "codes")} == {(h, w)}
        assert {shapes[name] for name in ("start", "residual")} == {(h, w, 2)}
        assert not example.reference[~example.reference_valid].any()
        assert not example.target[~example.target_valid].any()
        assert not example.trusted[~(example.reference_valid & example.target_valid)].any()
        assert example.target_valid.mean() > 0.3
        assert np.isfinite(example.start).all()


def test_a_pair_makes_the_same_example_each_time_and_its_jitter_depends_on_the_random_state():
    sample = SampleRenderer(SampleOptions(size=SIZE, supersampling=1), 1, CPU, gentle_bank())(0)

    def make(seed=None):
        rng = None if seed is None else np.random.default_rng(seed)
        return make_example(sample.reference.picture, sample.target.picture, None, SIZE, rng)

    plain = make()
    jittered = [seed for seed in range(16) if not same(make(seed), plain)]
    assert 1 <= len(jittered) <= 6  # about one in seven
    assert same(make(jittered[0]), make(jittered[0]))


def same(one, other):
    return all(np.array_equal(array, arrays(other)[name]) for name, array in arrays(one).items())


# --- files ---


def test_what_was_saved_is_read_back_the_start_to_half_precision(examples, tmp_path):
    """Everything else bit for bit, types too."""
    path, example = tmp_path / "000007.safetensors", replace(examples[0], truth=None)
    save_example(path, example)
    loaded = load_example(path)
    assert loaded.truth is None
    read = arrays(loaded)
    for name, array in arrays(example).items():
        assert read[name].dtype == array.dtype, name
        if name == "start":
            assert (np.abs(read[name] - array) <= 2**-11 * np.abs(array) + 1e-7).all()
        else:
            assert np.array_equal(read[name], array), name
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["cut", "short", "empty", "text", "header"])
def test_a_damaged_file_is_named_with_what_to_do(examples, tmp_path, damage):
    path = tmp_path / "example.safetensors"
    save_example(path, examples[0])
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2], "short": content[:5], "empty": b"", "text": b"Hello, example " * 99,
            "header": content[:40] + b"\0" * 8 + content[48:],
        }[damage]
    )  # fmt: skip
    with pytest.raises(InputError, match=r"example\.safetensors: .* delete it"):
        load_example(path)


def test_other_safetensors_and_missing_files_are_no_examples(examples, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "example.safetensors"
    for parts in ({"weight": np.zeros(3)}, {"start": np.zeros(3)}, {"reference": np.zeros(3, np.uint8)}):
        save_file(parts, path)
        with pytest.raises(InputError, match=r"example\.safetensors: .* delete it"):
            load_example(path)
    with pytest.raises(InputError, match=r"cannot read .*gone\.safetensors"):
        load_example(tmp_path / "gone.safetensors")


# --- batches ---


def test_a_batch_has_the_values_of_its_examples_as_planes(examples):
    batch, (w, h) = collate_examples(examples, sample_ids=[7, 4]), SIZE
    assert batch.sample_ids.tolist() == [7, 4]
    channels = {"reference": 3, "target": 3, "start": 2, "residual": 2, "stitched": 3}
    truth = batch.truth
    pictures = [part.name for part in fields(ExampleBatch) if part.name not in ("truth", "sample_ids")]
    maps = {name: getattr(batch, name) for name in pictures}
    apart = ("fundamental", "segments", "owner")
    maps |= {part.name: getattr(truth, part.name) for part in fields(BatchTruth) if part.name not in apart}
    for name, value in maps.items():
        assert value.shape == (2, channels.get(name, 1), h, w), name
        assert value.dtype == torch.float32, name
        assert value.is_contiguous(), name
        if channels.get(name) != 2:
            assert 0 <= value.min() <= value.max() <= 1, name
        if name not in channels:
            assert set(value.unique().tolist()) <= {0, 1}, name
    for k, example in enumerate(examples):
        known = example.truth
        assert np.array_equal(batch.target[k].permute(1, 2, 0).numpy(), example.target.astype(np.float32) / 255)
        assert np.array_equal(truth.stitched[k].permute(1, 2, 0).numpy(), known.stitched.astype(np.float32) / 255)
        assert np.array_equal(batch.start[k].permute(1, 2, 0).numpy(), example.start)
        assert np.array_equal(truth.residual[k].permute(1, 2, 0).numpy(), known.residual)
        assert np.array_equal(batch.trusted[k, 0].numpy() > 0, example.trusted)
        for name, code in (
            ("visible", Visibility.VISIBLE),
            ("occluded", Visibility.OCCLUDED),
            ("outside", Visibility.OUTSIDE),
        ):
            assert np.array_equal(getattr(truth, name)[k, 0].numpy() > 0, known.codes == code)
        assert np.array_equal(truth.stitched_known[k, 0].numpy() > 0, known.stitched_valid & 4 > 0)
        assert np.allclose(truth.fundamental[k], known.fundamental, atol=1e-6)


def test_segments_name_their_example(examples):
    first = with_segments(examples[0], [[1, 2], [3, 4]], [[5, 6], [7, 8]])
    none, last = with_segments(examples[1]), with_segments(examples[1], [[9, 9], [8, 8]])
    truth = collate_examples([first, none, last]).truth
    assert truth.owner.tolist() == [0, 0, 2]
    assert truth.owner.dtype == torch.int64
    assert truth.segments.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 9], [8, 8]]]
    truth = collate_examples([none, none]).truth
    assert (truth.segments.shape, truth.owner.shape) == ((0, 2, 2), (0,))


def test_batches_have_a_truth_where_all_examples_have_one(examples):
    photographed = replace(examples[0], truth=None)
    assert collate_examples([photographed, photographed]).truth is None
    with pytest.raises(ValueError, match="1 of 2 examples have a truth"):
        collate_examples([examples[0], photographed])


def test_pictures_without_matches_make_an_example_too():
    """Where no alignment is found, the pictures lie on each other."""
    blank, white = np.zeros((64, 96, 3), np.uint8), np.full((64, 96, 3), 255, np.uint8)
    example = make_example(blank, white, None, SIZE)
    assert np.array_equal(example.target_valid, example.reference_valid)
    assert example.truth is None
    assert np.isfinite(example.start).all()
