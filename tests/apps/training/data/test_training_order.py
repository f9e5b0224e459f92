"""The order of the examples of a training."""

import itertools
from dataclasses import replace

import pytest

from apps.training.data.order import EpochOrder, photo_steps_before, taken_before


def test_the_order_is_another_permutation_in_each_epoch():
    indices = (3, 5, 8, 13, 21, 34, 55)
    order = EpochOrder(indices, 1)
    epochs = [tuple(order[k] for k in range(start, start + 7)) for start in range(0, 35, 7)]
    assert all(tuple(sorted(epoch)) == indices for epoch in epochs)
    assert len(set(epochs)) == 5
    assert epochs != [tuple(EpochOrder(indices, 2)[k] for k in range(start, start + 7)) for start in range(0, 35, 7)]


def test_the_order_can_be_asked_from_any_place():
    order = [EpochOrder(tuple(range(7)), 1)[k] for k in range(40)]
    assert [EpochOrder(tuple(range(7)), 1)[k] for k in reversed(range(40))] == order[::-1]


def test_every_second_step_takes_photographs(options, tmp_path):
    before = [photo_steps_before(step, replace(options, pairs=tmp_path)) for step in range(7)]
    assert [b > a for a, b in itertools.pairwise(before)] == [False, True, False, True, False, True]
    assert photo_steps_before(100, options) == 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_a_share_is_spread_evenly(share):
    taken = [taken_before(position, share) for position in range(101)]
    assert taken[100] == round(100 * share)
    assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(taken))
    assert all(abs(taken[k] - share * k) < 1 for k in range(101))
