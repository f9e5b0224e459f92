"""JPEG's loss without its file: pictures in YCbCr, rounded in the cosine transform of blocks of 8 x 8 px.

Formulas and tables: ITU-T T.81 (1992), annexes A and K; the scale of the tables by quality: libjpeg. Colours keep
their full resolution, and the shift by 128 before the transform is left out, which changes how means are rounded.
"""

import torch
from torch import Tensor

_SIDE = 8
_TO_YCBCR = ((0.114, 0.587, 0.299), (0.5, -0.331264, -0.168736), (-0.081312, -0.418688, 0.5))  # of B, G, R
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip


def compress(pictures: Tensor, quality: Tensor) -> Tensor:
    """Pictures (b, 3, h, w) BGR, 0 .. 1, after compression; h and w are multiples of 8.

    quality: (b,) 1 .. 100, on the CPU; 0: the picture stays as it is.
    """
    chosen = quality.nonzero()[:, 0]
    if len(chosen) == 0:
        return pictures
    device = pictures.device
    tables = _tables(quality[chosen]).to(device)[:, :, None]  # (n, 3, 1, 64)
    to_ycbcr = torch.tensor(_TO_YCBCR, device=device)
    transform = _cosine_transform().to(device)  # (64, 64)
    chosen = chosen.to(device)
    n, (h, w) = len(chosen), pictures.shape[2:]
    grid = n, 3, h // _SIDE, w // _SIDE, _SIDE, _SIDE
    colours = torch.einsum("yc,nchw->nyhw", to_ycbcr, pictures[chosen] * 255)
    blocks = colours.view(n, 3, grid[2], _SIDE, grid[3], _SIDE).transpose(3, 4).reshape(n, 3, -1, _SIDE * _SIDE)
    rounded = (blocks @ transform.T / tables).round() * tables
    blocks = (rounded @ transform).view(grid).transpose(3, 4).reshape(n, 3, h, w)
    restored = torch.einsum("cy,nyhw->nchw", torch.linalg.inv(to_ycbcr), blocks) / 255
    return pictures.index_copy(0, chosen, restored.clamp(0, 1))


def _tables(quality: Tensor) -> Tensor:
    """(n, 3, 64) steps of Y, Cb, Cr in rows of a block's coefficients; quality (n,)."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    base = torch.tensor([_LUMINANCE, _CHROMINANCE, _CHROMINANCE], dtype=torch.float32)
    return ((base * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)


def _cosine_transform() -> Tensor:
    """(64, 64) coefficients of a block from its pixels, both in rows; orthonormal."""
    k = torch.arange(_SIDE, dtype=torch.float64)
    rows = torch.cos((2 * k + 1) * k[:, None] * torch.pi / (2 * _SIDE)) * (2 / _SIDE) ** 0.5
    rows[0] /= 2**0.5
    return torch.kron(rows, rows).float()
