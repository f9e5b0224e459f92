"""Devices that torch computes on."""

import torch

from stitching.errors import InputError


def require_device(device: str) -> None:
    """Raise InputError where this machine lacks a device: cpu, cuda, cuda:1, or auto, which is always there."""
    if device not in ("auto", "cpu") and not torch.cuda.is_available():
        raise InputError(f"--device {device}: this machine has no such device; use --device cpu")
