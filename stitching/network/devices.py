"""Devices that torch computes on."""

import torch

from stitching.errors import require
from stitching.network.interface import Device


def choose_device(device: Device) -> str:
    """cpu or cuda, where a network computes; auto: a GPU where there is one. Raises InputError as `require_device`."""
    if device != "auto":
        require_device(device)
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def require_device(device: str) -> None:
    """Raise InputError where `device` is neither cpu nor a GPU of this machine: cuda, cuda:1."""
    kind, _, number = device.partition(":")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpu = kind == "cuda" and count > 0 and (device == "cuda" or (number.isdecimal() and int(number) < count))
    known = f"cpu, cuda, or cuda:N with N below {count}" if count else "cpu; torch finds no GPU here"
    require(device == "cpu" or gpu, f"--device {device}", known)
