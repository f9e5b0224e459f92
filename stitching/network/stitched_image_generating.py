"""SIGMo, the stitched image generating module: blend weight, gain of the target, and colours of holes."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import EIGHTH, QUARTER, SLOPE, Features
from stitching.network.pair_tensors import PairTensors, check_window
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.tensor_maps import push_pull, resize_like

MAX_GAIN = 4.0
_WIDTHS = 16, 32, 48, 96, 112  # channels at the full size, 1/2, 1/4, 1/8, 1/16
_GROUPS = 8  # of channels, for the norms
_HEAD_DEVIATION = 0.02  # of the heads' outputs at first: nearly 0, yet the layers before them get gradients


@dataclass(frozen=True, eq=False)
class Generated:
    """Fields that stitch b pairs, and the stitched pictures, float32. "Valid" is a target of >= MIN_COVERAGE."""

    weight: Tensor  # (b, 1, h, w) share of the reference, 0 .. 1; 1 where it alone is valid, 0 where it is not
    gain: Tensor  # (b, 3, h, w) what the target's BGR is multiplied with, 1/4 .. 4, smooth: from 1/8 of the size
    fill: Tensor  # (b, 3, h, w) BGR 0 .. 1, of low frequency (computed at 1/4): colour of holes
    stitched: Tensor  # (b, 3, h, w) BGR >= 0: weight reference + (1 - weight) target gain where valid, fill in holes


class StitchedImageGenerating(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from the full size to 1/16, steered by the backbone's features.

    Kweon et al. 2023 let a generator draw the stitched picture. Here only weight, gain and fill leave the network, so
    nothing can be blurred or invented: where the reference alone is valid the stitch is the reference, bit for bit;
    where the target alone is valid it is the target times the smooth gain. The weight is computed at the full size, so
    it may be as sharp as a seam; the coverage of the target multiplies its odds.

    The gain is estimated where both are valid, and extrapolated smoothly: where the target alone is valid nothing says
    what it should be.

    Before training the weight is about 1/2, the gain 1 and the fill the mean of the colours around.
    """

    def __init__(self, backbone_channels: tuple[int, int] = (QUARTER, EIGHTH)) -> None:
        super().__init__()
        full, half, quarter, eighth, sixteenth = _WIDTHS
        self.stem = nn.Conv2d(11, full, 3, 1, 1)
        self.to_half = _Down(full, half)
        self.to_quarter = _Down(half, quarter, 2 * backbone_channels[0])
        self.to_eighth = _Down(quarter, eighth, 2 * backbone_channels[1])
        self.to_sixteenth = _Down(eighth, sixteenth)
        self.deepest = _convolution(sixteenth)
        self.up_to_eighth = _Up(sixteenth, eighth)
        self.up_to_quarter = _Up(eighth, quarter)
        self.up_to_half = _Up(quarter, half)
        self.up_to_full = _Up(half, full)
        self.weight = _head(full, 1)
        self.gain = _head(eighth, 3)
        self.fill = _head(quarter, 3)

    def forward(self, inputs: PairTensors, reference_features: Features, target_features: Features) -> Generated:
        """The stitch and its fields.

        Args:
            inputs: pairs with warped targets.
            reference_features, target_features: of the pictures in `inputs`, from the backbone.

        Raises InputError where h or w is no multiple of 8 or below 32: pad the window with pixels that are not valid.
        """
        check_window(inputs.reference)
        reference, target = inputs.reference.float(), inputs.target.float()
        valid = inputs.reference_valid.float()
        covered = torch.where(inputs.target_valid >= MIN_COVERAGE, inputs.target_valid, 0).float()
        inputs = PairTensors(reference, target, valid, covered)
        logit, log_gain, tint = self._heads(inputs, reference_features, target_features)
        weight = _weight(logit, valid, covered)
        log_gain = _extrapolate_gain(log(MAX_GAIN) * torch.tanh(log_gain), valid * (covered > 0))
        gain = resize_like(log_gain, reference).exp()
        blended = weight * reference + (1 - weight) * target * gain
        fill = resize_like(_tint(_mean_colours(blended.detach(), valid, covered), tint), blended)
        return Generated(weight, gain, fill, torch.where((valid > 0) | (covered > 0), blended, fill))

    def _heads(
        self, inputs: PairTensors, reference_features: Features, target_features: Features
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs of the heads, float32: weight (b, 1, h, w), gain (b, 3, h / 8, w / 8), fill (b, 3, h / 4, w / 4)."""
        reference, target = inputs.reference, inputs.target
        valid, covered = inputs.reference_valid, inputs.target_valid
        difference = (reference - target).abs() * valid * covered
        centred = (reference - 0.5) * 2 * valid, (target - 0.5) * 2 * covered
        full = functional.leaky_relu(self.stem(torch.cat([*centred, 4 * difference, valid, covered], dim=1)), SLOPE)
        half = self.to_half(full)
        quarter = self.to_quarter(half, torch.cat([reference_features.quarter, target_features.quarter], dim=1))
        eighth = self.to_eighth(quarter, torch.cat([reference_features.eighth, target_features.eighth], dim=1))
        eighth = self.up_to_eighth(self.deepest(self.to_sixteenth(eighth)), eighth)
        quarter = self.up_to_quarter(eighth, quarter)
        full = self.up_to_full(self.up_to_half(quarter, half), full)
        return self.weight(full).float(), self.gain(eighth).float(), self.fill(quarter).float()


class _Down(nn.Module):
    """Two convolutions to half of the size; `joined` channels of the backbone's features are added between them."""

    def __init__(self, before: int, channels: int, joined: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, channels, 3, 2, 1, bias=False)
        self.norm = _GroupNorm(_GROUPS, channels)
        self.join = nn.Conv2d(joined, channels, 1) if joined else None
        self.second = _convolution(channels)

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """(b, before, h, w), (b, joined, ceil(h / 2), ceil(w / 2)) -> (b, channels, ceil(h / 2), ceil(w / 2))."""
        y: Tensor = self.norm(self.first(x))
        if self.join is not None:
            y = y + self.join(features)
        result: Tensor = self.second(functional.leaky_relu(y, SLOPE))
        return result


class _GroupNorm(nn.GroupNorm):
    """Group norm whose gradient does not take torch's slow path on a CPU, that of tensors with the channels last."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same shape."""
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)
        return super().forward(x)


class _Up(nn.Module):
    """Coarse features, enlarged and added to finer ones, and a convolution."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(before, channels, 1)
        self.mix = _convolution(channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(b, before, ceil(h / 2), ceil(w / 2)), (b, channels, h, w) -> (b, channels, h, w)."""
        result: Tensor = self.mix(skip + resize_like(self.narrow(x), skip))
        return result


def _convolution(channels: int) -> nn.Sequential:
    """(b, channels, h, w) -> the same shape.

    Group norm (Wu & He 2018), so that a picture's result does not depend on its batch.
    """
    first = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
    return nn.Sequential(first, _GroupNorm(_GROUPS, channels), nn.LeakyReLU(SLOPE))


def _head(before: int, channels: int) -> nn.Conv2d:
    head = nn.Conv2d(before, channels, 3, 1, 1)
    nn.init.normal_(head.weight, std=_HEAD_DEVIATION / (9 * before) ** 0.5)
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
    return head


def _weight(logit: Tensor, valid: Tensor, covered: Tensor) -> Tensor:
    """The reference's share: of odds e^logit valid / covered where both are valid; exactly 0 or 1 elsewhere."""
    both = (valid > 0) & (covered > 0)
    reference, target = torch.sigmoid(logit) * valid, torch.sigmoid(-logit) * covered
    return torch.where(both, reference / torch.where(both, reference + target, 1), (valid > 0).to(logit.dtype))


def _extrapolate_gain(log_gain: Tensor, both: Tensor) -> Tensor:
    """(b, 3, h / 8, w / 8): the gain where both pictures are valid, continued smoothly elsewhere."""
    return push_pull(log_gain, functional.avg_pool2d(both.to(log_gain.dtype), 8))


def _mean_colours(picture: Tensor, valid: Tensor, covered: Tensor) -> Tensor:
    """(b, 3, h / 4, w / 4) means of the valid pixels of a picture (b, 3, h, w), continued smoothly over the holes."""
    known = ((valid > 0) | (covered > 0)).to(picture.dtype)
    share = functional.avg_pool2d(known, 4)
    return push_pull(functional.avg_pool2d(picture * known, 4) / share.clamp_min(1e-6), share)


def _tint(picture: Tensor, tint: Tensor) -> Tensor:
    """A picture with its odds, value / (1 - value), times e^tint: any colour within 0 .. 1 can be reached."""
    return torch.sigmoid(torch.logit(picture, eps=0.02) + tint)
