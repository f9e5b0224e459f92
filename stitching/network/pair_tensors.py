"""Inputs of the networks as tensors."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stitching.network.interface import MULTIPLE, check_size


@dataclass(frozen=True, eq=False)
class PairTensors:
    """b pairs on windows of the reference's plane; the targets coarsely aligned for PWM, warped for SIGMo."""

    reference: Tensor  # (b, 3, h, w) float BGR, 0 .. 1, 0 where not valid
    target: Tensor  # (b, 3, h, w) the same
    reference_valid: Tensor  # (b, 1, h, w) float, 0 or 1
    target_valid: Tensor  # (b, 1, h, w) the same; for SIGMo 0 .. 1, coverage of the splatted target


@dataclass(frozen=True, eq=False)
class Start:
    """A warp to start from, as the classical estimator gives it."""

    residual: Tensor  # (b, 2, h, w) float, px
    trusted: Tensor  # (b, 1, h, w) float, 0 .. 1: where it is forward-backward consistent


def to_tensor(array: NDArray[np.generic]) -> Tensor:
    """(1, c, h, w) float32 of (h, w, c) or (h, w); bytes become 0 .. 1, booleans 0 or 1."""
    planes = torch.from_numpy(np.ascontiguousarray(array))
    planes = planes[None, None] if planes.ndim == 2 else planes.permute(2, 0, 1)[None]
    return planes.float() / 255 if array.dtype == np.uint8 else planes.float()


def padded(planes: Tensor) -> Tensor:
    """(b, c, h', w'): zeros at the right and below, up to multiples of `MULTIPLE`."""
    height, width = planes.shape[2:]
    return functional.pad(planes, (0, -width % MULTIPLE, 0, -height % MULTIPLE))


def check_window(planes: Tensor) -> None:
    """Raise InputError where the networks cannot work on a window like these planes (b, c, h, w)."""
    if not torch.onnx.is_in_onnx_export():  # sizes are symbols then
        check_size(*planes.shape[2:])
