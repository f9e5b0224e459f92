"""The test scores on maps of a few pixels, by hand."""

from math import isnan

import pytest
import torch

from apps.benchmarking.metrics.scores import make_scorer
from datasets.labels import IGNORED, Labels

CLASSES, DISTANCE, NORMALS, BINARY = Labels("classes", 3), Labels("distance"), Labels("normals"), Labels("binary")
COLOUR, MOTION = Labels("colour"), Labels("motion")
CATEGORY, NUMBER = Labels("category", 3), Labels("number")
NAN = float("nan")


def scores(labels, *batches, unit=1.0):
    scorer = make_scorer(labels, unit)
    for answer, truth in batches:
        scorer.add(answer, truth)
    return scorer.scores()


def picks(*classes):
    """(1, 3, 1, n) that answer these classes."""
    return torch.nn.functional.one_hot(torch.tensor([[classes]]), 3).movedim(-1, 1).float()


def logits(*probabilities):
    return torch.tensor(probabilities).logit()[None, None, None]


def test_miou_is_the_mean_over_the_classes_that_occur():
    found = scores(CLASSES, (picks(0, 0, 1, 0), torch.tensor([[[0, 1, 1, IGNORED]]])))
    assert found == pytest.approx({"mIoU %": 50.0, "pixel accuracy %": 200 / 3})  # 1 of 2 and 1 of 2; class 2 nowhere
    found = scores(CLASSES, (picks(0, 2), torch.tensor([[[0, 0]]])))
    assert found["mIoU %"] == pytest.approx(25.0)  # one half, and class 2 that is not there


def test_pixels_of_all_batches_are_pooled():
    first = picks(0, 0, 0), torch.tensor([[[0, 0, 1]]])
    second = picks(1), torch.tensor([[[1]]])
    together = picks(0, 0, 0, 1), torch.tensor([[[0, 0, 1, 1]]])
    assert scores(CLASSES, first, second) == scores(CLASSES, together)


def test_distances_are_scored_in_the_unit_of_the_labels():
    answer, truth = torch.tensor([[[[1.0, 2.0, 5.0]]]]), torch.tensor([[[5.0, 10.0, NAN]]])
    found = scores(DISTANCE, (answer, truth), unit=4.0)  # 4 and 8: 1 and 2 too little
    assert found == pytest.approx({"absolute error": 1.5, "rms error": 2.5**0.5, "relative error": 0.2})


def test_relative_errors_leave_out_what_is_infinitely_far():
    answer, truth = torch.tensor([[[[1.0, 2.0, 3.0]]]]), torch.tensor([[[0.0, 1.0, 4.0]]])
    found = scores(DISTANCE, (answer, truth))
    assert found["absolute error"] == pytest.approx(1.0)
    assert found["relative error"] == pytest.approx((1 / 1 + 1 / 4) / 2)


def test_colours_are_scored_over_all_channels():
    answer = torch.tensor([[[[0.5, 9.0]], [[0.5, 9.0]], [[0.5, 9.0]]]])
    truth = torch.tensor([[[[0.5, NAN]], [[0.2, NAN]], [[0.8, NAN]]]])
    assert scores(COLOUR, (answer, truth)) == pytest.approx({"absolute error": 0.2})


def test_motion_is_scored_by_the_distance_of_its_ends():
    answer = torch.tensor([[[[0.0, 1.0, 5.0]], [[0.0, 0.0, 5.0]]]])
    truth = torch.tensor([[[[3.0, 2.0, NAN]], [[4.0, 0.0, NAN]]]])  # 5 px away, and 2 unit - 2 = 0
    found = scores(MOTION, (answer, truth), unit=2.0)
    assert found == pytest.approx({"end-point error": 2.5, "within 1 px %": 50.0})


def test_categories_of_whole_pictures_are_right_or_wrong():
    answer, truth = torch.eye(3)[[0, 1, 2, 2, 0]], torch.tensor([0, 1, 2, 1, IGNORED])
    found = scores(CATEGORY, (answer[:2], truth[:2]), (answer[2:], truth[2:]))
    assert found == pytest.approx({"accuracy %": 75.0})


def test_numbers_of_whole_pictures_are_scored_in_their_unit():
    found = scores(NUMBER, (torch.tensor([[1.0], [2.0], [7.0]]), torch.tensor([5.0, 10.0, NAN])), unit=4.0)
    assert (found["absolute error"], found["rms error"]) == pytest.approx((1.5, 2.5**0.5))


def test_normals_are_scored_by_the_angle():
    answer = torch.tensor([[[[0.0, 0, 0.0, 1]], [[0.0, 0, 0.2, 0]], [[-3.0, -1, -1.0, 0]]]])
    truth = torch.tensor([[[[0.0, 1, 0.0, 0]], [[0.0, 0, 0.0, 0]], [[-1.0, 0, -1.0, 0]]]])  # the last one unknown
    found = scores(NORMALS, (answer, truth))
    angle = 11.3099  # atan(0.2)
    assert found["mean angle"] == pytest.approx((0 + 90 + angle) / 3, abs=1e-3)
    assert found["median angle"] == pytest.approx(angle, abs=0.01)
    within = [found[f"within {limit:g} %"] for limit in (11.25, 22.5, 30)]
    assert within == pytest.approx([100 / 3, 200 / 3, 200 / 3])


def test_edges_are_scored_at_the_best_threshold_for_all():
    answer, truth = logits(0.9, 0.8, 0.3, 0.95), torch.tensor([[[1.0, 0.0, 1.0, IGNORED]]])
    assert scores(BINARY, (answer, truth))["best F %"] == pytest.approx(80.0)  # all three: precision 2 / 3, recall 1
    parts = [(logits(0.9, 0.8), truth[..., :2]), (logits(0.3), truth[..., 2:3])]
    assert scores(BINARY, *parts)["best F %"] == pytest.approx(80.0)


def test_overlap_is_the_mean_of_the_pictures_at_the_best_threshold_for_all():
    first = logits(0.9, 0.8, 0.3, 0.95), torch.tensor([[[1.0, 0.0, 1.0, IGNORED]]])  # 1/2, 1/3, 2/3 from the top down
    second = logits(0.85, 0.6, 0.1, 0.1), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])  # 0 above .85, 1/2, then 1 down to .1
    # down to .85: 1/2 and 1/2; to .8: 1/3 and 1/2; to .6: 1/3 and 1; to .3: 2/3 and 1
    assert scores(BINARY, first, second)["best IoU %"] == pytest.approx(100 * (2 / 3 + 1) / 2)
    nothing = logits(0.1, 0.1, 0.1, 0.1), torch.zeros(1, 1, 4)  # rightly nothing is found above .1
    both = tuple(torch.cat(pair) for pair in zip(second, nothing, strict=True))
    assert scores(BINARY, both)["best IoU %"] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("labels", "unknown", "channels"),
    [(CLASSES, IGNORED, 3), (DISTANCE, NAN, 1), (NORMALS, 0.0, 3), (BINARY, float(IGNORED), 1), (COLOUR, NAN, 3),
     (MOTION, NAN, 2)],
)  # fmt: skip
def test_where_nothing_is_known_there_is_no_score(labels, unknown, channels):
    vectors = labels.kind in ("normals", "colour", "motion")
    truth = torch.full((1, channels, 2, 2) if vectors else (1, 2, 2), unknown)
    assert all(isnan(value) for value in scores(labels, (torch.zeros(1, channels, 2, 2), truth)).values())


@pytest.mark.parametrize(("labels", "unknown"), [(CATEGORY, IGNORED), (NUMBER, NAN)])
def test_where_no_whole_picture_is_known_there_is_no_score(labels, unknown):
    found = scores(labels, (torch.zeros(2, 3), torch.full((2,), unknown)))
    assert all(isnan(value) for value in found.values())
