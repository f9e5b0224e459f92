"""Overlaid digits: each at its corner, the brighter one on top, just as many wrong labels as asked for."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from datasets.overlaid_digits import DIGIT_TASKS, LABELS, NUMBER_TASKS, PARTS, OverlaidDigits
from stitching.errors import InputError

SIZE = 12, 10


def pictures(count: int = 40, part: str = "train", seed: int = 0, **corrupt: float) -> OverlaidDigits:
    return OverlaidDigits(part, count, SIZE, seed, corrupt)


def test_every_digit_is_at_its_corner_and_the_brighter_one_is_seen() -> None:
    source = load_digits().images / 16
    data = pictures()
    for index in (0, 7):
        image, labels = data[index]
        expected = np.zeros((10, 12))
        for source_index, rows, columns in zip(
            data.sources[index],
            (slice(0, 8), slice(0, 8), slice(2, 10), slice(2, 10)),
            (slice(0, 8), slice(4, 12), slice(0, 8), slice(4, 12)),
            strict=True,
        ):
            expected[rows, columns] = np.maximum(expected[rows, columns], source[source_index])
        assert image.dtype == torch.float32
        np.testing.assert_allclose(image.numpy(), np.stack([expected] * 3), atol=1e-6)
        values = load_digits().target[data.sources[index]].tolist()
        assert [int(labels[task]) for task in DIGIT_TASKS] == values
        assert [float(labels[task]) for task in NUMBER_TASKS] == values
    assert set(labels) == set(LABELS)
    assert (labels["digit-1"].dtype, labels["number-1"].dtype) == (torch.int64, torch.float32)


def test_digits_do_not_overlap_on_a_canvas_that_holds_them_side_by_side() -> None:
    data = OverlaidDigits("test", 1, (16, 16), 0)
    image, _ = data[0]
    corner = load_digits().images[data.sources[0, 2]] / 16  # down-left
    np.testing.assert_allclose(image[0, 8:, :8].numpy(), corner, atol=1e-6)


def test_no_source_digit_is_in_two_parts() -> None:
    used = {part: set(pictures(2000, part).sources.ravel().tolist()) for part in PARTS}
    assert not used["train"] & used["validation"]
    assert not used["train"] & used["test"]
    assert not used["validation"] & used["test"]
    assert {part: len(sources) for part, sources in used.items()} == PARTS  # of 8000 draws every one is used


def test_items_depend_on_part_seed_and_index_alone() -> None:
    few, many, other = pictures(3), pictures(50), pictures(3, seed=1)
    for index in range(3):
        assert torch.equal(few[index][0], many[index][0])
    assert not torch.equal(few[0][0], other[0][0])
    with pytest.raises(IndexError):
        few[3]


def test_just_the_stated_share_exchanges_labels() -> None:
    right, data = pictures(400), pictures(400, **{"digit-2": 0.4, "number-1": 0.1})
    for task, share in (("digit-2", 0.4), ("number-1", 0.1), ("digit-1", 0.0)):
        labels = [np.array([float(items[index][1][task]) for index in range(400)]) for items in (right, data)]
        np.testing.assert_array_equal(data.corrupted(task), labels[0] != labels[1])
        assert sorted(labels[0]) == sorted(labels[1])
        assert 0.75 * share <= data.corrupted(task).mean() <= share  # one tenth of the exchanged ones are the same
    assert all(torch.equal(right[index][0], data[index][0]) for index in range(10))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"part": "all"}, "part all"),
        ({"count": 0}, "count 0"),
        ({"size": (17, 12)}, "size 17 12: expected 8 to 16"),
        ({"seed": -1}, "seed -1"),
        ({"corrupt": {"digit-5": 0.1}}, "corrupt digit-5"),
        ({"corrupt": {"digit-1": 0.01}}, "corrupt digit-1 0.01"),
    ],
)
def test_impossible_sets_are_refused(given: dict[str, object], words: str) -> None:
    settings = {"part": "train", "count": 10, "size": SIZE, "seed": 0} | given
    with pytest.raises(InputError, match=words):
        OverlaidDigits(**settings)  # type: ignore[arg-type]
