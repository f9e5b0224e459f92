"""The order of the examples of a training."""

from dataclasses import replace
from itertools import count, islice

from apps.training.data.order import ExampleKey, example_order, shuffled


def test_shuffled_is_another_permutation_in_each_epoch():
    indices = [3, 5, 8, 13, 21, 34, 55]
    order = list(islice(shuffled(indices, 1, 0), 35))
    epochs = [tuple(order[k : k + 7]) for k in range(0, 35, 7)]
    assert all(sorted(epoch) == indices for epoch in epochs)
    assert len(set(epochs)) == 5
    assert order != list(islice(shuffled(indices, 2, 0), 35))


def test_shuffled_continues_from_any_place():
    order = list(islice(shuffled(range(7), 1, 0), 40))
    for start in range(30):
        assert list(islice(shuffled(range(7), 1, start), 10)) == order[start : start + 10]


def test_every_second_step_takes_photographs_after_the_matching_stage(options, tmp_path):
    some = replace(options, pairs=tmp_path, matching_steps=1)
    for first_step in (0, 2, 3):
        keys = list(islice(example_order(count(0), count(100), first_step, some, 2), 2 * (6 - first_step)))
        sources = [key.source == "photographs" for key in keys[::2]]
        assert sources == [False, False, True, False, True, False][first_step:]
        assert [key.source for key in keys[::2]] == [key.source for key in keys[1::2]]  # none has both
        assert [key.index for key in keys if key.source == "generated"] == list(range(sources.count(False) * 2))


def test_without_pairs_all_examples_are_generated(options):
    keys = list(islice(example_order(count(5), iter(()), 0, options, 3), 4))
    assert keys == [ExampleKey("generated", index) for index in (5, 6, 7, 8)]
