"""Task priority by connection strength (Jeong & Yoon, Quantifying Task Priority for Multi-Task Optimization, 2024)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtl.connection_strength import Layer, channel_shares, top_tasks
from mtl.optimization import Closure, Gradients, ParameterUpdater, check_names, sum_gradients
from mtl.strategy import StepResult, Strategy, check_tasks, check_whole


class TaskPriority(Strategy):
    """Learns in phase 1 which task needs which channels, and keeps these connections in phase 2.

    Phase 1: the tasks are updated one after another on the batch. Phase 2: in each shared layer, each group of
    channels belongs to the task that is connected to it most strongly; the other tasks' gradients are projected where
    they conflict with its own, all are added, and there is one update. Phase 2 is chosen in each step with the
    probability e / E, e epochs of E being done.

    Tasks that share their norms cannot be told apart by them: they are trained as one objective, by their summed loss.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        layers: Sequence[Layer],
        total_steps: int,
        steps_per_epoch: int = 1,
        seed: int = 0,
    ) -> None:
        """All of what a run needs to know.

        Args:
            tasks: in the order in which phase 1 updates them.
            layers: shared layers with a norm for each task.
            total_steps: batches of the whole training, E epochs.
            steps_per_epoch: batches in an epoch.
            seed: of the choice between the phases.

        Raises ValueError where there are no layers, one lacks a norm of a task, or a number is not possible.
        """
        self.tasks = check_tasks(tasks)
        if not layers:
            raise ValueError("no shared layers with a norm for each task; see mtl.task_norm and find_layers")
        for layer in layers:
            check_names(self.tasks, layer.norms, f"norms in layer {layer.name!r}")
        self._layers, self._seed = list(layers), check_whole("seed", seed)
        self._total_steps = check_whole("total_steps", total_steps, 1)
        self._steps_per_epoch = check_whole("steps_per_epoch", steps_per_epoch, 1)
        self._objectives = _objectives(self.tasks, layers[0])
        self._step = 0

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step: as many forward passes as there are objectives, with as many updates or one."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        keeps = self._keeps_priority()
        result = self._keep_priority(closure, updater) if keeps else self._learn_priority(closure, updater)
        self._step += 1
        return result

    def _keeps_priority(self) -> bool:
        """Whether this step is of phase 2. Drawn in each step, as in the authors' code; the paper says each epoch."""
        return bool(np.random.default_rng((self._seed, self._step)).random() < self._probability)

    @property
    def _probability(self) -> float:
        """Of phase 2, e / E."""
        epochs_done = self._step // self._steps_per_epoch
        return epochs_done * self._steps_per_epoch / self._total_steps

    def _learn_priority(self, closure: Closure, updater: ParameterUpdater) -> StepResult:
        """Phase 1."""
        losses: dict[str, float] = {}
        ordered = self._order_objectives()
        for objective in ordered:
            values, norms = updater.update(closure, objective)
            losses |= values
        return StepResult(losses, dict.fromkeys(self.tasks, 1.0), norms, ordered)

    def _order_objectives(self) -> tuple[tuple[str, ...], ...]:
        """As phase 1 updates them in this step."""
        return self._objectives

    def _keep_priority(self, closure: Closure, updater: ParameterUpdater) -> StepResult:
        """Phase 2."""
        gradients, losses = updater.compute_gradients(closure, self._objectives, separate_forwards=True)
        index_of = {parameter: index for index, parameter in enumerate(updater.parameters)}
        for layer in self._layers:
            if layer.weight in index_of:  # else it is not trained
                self._project(layer, gradients, index_of[layer.weight])
        updater.set_gradients(sum_gradients(gradients))
        norms = updater.apply_gradients(self.tasks)
        return StepResult(losses, dict.fromkeys(self.tasks, 1.0), norms, (self.tasks,))

    def _project(self, layer: Layer, gradients: Sequence[Gradients], index: int) -> None:
        """Replace each objective's gradient of the layer's weight, which is at `index`; none where some lack it."""
        by_objective = [gradient for by_parameter in gradients if (gradient := by_parameter[index]) is not None]
        if len(by_objective) < len(gradients):
            return
        for by_parameter, projected in zip(gradients, self._resolve(layer, by_objective), strict=True):
            by_parameter[index] = projected

    def _resolve(self, layer: Layer, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients (out, ...) of the layer's weight, by objective, without their conflicts; new tensors."""
        return project_on_priority(gradients, top_tasks(layer, self._representatives))

    @property
    def _representatives(self) -> list[str]:
        """One task of each objective; its tasks share their norms."""
        return [objective[0] for objective in self._objectives]

    def report(self) -> Mapping[str, float]:
        """The share of each layer's channels on which each objective's first task has priority."""
        shares = channel_shares(self._layers, self._representatives)
        return {f"channels/{task}/{layer}": share for layer, by in shares.items() for task, share in by.items()}

    def phase(self) -> str:
        """The phase, or how probable the second one is."""
        return f"phase 2 in {self._probability:.0%}" if self._probability else "phase 1"

    def settings(self) -> dict[str, Any]:
        """The layers, the length of the training, and the seed, from which all draws follow."""
        return {
            "kind": "task-priority", "layers": [layer.name for layer in self._layers],
            "total_steps": self._total_steps, "steps_per_epoch": self._steps_per_epoch, "seed": self._seed,
        }  # fmt: skip

    def learned_state(self) -> dict[str, Any]:
        """The number of steps done."""
        return {"step": self._step}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._step = int(learned["step"])


def _objectives(tasks: Sequence[str], layer: Layer) -> tuple[tuple[str, ...], ...]:
    """Tasks that share a norm, in the order of the first of each."""
    by_norm: dict[int, list[str]] = {}
    for task in tasks:
        by_norm.setdefault(id(layer.norms[task]), []).append(task)
    return tuple(map(tuple, by_norm.values()))


def project_on_priority(gradients: Sequence[Tensor], owners: Tensor) -> list[Tensor]:
    """Gradients of one shared layer without conflict with the top task of each group of channels.

    For each task i, on the channels that it owns: where the gradient g_j of another task has a negative product with
    g_i over these channels, g_j - (g_i g_j / |g_i|^2) g_i takes its place (Jeong & Yoon 2024, section 3.2, phase 2).

    Args:
        gradients: by task, each (out, ...).
        owners: (out,) int64, the index of each channel's top task.

    Returns:
        New tensors; the owner's part of each group is as it was.
    """
    stacked = torch.stack(list(gradients)).flatten(2)  # (tasks, out, ...) -> (tasks, out, n)
    owned = stacked[owners, torch.arange(len(owners), device=owners.device)]  # (out, n), of each channel's owner
    is_owner = functional.one_hot(owners, len(gradients)).to(stacked)  # (out, tasks)
    products = (stacked * owned).sum(2) @ is_owner  # (tasks, tasks): g_j g_i over the channels of i
    lengths = products.diagonal().clamp_min(torch.finfo(products.dtype).tiny)
    factors = (products.clamp_max(0) / lengths)[:, owners]  # (tasks, out), 0 without a conflict
    projected = stacked.addcmul(factors[:, :, None], owned, value=-1)
    return [gradient.view_as(gradients[0]) for gradient in projected]  # (out, n) -> (out, ...)
