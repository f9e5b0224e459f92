"""Connection strength: how much each task relies on each output channel of a shared layer (Jeong & Yoon 2024)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LINEAR = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, eq=False)
class Layer:
    """A shared convolution or linear layer with a norm for each task.

    Attributes:
        name: in the model.
        weight: (out, in, ...).
        norms: by task: batch norms of the layer's output, or layer norms of its input.
    """

    name: str
    weight: nn.Parameter
    norms: Mapping[str, nn.Module]


def find_layers(model: nn.Module, run: Callable[[], object]) -> list[Layer]:
    """The shared layers whose channels tasks can own, found by watching one forward pass.

    A layer is found where its output goes straight into a norm of each task, and that is a batch norm; or, as
    transformers have it, where its input comes straight from one, and that is a layer norm.

    Args:
        model: with task norms: modules that hold one norm for each task in `norms` (task_norm.TaskNorm is one).
        run: one forward pass of `model`, for any one task.

    Raises ValueError where no layer is found.
    """
    producers: dict[int, tuple[str, nn.Module]] = {}  # id of an output -> name and module that computed it
    found: list[Layer] = []
    for call in _record_calls(model, run):
        producer_name, producer = producers.get(id(call.input), ("", None))
        if isinstance(call.module, LINEAR) and _has_norms(producer, nn.LayerNorm):
            found.append(_layer(call.name, call.module, producer))
        elif _has_norms(call.module, *BATCH_NORMS) and isinstance(producer, LINEAR):
            found.append(_layer(producer_name, producer, call.module))
        producers[id(call.output)] = call.name, call.module
    layers = list({id(layer.weight): layer for layer in found}.values())  # a layer may run several times
    if not layers:
        raise ValueError("no shared layer has a norm for each task beside it; see mtl.task_norm.convert_to_task_norms")
    return layers


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a module; input and output are kept, so that their ids are not used again."""

    name: str
    module: nn.Module
    input: object
    output: object


def _record_calls(model: nn.Module, run: Callable[[], object]) -> list[_Call]:
    """The calls of linear layers and task norms during `run`, in order."""
    calls: list[_Call] = []

    def hook_of(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        return lambda module, inputs, output: calls.append(_Call(name, module, inputs[0], output))

    recorded = [(n, m) for n, m in model.named_modules() if isinstance(m, LINEAR) or _has_norms(m, nn.Module)]
    handles = [module.register_forward_hook(hook_of(name)) for name, module in recorded]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return calls


def connection_strengths(layer: Layer, tasks: Sequence[str]) -> Tensor:
    """(tasks, out) how strongly each task is connected to each output channel; the sum over the channels is 1.

    After a batch norm with scale g and running variance v of the task (Jeong & Yoon 2024, section 3.1):

        S_p = g_p^2 / (v_p + eps) * sum_q mean_mn W_pqmn^2,   divided by the sum over p

    Ours, for a linear layer behind a layer norm, whose scale belongs to the inputs: S_p = sum_q g_q^2 W_pq^2.
    """
    squared_weight, norms = layer.weight.detach().float().square(), [layer.norms[task] for task in tasks]
    squared_scales = torch.stack([_scale(norm) for norm in norms]).square()  # (tasks, out), of layer norms (tasks, in)
    if isinstance(norms[0], nn.LayerNorm):
        strengths = squared_scales @ squared_weight.flatten(1).T  # (tasks, in) @ (in, out)
    else:
        energy = squared_weight.sum(tuple(range(1, squared_weight.ndim))) / squared_weight[0, 0].numel()  # (out,)
        strengths = squared_scales / torch.stack([_variance(norm) for norm in norms]) * energy
    return strengths / strengths.sum(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def top_tasks(layer: Layer, tasks: Sequence[str]) -> Tensor:
    """(out,) int64: for each output channel the index in `tasks` of the one that is connected most strongly."""
    return connection_strengths(layer, tasks).argmax(0)


def channel_shares(layers: Sequence[Layer], tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Which task has priority where: by layer, the share of its channels on which each task is the top one."""
    shares = {}
    for layer in layers:
        owned = torch.bincount(top_tasks(layer, tasks), minlength=len(tasks)) / len(layer.weight)
        shares[layer.name] = dict(zip(tasks, owned.tolist(), strict=True))
    return shares


def _has_norms(module: nn.Module | None, *kinds: type[nn.Module]) -> bool:
    norms = getattr(module, "norms", None)
    return isinstance(norms, nn.ModuleDict) and all(isinstance(norm, kinds) for norm in norms.values())


def _layer(name: str, module: nn.Module, norm: nn.Module | None) -> Layer:
    weight, norms = module.weight, getattr(norm, "norms", None)
    assert isinstance(weight, nn.Parameter)
    assert isinstance(norms, nn.ModuleDict)
    return Layer(name, weight, dict(norms.items()))


def _scale(norm: nn.Module) -> Tensor:
    """(channels,) the norm's weight; ones where it has none."""
    scale = norm.weight
    if isinstance(scale, Tensor):
        return scale.detach().float().flatten()
    width = norm.normalized_shape if isinstance(norm, nn.LayerNorm) else (norm.num_features,)
    return torch.ones(width).flatten()  # type: ignore[arg-type]


def _variance(norm: nn.Module) -> Tensor:
    """(channels,) the running variance of a batch norm, and eps."""
    variance, eps = norm.running_var, norm.eps
    assert isinstance(variance, Tensor)
    assert isinstance(eps, float)
    return variance.float() + eps
