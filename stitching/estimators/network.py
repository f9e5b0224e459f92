"""Our trained network as an estimator of the warp."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stitching.estimators.classical import OUTSIDE_CONFIDENCE, classical_on_plane
from stitching.fields import Field, Mask, bounding_box, enlarge
from stitching.network.inputs import PairTensors, Start, padded, to_tensor
from stitching.network.network import StitchingNetwork
from stitching.network.pixelwise_warping import PixelwiseWarp, kept
from stitching.warp import CanvasPair, Warp, found_back

AREA = 0.082e6  # px at which the network looks at the target and what lies around it: as in its training
MARGIN = 12  # px of the canvas around the target


@dataclass(frozen=True)
class NetworkEstimator:
    """The warp by PWM, at the size that it was trained for; fine detail comes from the start.

    With "classical", what the classical warp is sure of stays, and the network moves the rest: what is hidden, and
    what the reference does not show. "refined" looks at matches for that, too. With "matches", all comes from the
    network.
    """

    network: StitchingNetwork
    start: Literal["classical", "refined", "matches"] = "classical"

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""
        begun = classical_on_plane(pair) if self.start != "matches" else None
        trusted = found_back(begun, pair) if begun is not None else np.zeros_like(pair.overlap)
        box = bounding_box(pair.target_seen, MARGIN)
        crop = _Crop.of(pair, box)
        start = None if begun is None else crop.start(begun.residual[box], trusted[box])
        with torch.inference_mode():
            steps = self.network.warping.steps if self.start == "refined" else None
            found = self.network.warp(crop.tensors, start, steps)
        residual = np.zeros((*pair.target_seen.shape, 2), np.float32) if begun is None else begun.residual.copy()
        residual[box] = crop.residual(found)
        if begun is not None:
            residual[box] = _kept(begun.residual[box], trusted[box], residual[box])
        visible = np.zeros(pair.target_seen.shape, np.float32)
        visible[box] = crop.visibility(found)
        confidence = np.where(pair.overlap, np.maximum(visible, trusted), OUTSIDE_CONFIDENCE).astype(np.float32)
        return Warp(residual, confidence)


@dataclass(frozen=True, eq=False)
class _Crop:
    """A part of a canvas, made as small as the network wants it."""

    tensors: PairTensors
    size: tuple[int, int]  # (w, h) of the part on the canvas
    small: tuple[int, int]  # (w, h) of the small copy, before it was padded

    @classmethod
    def of(cls, pair: CanvasPair, box: tuple[slice, slice]) -> "_Crop":
        h, w = pair.target_seen[box].shape
        scale = min(1.0, float(np.sqrt(AREA / (w * h))))
        small = max(32, round(w * scale)), max(32, round(h * scale))
        drawn = [cv2.resize(p[box], small, interpolation=cv2.INTER_AREA) for p in (pair.reference, pair.target)]
        seen = [_shrunk(mask[box].astype(np.float32), small) > 0.5 for mask in (pair.reference_seen, pair.target_seen)]
        pictures = [p * mask[..., None] for p, mask in zip(drawn, seen, strict=True)]
        planes = [padded(to_tensor(plane)) for plane in (*pictures, *seen)]
        return cls(PairTensors(*planes), (w, h), small)

    def start(self, residual: Field, trusted: Mask) -> Start:
        """The mean of what is trusted, where there is any."""
        weight = trusted.astype(np.float32)
        share, trusted_mean, mean = (_shrunk(f, self.small) for f in (weight, residual * weight[..., None], residual))
        small = np.where(share[..., None] > 0.1, trusted_mean / np.maximum(share, 0.1)[..., None], mean) * self._scale
        return Start(padded(to_tensor(small.astype(np.float32))), padded(to_tensor(share)))

    def residual(self, found: PixelwiseWarp) -> Field:
        """What the network answers, (h, w, 2) on the canvas."""
        small = found.free[0, :, : self.small[1], : self.small[0]].permute(1, 2, 0).numpy()  # (h, w, 2)
        return enlarge(np.ascontiguousarray(small / self._scale, np.float32), self.size)

    def visibility(self, found: PixelwiseWarp) -> NDArray[np.float32]:
        """(h, w) 0 .. 1."""
        small = torch.sigmoid(found.visibility)[0, 0, : self.small[1], : self.small[0]].numpy()
        return enlarge(np.ascontiguousarray(small), self.size)

    @property
    def _scale(self) -> NDArray[np.float32]:
        """(2,) px of the small copy in a px of the canvas, x and y."""
        return np.asarray(np.array(self.small) / np.array(self.size), np.float32)


def _shrunk(field: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _kept(begun: Field, trusted: Mask, residual: Field) -> Field:
    """What is trusted stays."""
    start = Start(to_tensor(begun), to_tensor(trusted))
    return np.ascontiguousarray(kept(start, to_tensor(residual))[0].permute(1, 2, 0).numpy())  # (h, w, 2)
