import math
import sys

import numpy as np
import pytest

from mtl.noisy_labels import detection, flag

pytest.importorskip("sklearn")


def two_groups(right=150, wrong=50, apart=6.0):
    rng = np.random.default_rng(0)
    corrupted = np.arange(right + wrong) >= right
    return rng.normal(size=right + wrong) + apart * corrupted, corrupted


def test_without_scikit_learn_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for call in (lambda: flag([0.0, 1.0]), lambda: detection([0.0, 1.0], [False, True])):
        with pytest.raises(ValueError, match=r"'sklearn', not installed: pip install 'parastitch\[mtl\]'"):
            call()


def test_two_groups_are_told_apart():
    scores, corrupted = two_groups()
    flags = flag(scores)
    assert np.array_equal(flags.corrupt, corrupted)
    assert flags.probability[corrupted].min() > 0.5 > flags.probability[~corrupted].max()


def test_the_decision_does_not_depend_on_the_unit_of_the_scores():
    scores, _ = two_groups()
    assert np.array_equal(flag(1e-4 * scores - 7).corrupt, flag(scores).corrupt)


@pytest.mark.parametrize("draw", ["normal", "gumbel", "logistic"])
def test_nothing_is_flagged_in_one_group(draw):
    flags = flag(getattr(np.random.default_rng(1), draw)(size=300))
    assert not flags.corrupt.any()
    assert not flags.probability.any()


def test_scores_at_their_lowest_limit_are_no_group_of_their_own():
    rest = np.random.default_rng(2).normal(size=150)
    assert not flag(np.concatenate([np.full(150, -3.0), rest.clip(-2.9)])).corrupt.any()


def test_wrong_labels_are_found_beside_scores_at_their_lowest_limit():
    scores, corrupted = two_groups()
    found = flag(np.concatenate([np.full(200, -3.0), scores.clip(-3.0)])).corrupt
    assert not found[:200].any()
    assert np.array_equal(found[200:], corrupted)


@pytest.mark.parametrize("scores", [[1.0], [0.2] * 50, [0.1] * 40 + [0.3] * 40, [1.0, 9.0]])
def test_too_few_different_scores_flag_nothing(scores):
    assert not flag(scores).corrupt.any()


def test_a_detection_is_measured_as_by_hand():
    # Of the four pairs of a corrupt and a right one, three are in order; precisions at the hits: 1 and 2 / 3.
    found = detection([4.0, 3.0, 2.0, 1.0], np.array([True, False, True, False]))
    assert found.roc_auc == pytest.approx(3 / 4)
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (found.recall, found.share) == (0, 0)
    assert math.isnan(found.precision)


def test_a_decision_is_measured_by_what_it_hit():
    scores, corrupted = two_groups()
    corrupted = corrupted & (np.arange(200) < 190)  # ten of the fifty that are flagged are right
    corrupted[:10] = True  # and ten of the others are not
    found = detection(scores, corrupted)
    assert (found.precision, found.recall, found.share) == (0.8, 0.8, 0.25)


def test_where_nothing_is_corrupt_only_the_share_has_a_meaning():
    found = detection(two_groups()[0], np.zeros(200, bool))
    assert found.share == 0.25
    assert found.precision == 0
    assert all(math.isnan(number) for number in (found.roc_auc, found.average_precision, found.recall))


def test_where_all_is_corrupt_there_is_no_ranking_of_them_above_others():
    found = detection(two_groups()[0], np.ones(200, bool))
    assert math.isnan(found.roc_auc)
    assert (found.average_precision, found.precision, found.recall) == (1, 1, 0.25)


@pytest.mark.parametrize("call", [flag, lambda scores: detection(scores, np.zeros(3, bool))])
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], r"scores \(0,\): expected \(n,\)"),
        ([[1.0, 2.0, 3.0]], r"scores \(1, 3\)"),
        ([1.0, math.nan, math.inf], "2 of 3 scores are not finite"),
    ],
)
def test_impossible_scores_are_refused(call, scores, message):
    with pytest.raises(ValueError, match=message):
        call(scores)


@pytest.mark.parametrize("corrupted", [[0, 1, 1], [True, False], [[True, False, True]]])
def test_a_truth_that_does_not_fit_is_refused(corrupted):
    with pytest.raises(ValueError, match=r"expected bool \(3,\)"):
        detection([1.0, 2.0, 3.0], corrupted)
