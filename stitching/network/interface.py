"""The exported graphs: the inputs and outputs of each, by name, and how one is called. Needs no torch.

A plane is float32 (1, channels, h, w); h and w are multiples of `MULTIPLE` and at least `SMALLEST_SIDE`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from stitching.errors import InputError, JobError

if TYPE_CHECKING:  # the options of a training need a number of this file, and must not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

MULTIPLE = 8  # px, side of a matching cell; the sides of a window are multiples of it
SMALLEST_SIDE = 4 * MULTIPLE  # px

Device = Literal["auto", "cpu", "cuda"]
Planes: TypeAlias = "dict[str, NDArray[np.float32]]"  # name -> (1, channels, h, w)


@dataclass(frozen=True, eq=False)
class GraphInterface:
    """One exported graph.

    Attributes:
        name: of the graph; its file is `name`.onnx.
        inputs, outputs: name -> channels, in the order of an exported file. Outputs of `MATCHING` have one value a
            cell, (1, channels, h / MULTIPLE, w / MULTIPLE), those of the others are as large as the inputs.
    """

    name: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]

    def check(self, inputs: "Mapping[str, NDArray[np.generic]]") -> None:
        """Raise InputError where names, shapes, types or the size of the planes are not this graph's."""
        if inputs.keys() != self.inputs.keys():
            raise InputError(f"{self.name}: inputs {', '.join(inputs)}; expected {', '.join(self.inputs)}")
        size: tuple[int, ...] = ()
        for name, channels in self.inputs.items():
            plane = inputs[name]
            size = size or plane.shape[2:]
            float32 = plane.dtype.name == "float32" and plane.dtype.isnative
            if not float32 or len(size) != 2 or plane.shape != (1, channels, *size):
                expected = f"(1, {channels}, {', '.join(map(str, size)) if len(size) == 2 else 'h, w'})"
                raise InputError(f"{self.name}, input {name}: {plane.dtype} {plane.shape}; expected float32 {expected}")
        check_size(*size)

    def check_outputs(self, outputs: "Mapping[str, NDArray[np.floating]]") -> None:
        """Raise JobError where an output is infinite or not a number, as damaged weights give."""
        import numpy as np

        for name, plane in outputs.items():
            if not np.isfinite(plane).all():
                raise JobError(f"{self.name}, output {name}: not finite; its weights are damaged, or badly trained")


_PICTURES = {
    "reference": 3,  # BGR 0 .. 1, 0 where not valid
    "target": 3,
    "reference_valid": 1,  # 0 or 1
    "target_valid": 1,
}

MATCHING = GraphInterface(
    "matching",
    _PICTURES,  # on a window of the reference's plane, the target coarsely aligned
    {
        "forward_matches": 2,  # px, displacement of every cell of the target to its best match in the reference
        "forward_confidence": 1,  # 0 .. 1, probability that the cell has this match
        "backward_matches": 2,  # the same for every cell of the reference
        "backward_confidence": 1,
    },
)
PWM = GraphInterface(
    "pwm",
    _PICTURES | {"start": 2, "trusted": 1},  # px, a residual to extrapolate; 0 .. 1, where it is right
    {
        "residual": 2,  # px, of every pixel of the target; the start is not put back where it is trusted
        "confidence": 1,  # 0 .. 1, probability that the reference shows the target's pixel
    },
)
SIGMO = GraphInterface(
    "sigmo",
    _PICTURES,  # on the canvas, the target warped; target_valid may be a coverage 0 .. 1
    {
        "weight": 1,  # 0 .. 1, share of the reference
        "gain": 3,  # 1/4 .. 4, what the target's BGR is multiplied with
    },
)
GRAPHS = MATCHING, PWM, SIGMO


class Runtime(Protocol):
    """One graph with its weights, ready to compute."""

    @property
    def device(self) -> str:
        """Where it computes: cpu or cuda."""

    def __call__(self, inputs: "Mapping[str, NDArray[np.float32]]") -> Planes:
        """All outputs of the graph, by name. Raises InputError as `GraphInterface.check`, JobError if it fails."""


def check_size(height: int, width: int) -> None:
    """Raise InputError where the networks cannot work on a window of this size, px."""
    if height % MULTIPLE or width % MULTIPLE or min(height, width) < SMALLEST_SIDE:
        raise InputError(
            f"a window of {width} x {height} px: expected sides that are multiples of {MULTIPLE}, "
            f"{SMALLEST_SIDE} or more; pad it with zeros"
        )
