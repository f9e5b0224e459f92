import pytest

from mtl.metrics import delta_m


def test_a_gain_counts_in_the_direction_that_is_better():
    better = {"accuracy": True, "error": False}
    references = {"accuracy": 50.0, "error": 2.0}
    assert delta_m({"accuracy": 55.0, "error": 1.0}, references, better) == pytest.approx((10 + 50) / 2)
    assert delta_m({"accuracy": 45.0, "error": 3.0}, references, better) == pytest.approx((-10 - 50) / 2)
    assert delta_m(references, references, better) == 0


def test_plain_training_on_nyud_is_as_published():
    """Jeong & Yoon 2024, table 1: the rows of independent networks and of plain gradient descent."""
    independent = {"depth": 0.667, "segmentation": 33.18, "normals": 20.75}
    together = {"depth": 0.594, "segmentation": 38.67, "normals": 20.52}
    better = {"depth": False, "segmentation": True, "normals": False}
    assert round(delta_m(together, independent, better), 2) == 9.53


@pytest.mark.parametrize(
    ("scores", "references", "better", "words"),
    [
        ({}, {}, {}, "no tasks"),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}, {"a": True, "b": True}, "no scores for 'b'"),
        ({"a": 1.0, "c": 1.0}, {"a": 1.0}, {"a": True}, "unknown 'c'"),
        ({"a": 1.0}, {"a": 1.0}, {}, "higher_is_better"),
        ({"a": 1.0}, {"a": 0.0}, {"a": True}, "reference 0.0 of task 'a'"),
        ({"a": 1.0}, {"a": float("nan")}, {"a": True}, "reference nan"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores, references, better, words):
    with pytest.raises(ValueError, match=words):
        delta_m(scores, references, better)
