"""How much tasks conflict: angles between, and lengths of, the gradients of their losses on what they share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from math import nan

import torch
from torch import Tensor, nn

SharedLayers = Mapping[str, Sequence[nn.Parameter]]  # by name, in the order of the network


@dataclass(frozen=True)
class GradientConflict:
    """The tasks' gradients at one moment of a training; lists hold the whole trunk first, then each layer.

    Attributes:
        progress: share of the training that was done.
        cosines: by pair of tasks, "A / B"; NaN where a gradient is 0.
        lengths: by task.
    """

    progress: float
    cosines: Mapping[str, Sequence[float]]
    lengths: Mapping[str, Sequence[float]]


def group_by_layer(named: Iterable[tuple[str, nn.Parameter]], shared: Iterable[nn.Parameter]) -> SharedLayers:
    """Each weight that is shared, by the name of its module, with the biases and norms after it.

    named: all parameters of the trunk, in its order.
    """
    wanted, layers = set(shared), dict[str, list[nn.Parameter]]()
    for name, parameter in named:
        if parameter not in wanted or not parameter.requires_grad:
            continue
        if parameter.ndim > 1 or not layers:
            layers[name.rpartition(".")[0]] = []
        next(reversed(layers.values())).append(parameter)
    return layers


def measure_conflict(progress: float, layers: SharedLayers, losses: Mapping[str, Tensor]) -> GradientConflict:
    """The conflict of losses, each (), that were computed in one forward pass; `.grad` stays as it is."""
    parameters = [parameter for group in layers.values() for parameter in group]
    gradients = [
        torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True) for loss in losses.values()
    ]
    products, start = [], 0
    for group in layers.values():
        end = start + len(group)
        rows = [torch.cat([g.double().flatten() for g in of_task[start:end]]) for of_task in gradients]
        matrix = torch.stack(rows)  # (tasks, numbers of the layer)
        products.append((matrix @ matrix.T).cpu())
        start = end
    products.insert(0, torch.stack(products).sum(0))  # (layers, tasks, tasks) -> (tasks, tasks)
    lengths = [product.diag().sqrt() for product in products]
    tasks = list(losses)
    cosines = {
        f"{tasks[i]} / {tasks[k]}": [_ratio(p[i, k], n[i] * n[k]) for p, n in zip(products, lengths, strict=True)]
        for i, k in combinations(range(len(tasks)), 2)
    }
    return GradientConflict(progress, cosines, {
        task: [_short(float(n[k])) for n in lengths] for k, task in enumerate(tasks)
    })  # fmt: skip


def _ratio(product: Tensor, lengths: Tensor) -> float:
    return _short(float(product / lengths)) if lengths > 0 else nan


def _short(value: float) -> float:
    """Four digits, enough for a distribution."""
    return float(f"{value:.4g}")


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Whatever runs the network here leaves no trace: neither in running statistics nor in random numbers."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        with torch.random.fork_rng():
            yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])
