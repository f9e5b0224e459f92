"""What a graph accepts as its inputs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.network.interface import GRAPHS, PWM, GraphInterface, check_size


def planes(graph: GraphInterface, h: int = 32, w: int = 40) -> dict[str, NDArray[np.float32]]:
    return {name: np.ones((1, channels, h, w), np.float32) for name, channels in graph.inputs.items()}


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_planes_of_the_right_names_and_shapes_are_accepted_in_any_order(graph: GraphInterface) -> None:
    graph.check(dict(reversed(planes(graph).items())))


@pytest.mark.parametrize(
    ("name", "plane", "words"),
    [
        ("mask", np.ones((1, 1, 32, 40), np.float32), "pwm: inputs reference, .*, mask; expected reference, "),
        ("start", np.ones((1, 3, 32, 40), np.float32), r"start: .*\(1, 3, 32, 40\); .*\(1, 2, 32, 40\)"),
        ("target", np.ones((1, 3, 40, 40), np.float32), r"target: .*\(1, 3, 40, 40\); .*\(1, 3, 32, 40\)"),
        ("target", np.ones((1, 3, 32, 40), np.uint8), "target: uint8 .* expected float32"),
        ("reference", np.ones((3,), np.float32), r"reference: .*\(3,\); expected .*\(1, 3, h, w\)"),
    ],
)
def test_wrong_inputs_are_refused_with_what_is_expected(name: str, plane: NDArray[np.float32], words: str) -> None:
    with pytest.raises(InputError, match=words):
        PWM.check(planes(PWM) | {name: plane})


def test_a_missing_input_is_refused() -> None:
    with pytest.raises(InputError, match="pwm: inputs reference; expected reference, target, "):
        PWM.check({"reference": planes(PWM)["reference"]})


@pytest.mark.parametrize(("h", "w"), [(33, 40), (32, 44), (24, 40), (0, 40)])
def test_sizes_that_are_no_windows_are_refused(h: int, w: int) -> None:
    for check in (lambda: check_size(h, w), lambda: PWM.check(planes(PWM, h, w))):
        with pytest.raises(InputError, match=f"{w} x {h} px: .* multiples of 8"):
            check()
