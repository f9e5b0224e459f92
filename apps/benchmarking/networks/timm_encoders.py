"""Image encoders of timm as trunks: features of several depths, brought to one size and joined."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.benchmarking.networks.small_trunk import conv_norm
from stitching.errors import InputError, one_line, require

FEATURES = 128
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB, what ImageNet weights expect
_TAPS = 2, 5, 8  # after blocks 3, 6 and 9 of a ViT, and after the last one's norm


class EncoderTrunk(nn.Module):
    """Images (b, 3, h, w) BGR -> features (b, FEATURES, h / n, w / n), n that of the encoder's finest features.

    encoder: normalised RGB -> features (b, c, h / n, w / n), finest first. channels: of all of them together.
    """

    features = FEATURES

    def __init__(self, encoder: nn.Module, channels: int) -> None:
        super().__init__()
        self.encoder, self.join = encoder, conv_norm(channels, FEATURES, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        mean, std = (images.new_tensor(rgb)[:, None, None] for rgb in (_MEAN, _STD))
        levels = self.encoder((images.flip(1) - mean) / std)
        size = levels[0].shape[-2:]
        resized = [functional.interpolate(level, size=size, mode="bilinear", align_corners=False) for level in levels]
        return functional.relu(self.join(torch.cat(resized, 1)))


class TappedViT(nn.Module):
    """A vision transformer of timm -> tokens after some blocks, and normalised ones after the last, as planes."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, images: Tensor) -> list[Tensor]:
        """Each (b, c, h / 16, w / 16)."""
        last, planes = self.transformer.forward_intermediates(images, indices=list(_TAPS))
        tokens = last[:, self.transformer.num_prefix_tokens :]
        return [*planes, tokens.transpose(1, 2).reshape(planes[0].shape)]  # (b, n, c) -> (b, c, h, w)


def _create(name: str, **options: object) -> Any:
    if find_spec("timm") is None:
        raise InputError("--network: ResNet, HRNet and ViT are timm's: pip install 'parastitch[encoders]'")
    try:
        from timm import create_model
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
        raise InputError(
            f"--network: timm cannot be used ({one_line(error)}); install torch and torchvision that fit each other"
        ) from error
    try:
        return create_model(name, **options)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--network: the weights of timm's {name} cannot be had ({one_line(error)}); it downloads them once, or "
            "choose a network without -imagenet"
        ) from error


def _pyramid(name: str, pretrained: bool) -> EncoderTrunk:
    encoder = _create(name, pretrained=pretrained, features_only=True, out_indices=(1, 2, 3, 4))
    return EncoderTrunk(encoder, sum(encoder.feature_info.channels()))


def _vit(name: str, pretrained: bool) -> EncoderTrunk:
    options = {"num_classes": 0, "dynamic_img_size": True, "drop_path_rate": 0.15}
    transformer = _create(name, pretrained=pretrained, **options)
    return EncoderTrunk(TappedViT(transformer), (len(_TAPS) + 1) * transformer.embed_dim)


_KINDS: dict[str, tuple[Callable[[str, bool], EncoderTrunk], str]] = {
    "resnet18": (_pyramid, "resnet18"),
    "hrnet18": (_pyramid, "hrnet_w18"),
    "vit-tiny": (_vit, "vit_tiny_patch16_384"),
}


def _opener(build: Callable[[str, bool], EncoderTrunk], name: str, pretrained: bool) -> Callable[[int], EncoderTrunk]:
    def open_trunk(channels: int) -> EncoderTrunk:
        require(channels == 3, f"--network of timm, pictures of {channels} channels", "3; small or segnet takes others")
        return build(name, pretrained)

    return open_trunk


# NAME begins with random weights, NAME-imagenet with those that timm downloads.
ENCODERS = {
    name + suffix: _opener(build, model, pretrained)
    for name, (build, model) in _KINDS.items()
    for suffix, pretrained in (("", False), ("-imagenet", True))
}
