"""The tasks' losses on maps of a few pixels, by hand."""

from math import log

import pytest
import torch

from apps.benchmarking.losses import LabelScale, instance_losses, measure_scale
from datasets.labels import IGNORED, Labels

CLASSES, DISTANCE, NORMALS, BINARY = Labels("classes", 2), Labels("distance"), Labels("normals"), Labels("binary")
COLOUR, MOTION = Labels("colour"), Labels("motion")
CATEGORY, NUMBER = Labels("category", 2), Labels("number")
NAN = float("nan")


def test_classes_get_the_mean_cross_entropy_of_the_known_pixels():
    answer = torch.tensor([[[[0.0, log(3), 7.0]], [[0.0, 0.0, 0.0]]]])  # (1, 2, 1, 3)
    truth = torch.tensor([[[1, 0, IGNORED]]])
    assert instance_losses(CLASSES, LabelScale(), answer, truth).tolist() == pytest.approx([(log(2) + log(4 / 3)) / 2])


def test_distances_are_compared_in_their_unit():
    answer = torch.tensor([[[[1.0, 3.0, 9.0]]]])
    truth = torch.tensor([[[4.0, 4.0, NAN]]])
    assert instance_losses(DISTANCE, LabelScale(unit=2.0), answer, truth).tolist() == pytest.approx(
        [1.0]
    )  # |1 - 2|, |3 - 2|


def test_normals_are_made_unit_length_and_compared_by_component():
    answer = torch.tensor([[[[0.0, 5.0]], [[0.0, 0.0]], [[-2.0, 0.0]]]])  # towards the camera; to the right
    truth = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]]])  # to the right; unknown
    assert instance_losses(NORMALS, LabelScale(), answer, truth).tolist() == pytest.approx([2.0])


def test_colours_are_compared_channel_by_channel():
    answer = torch.tensor([[[[0.5, 9.0]], [[0.25, 9.0]], [[1.0, 9.0]]]])
    truth = torch.tensor([[[[0.0, NAN]], [[0.5, NAN]], [[1.0, NAN]]]])
    assert instance_losses(COLOUR, LabelScale(), answer, truth).tolist() == pytest.approx([0.5 + 0.25])


def test_motion_is_compared_in_its_unit():
    answer = torch.tensor([[[[1.0, 9.0]], [[-1.0, 9.0]]]])
    truth = torch.tensor([[[[4.0, 1.0]], [[0.0, NAN]]]])
    assert instance_losses(MOTION, LabelScale(unit=2.0), answer, truth).tolist() == pytest.approx([1.0 + 1.0])


def test_whole_pictures_get_cross_entropy_or_a_squared_difference():
    answer = torch.tensor([[0.0, log(3)], [0.0, 0.0], [1.0, 7.0]], requires_grad=True)
    found = instance_losses(CATEGORY, LabelScale(), answer, torch.tensor([1, 0, IGNORED]))
    assert found.tolist() == pytest.approx([log(4 / 3), log(2), 0])
    answer = torch.tensor([[1.0], [3.0], [5.0]], requires_grad=True)
    found = instance_losses(NUMBER, LabelScale(unit=2.0), answer, torch.tensor([4.0, 4.0, NAN]))
    assert found.tolist() == pytest.approx([1, 1, 0])
    (gradient,) = torch.autograd.grad(found.sum(), answer)
    assert gradient.flatten().tolist() == [-2, 2, 0]


def test_ones_and_zeros_are_weighted():
    answer = torch.zeros(1, 1, 1, 3)
    truth = torch.tensor([[[1.0, 0.0, IGNORED]]])
    found = instance_losses(BINARY, LabelScale(positive=0.95), answer, truth)
    assert found.tolist() == pytest.approx([log(2) * (0.95 + 0.05) / 2])
    ones = instance_losses(BINARY, LabelScale(positive=0.95), answer, torch.ones(1, 1, 3))
    assert ones.tolist() == pytest.approx([0.95 * log(2)])


@pytest.mark.parametrize(
    ("labels", "unknown", "channels"),
    [(CLASSES, IGNORED, 2), (DISTANCE, NAN, 1), (NORMALS, 0.0, 3), (BINARY, float(IGNORED), 1), (COLOUR, NAN, 3),
     (MOTION, NAN, 2)],
)  # fmt: skip
def test_an_instance_of_which_nothing_is_known_has_no_loss_and_no_gradient(labels, unknown, channels):
    answer = torch.randn(2, channels, 2, 2, requires_grad=True)
    vectors = labels.kind in ("normals", "colour", "motion")
    truth = torch.full((2, channels, 2, 2) if vectors else (2, 2, 2), unknown)
    truth[1] = torch.tensor([0.0, 0, -1])[:, None, None] if labels.kind == "normals" else 1
    found = instance_losses(labels, LabelScale(), answer, truth)
    assert found.shape == (2,)
    assert found[0] == 0
    assert found[1] > 0
    (gradient,) = torch.autograd.grad(found.sum(), answer)
    assert gradient.isfinite().all()
    assert not gradient[0].any()


def test_scales_are_measured_on_what_is_known():
    depths = [torch.tensor([[[1.0, NAN]]]), torch.tensor([[[3.0, 8.0]]])]
    assert measure_scale(DISTANCE, depths) == LabelScale(unit=4.0)
    edges = [torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]]), torch.tensor([[[IGNORED, IGNORED]]])]
    assert measure_scale(BINARY, edges) == LabelScale(positive=0.75)
    motion = [torch.tensor([[[[3.0, NAN]], [[4.0, NAN]]]]), torch.tensor([[[[0.0, 1.0]], [[0.0, 0.0]]]])]
    assert measure_scale(MOTION, motion) == LabelScale(unit=2.0)
    numbers = [torch.tensor([1.0, NAN]), torch.tensor([5.0])]
    assert measure_scale(NUMBER, numbers) == LabelScale(unit=2.0)
    assert measure_scale(NUMBER, [torch.tensor([3.0, 3.0])]) == LabelScale()
    nothing = [torch.full((1, 1, 2), NAN)]
    assert measure_scale(DISTANCE, nothing) == LabelScale()
