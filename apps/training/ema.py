"""The moving average of a network's weights, which is what is shipped: it stitches better than the last weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stitching.errors import InputError


class MovingAverage:
    """Exponential moving average of the parameters of a module; its buffers are copied.

    Update n = 0, 1, ... moves the average by average <- d * average + (1 - d) * weights, with
    d = min(decay, (1 + n) / (10 + n)): at first it follows quickly, so that the random start is soon forgotten.
    It is kept in at least 32 bits, on the module's device.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Start from the module's weights. Raises InputError where `decay` is not within 0 .. 1, 1 excluded."""
        if not 0 <= decay < 1:
            raise InputError(f"decay {decay} of the weights' average: expected at least 0 and below 1")
        self._decay = decay
        self._updates = 0
        self._dtypes = {name: tensor.dtype for name, tensor in module.state_dict().items()}
        self._weights = {
            name: (tensor.detach().to(_precise(tensor.dtype)) if _averaged(tensor) else tensor.detach()).clone()
            for name, tensor in module.state_dict(keep_vars=True).items()
        }

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the module's weights; call it after each step of the optimizer. The module is the one averaged."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for name, tensor in module.state_dict(keep_vars=True).items():
            average = self._weights[name]
            if _averaged(tensor):
                average.lerp_(tensor.to(average.dtype), 1 - decay)
            else:
                average.copy_(tensor)
        self._updates += 1

    def weights(self) -> dict[str, Tensor]:
        """A copy, names and dtypes as in the module's state_dict."""
        return {name: tensor.to(self._dtypes[name], copy=True) for name, tensor in self._weights.items()}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; the tensors are those that the next update changes."""
        return {"updates": self._updates, "weights": dict(self._weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what state_dict gave. Raises InputError where that was the average of another network."""
        shapes = {name: tensor.shape for name, tensor in self._weights.items()}
        if {name: tensor.shape for name, tensor in state["weights"].items()} != shapes:
            raise InputError("the saved average is of another network; resume with the network of the saved run")
        for name, tensor in state["weights"].items():
            self._weights[name].copy_(tensor)
        self._updates = int(state["updates"])


def _averaged(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and tensor.is_floating_point()


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
