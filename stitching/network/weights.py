"""Files of weights: safetensors with metadata about their network, without pickled objects."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stitching.errors import InputError
from stitching.io.files import AnyPath, atomic_write, check_readable, check_writable
from stitching.network.stitching_network import StitchingNetwork

PWM = "pwm"

_FORMAT, _VERSION = "parastitch-weights", 1
_MAX_NAMES = 3  # differing tensors that an error names


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights of a network."""

    name: str  # path of the file
    weights: dict[str, Tensor]  # as in the module's state_dict, on the CPU
    architecture: dict[str, Any]  # the facts that save_weights got

    @property
    def flow(self) -> str:
        """What estimates the warp: pwm, or ptlflow:MODEL."""
        return str(self.architecture.get("flow", PWM))

    def require_pwm(self) -> None:
        """Raise InputError where these are weights of another flow network."""
        if self.flow != PWM:
            raise InputError(f"{self.name} holds the flow network {self.flow}; use --warp {self.flow}:{self.name}")


def save_weights(path: AnyPath, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write weights, each with its dtype, as safetensors: atomically: on an error the old file stays.

    facts: anything that JSON holds: the network's configuration, what it was trained on, the step.
    Raises InputError where no file can be written at `path`, JobError where writing fails.
    """
    check_writable(path)
    # Copies: safetensors takes neither strides nor two names of one storage.
    copies = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}
    copies = {name: copy.cpu() for name, copy in copies.items()}
    architecture = json.dumps(dict(facts), allow_nan=False)
    metadata = {
        "format": _FORMAT,
        "version": str(_VERSION),
        "architecture": architecture,
        "crc32": str(_checksum(copies, architecture)),  # safetensors has none of its own
    }
    encoded = save(copies, metadata)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded)


def load_weights(path: AnyPath) -> Checkpoint:
    """Read what save_weights wrote.

    Raises InputError where the file cannot be read, is damaged or cut short, is of another format (pickled weights,
    for example, which are never opened) or of another version of this one.
    """
    name = str(path)
    check_readable(path, "a .safetensors file")
    try:
        with Path(path).open("rb") as file:
            head = file.read(2)
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            weights = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118 - it is no dict
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}; expected a .safetensors file") from error
    except SafetensorError as error:
        if head.startswith((b"PK", b"\x80")):  # zip and plain: how torch.save begins
            raise InputError(
                f"{name}: pickled weights, which could run code when opened; save them as safetensors"
            ) from error
        raise InputError(f"{name}: not a safetensors file, or damaged or cut short ({error}); copy it again") from error
    check_format(name, metadata.get("format"), metadata.get("version"), _FORMAT, _VERSION)
    try:
        architecture, checksum = dict(json.loads(metadata["architecture"])), metadata["crc32"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: damaged, its metadata lacks the architecture; copy it again") from error
    if checksum != str(_checksum(weights, metadata["architecture"])):
        raise InputError(f"{name}: damaged, its content has changed since it was written; copy it again")
    return Checkpoint(name, weights, architecture)


def is_weights_file(metadata: Mapping[str, str] | None) -> bool:
    """Whether the metadata of a .safetensors file are those of save_weights."""
    return (metadata or {}).get("format") == _FORMAT


def check_fits(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Raise InputError where the weights are not those of such a module: other names or other shapes."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}
    differences = {
        "missing": [name for name in wanted if name not in found],
        "unknown": [name for name in found if name not in wanted],
        "of another shape": [
            f"{name} {found[name]} for {shape}"
            for name, shape in wanted.items()
            if name in found and found[name] != shape
        ],
    }
    messages = [f"{len(names)} {kind}: {_first(names)}" for kind, names in differences.items() if names]
    if not messages:
        return
    if checkpoint.architecture.get("network") == type(module).__name__ and checkpoint.flow == PWM:
        raise InputError(
            f"{checkpoint.name}: weights of another version of Parastitch, an earlier one mostly, whose network was "
            f"built otherwise ({messages[0]}); train them anew, or use the version that wrote them"
        )
    raise InputError(
        f"{checkpoint.name}: weights of {json.dumps(checkpoint.architecture)} do not fit {type(module).__name__}, "
        f"{'; '.join(messages)}; choose the weights or the configuration that belong together"
    )


def load_into(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy the weights into the module. Raises InputError, without a change, if they do not fit."""
    check_fits(module, checkpoint)
    module.load_state_dict(checkpoint.weights)


def open_network(path: AnyPath) -> StitchingNetwork:
    """The network of a file that `parastitch train` wrote, in evaluation mode.

    Raises InputError as `load_weights`, and where the file holds another flow network than PWM.
    """
    checkpoint, network = load_weights(path), StitchingNetwork()
    checkpoint.require_pwm()
    load_into(network, checkpoint)
    return network.eval()


def check_format(name: str, format_: object, version: object, expected: str, readable: int) -> None:
    """Raise InputError where a file has another format or version than expected."""
    if format_ != expected:
        raise InputError(f"{name}: format {format_!r}; expected {expected!r}, a file that parastitch train wrote")
    if str(version) != str(readable):
        raise InputError(
            f"{name}: version {version} of its format; this program reads version {readable}, "
            "use the program that wrote the file"
        )


def _checksum(weights: Mapping[str, Tensor], architecture: str) -> int:
    """CRC-32 of the architecture and of the tensors' names and bytes, in the order of their names."""
    checksum = zlib.crc32(architecture.encode())
    for name in sorted(weights):
        content = weights[name].reshape(-1).view(torch.uint8)  # any shape -> (bytes,)
        checksum = zlib.crc32(content.numpy().data, zlib.crc32(name.encode(), checksum))
    return checksum


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
