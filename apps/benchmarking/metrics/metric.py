"""The metrics that networks can be compared by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A score of a task.

    Attributes:
        name: in tables and files.
        higher_is_better: whether it is a gain when it grows.
        decimals: in a table.
    """

    name: str
    higher_is_better: bool
    decimals: int


MIOU = Metric("mIoU %", True, 2)
PIXEL_ACCURACY = Metric("pixel accuracy %", True, 2)
ABSOLUTE_ERROR = Metric("absolute error", False, 4)
RELATIVE_ERROR = Metric("relative error", False, 4)
RMS_ERROR = Metric("rms error", False, 4)
MEAN_ANGLE = Metric("mean angle", False, 2)
BEST_F = Metric("best F %", True, 2)
BEST_IOU = Metric("best IoU %", True, 2)
END_POINT_ERROR = Metric("end-point error", False, 3)
ACCURACY = Metric("accuracy %", True, 2)
