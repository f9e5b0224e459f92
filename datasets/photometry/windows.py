"""Photometry of two cameras on batches of windows, on any device: as datasets.photometry.pictures, but stronger."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from datasets.photometry.block_compression import compress

_STRONG = 0.3  # share of pictures whose looks are drawn from wide ranges
_STOPS = 0.3  # mean exposure: limits, vignetting and contrast darken, and photographs are brighter than scenes
_MAX_CLIPPED = 0.1  # share of a picture's values that the exposure may saturate
_MIN_MEDIAN = 0.17  # sRGB value; no exposure takes the median below it
_SRGB_EXPONENT = 2.2  # light is about the sRGB value to that power: a factor on one is a factor on the other
_BLUR_RADIUS = 5  # px of the kernel
_LUMINANCE = 0.114, 0.587, 0.299  # of B, G, R


@dataclass(frozen=True, eq=False)
class Windows:
    """Pictures of b pairs on their windows, (b, 3, h, w) BGR, 0 .. 1; h and w are multiples of 8."""

    reference: Tensor
    target: Tensor
    stitched: Tensor
    reference_valid: Tensor  # (b, 1, h, w) 0 or 1; the reference is black where it is 0
    target_valid: Tensor  # (b, 1, h, w)


@dataclass(frozen=True, eq=False)
class Looks:
    """Photometric parameters of b pictures, (b, 1, 1, 1) each but for `factors`."""

    factors: Tensor  # (b, 3, 1, 1) on sRGB values of B, G, R: exposure and white balance
    saturation: Tensor  # 0: grey, 1: unchanged
    gamma: Tensor  # exponent on sRGB values in [0, 1]; above 1 is darker
    contrast: Tensor  # -0.5 .. 0.8: how much of an S-curve; 0: none
    vignetting: Tensor  # share of the light lost in the corners
    blur: Tensor  # px, sigma of a Gaussian, up to 2
    noise: Tensor  # sRGB values, sigma of a Gaussian, independent in each channel
    jpeg_quality: Tensor  # 1 .. 100, on the CPU; 0: not compressed


@torch.no_grad()
def photograph_windows(clean: Windows, generator: torch.Generator) -> Windows:
    """Apply a random look to every picture; the true stitch gets the reference's tone only.

    generator: on the CPU. Its state decides everything, up to the noise, which differs between kinds of devices.
    """
    reference_looks = draw_looks(clean.reference, clean.reference_valid, generator)
    target_looks = draw_looks(clean.target, clean.target_valid, generator)
    return Windows(
        apply_looks(clean.reference, clean.reference_valid, reference_looks, generator),
        apply_looks(clean.target, clean.target_valid, target_looks, generator),
        apply_tones(clean.stitched, reference_looks),
        clean.reference_valid,
        clean.target_valid,
    )


def draw_looks(pictures: Tensor, valid: Tensor, generator: torch.Generator) -> Looks:
    """Random looks for pictures (b, 3, h, w), whose brightness limits the exposure."""
    count = len(pictures)

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(count, channels, 1, 1, generator=generator)

    def normal(sigma: float, limit: float) -> Tensor:
        return (sigma * torch.randn(count, 1, 1, 1, generator=generator)).clamp(-limit, limit)

    strong = uniform(0, 1) < _STRONG

    def drawn(mild: Tensor, wide: Tensor) -> Tensor:
        return torch.where(strong, wide, mild).to(pictures.device)

    exposure = 2 ** ((_STOPS + drawn(normal(0.5, 1.5), normal(0.9, 2.2))) / _SRGB_EXPONENT)
    balance = drawn(uniform(0.9, 1.1, 3), uniform(0.75, 1.33, 3)) ** (1 / _SRGB_EXPONENT)
    quality = torch.where(strong, uniform(40, 98), uniform(70, 98))
    return Looks(
        factors=_limited(exposure, pictures, valid) * balance / balance[:, 1:2],
        saturation=drawn(uniform(0.55, 1.1), uniform(0.2, 1.3)),
        gamma=drawn(normal(0.08, 0.22).exp(), normal(0.16, 0.4).exp()),
        contrast=drawn(normal(0.1, 0.3), uniform(-0.4, 0.7)),
        vignetting=drawn(uniform(0, 0.35), uniform(0, 0.5)),
        blur=drawn(normal(0.5, 1.5).abs(), normal(0.9, 2.0).abs()),
        noise=drawn(normal(2.0, 6.0).abs(), normal(4.0, 12.0).abs()) / 255,
        jpeg_quality=torch.where(uniform(0, 1) < 0.8, quality, 0),
    )


def apply_looks(pictures: Tensor, valid: Tensor, looks: Looks, generator: torch.Generator) -> Tensor:
    """Pictures (b, 3, h, w) with blur, vignetting, tone, noise and JPEG compression; black where not valid.

    generator: as for `photograph_windows`.
    """
    height, width = pictures.shape[2:]
    result = apply_tones(_blurred(pictures, valid, looks.blur) * _vignette(looks.vignetting, height, width), looks)
    noise = torch.Generator(pictures.device)
    noise.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    result += looks.noise * torch.randn(result.shape, generator=noise, device=result.device)
    return compress(result.clamp_(0, 1), looks.jpeg_quality.flatten()) * valid


def apply_tones(pictures: Tensor, looks: Looks) -> Tensor:
    """Pictures (b, 3, h, w) with saturation, exposure, white balance, gamma and contrast; black stays black.

    These depend on the colour of a pixel only.
    """
    weights = pictures.new_tensor(_LUMINANCE).view(1, 3, 1, 1)
    grey = (pictures * weights).sum(1, keepdim=True)
    toned = torch.lerp(grey, pictures, looks.saturation).mul_(looks.factors).clamp_(0, 1).pow_(looks.gamma)
    curved = toned * toned * (3 - 2 * toned)
    return torch.lerp(toned, curved, looks.contrast)


def _limited(exposure: Tensor, pictures: Tensor, valid: Tensor) -> Tensor:
    """The exposure (b, 1, 1, 1) kept from making a picture too dark or saturated; 1 is always allowed."""
    values = torch.where(valid[..., ::4, ::4] > 0, pictures[..., ::4, ::4], torch.nan).flatten(1)  # (b, n)
    middle, bright = torch.nanquantile(values, values.new_tensor([0.5, 1 - _MAX_CLIPPED]), dim=1)
    lowest, highest = (_MIN_MEDIAN / middle).clamp_max(1), (1 / bright).clamp_min(1)
    limited = torch.minimum(torch.maximum(exposure.flatten(), lowest.nan_to_num(1)), highest.nan_to_num(1))
    return limited.view(-1, 1, 1, 1)


def _vignette(strength: Tensor, height: int, width: int) -> Tensor:
    """(b, 1, h, w) factors on sRGB values: light falls with the square of the distance from the centre."""
    y, x = (torch.linspace(-1, 1, side, device=strength.device) for side in (height, width))
    distance2 = (y[:, None] ** 2 * height**2 + x**2 * width**2) / (height**2 + width**2)  # 1 in the corners
    return (1 - strength * distance2) ** (1 / _SRGB_EXPONENT)


def _blurred(pictures: Tensor, valid: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of the valid pixels, of sigma (b, 1, 1, 1) px each."""
    count, channels = len(pictures), 4
    steps = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=sigma.device)
    kernel = torch.exp(-0.5 * (steps / sigma.view(-1, 1).clamp_min(0.1)) ** 2)  # (b, 11)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # (b channels, 11)
    layers = torch.cat([pictures * valid, valid], 1).flatten(0, 1)[None]  # (1, b channels, h, w)
    groups = count * channels
    layers = conv2d(layers, kernel[:, None, None], padding=(0, _BLUR_RADIUS), groups=groups)
    layers = conv2d(layers, kernel[:, None, :, None], padding=(_BLUR_RADIUS, 0), groups=groups)
    layers = layers.view(count, channels, *pictures.shape[2:])
    return layers[:, :3] / layers[:, 3:].clamp_min(1e-6)
