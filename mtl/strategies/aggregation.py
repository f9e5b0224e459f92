"""Strategies that combine the tasks' gradients of the shared parameters; the methods themselves are torchjd's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtl.installed import check_installed
from mtl.optimization import (
    Closure,
    Gradients,
    NonFiniteError,
    Parameters,
    ParameterUpdater,
    check_names,
    quoted,
)
from mtl.strategy import StepResult, Strategy, check_tasks, check_whole

Option = float | int | str


class Aggregation(Strategy):
    """One gradient from those of all tasks, by an aggregator of torchjd.

    The gradients of the shared parameters are the rows of a matrix; the aggregator makes one row of it. Each task's
    own parameters get the gradient of that task's loss unchanged, also in methods whose authors weight the whole loss.
    Gradients that do not reach a shared parameter count as 0; where none does, it stays untouched.

    The matrix is scaled to Frobenius norm 1 first and the answer scaled back: the direction does not depend on it,
    but the solvers have absolute tolerances, and take short gradients for none. Methods that average are multiplied
    by the number of tasks: K equal gradients give their sum, as plain training does, in all methods.

    Random numbers come from the seed and the number of the step alone. What GradVac has learned is saved; Nash-MTL,
    for which torchjd has no state to save, starts its solver anew in a resumed run.
    One forward pass, one backward pass for each task; memory for two gradients for each task.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        aggregator: nn.Module,
        name: str,
        options: Mapping[str, Option] | None = None,
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Use `aggregator`, which takes (tasks, n) and gives (n,) float32; `make_aggregation` knows them by name.

        Args:
            tasks: one or more, each named once.
            aggregator: of torchjd.aggregation.
            name, options: what a resumed run must have in common.
            scale: what the aggregator's answer is multiplied with.
            seed: of its random numbers.

        Raises ValueError where the tasks are not such, or `seed` is no whole number, 0 or above.
        """
        self.tasks, self._aggregator, self._scale = check_tasks(tasks), aggregator, scale
        self._settings: dict[str, Any] = {"kind": name, "options": dict(options or {}), "seed": seed}
        self._seed, self._steps = check_whole("seed", seed), 0

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        gradients, losses = updater.compute_gradients(closure, [[task] for task in self.tasks])
        shared = self._combine([by_parameter[: len(updater.parameters.shared)] for by_parameter in gradients])
        own = own_gradients(updater.parameters, dict(zip(self.tasks, gradients, strict=True)))
        updater.set_gradients(shared + own)
        norms = updater.apply_gradients(self.tasks)
        self._steps += 1
        return StepResult(losses, dict.fromkeys(self.tasks, 1.0), norms, (self.tasks,))

    def _combine(self, gradients: Sequence[Gradients]) -> Gradients:
        """One gradient of the shared parameters from those of the tasks."""
        templates = [next((g for g in by_task if g is not None), None) for by_task in zip(*gradients, strict=True)]
        sizes = [0 if template is None else template.numel() for template in templates]
        if not any(sizes):
            return templates
        combined = torch.split(self._aggregate(_gradient_matrix(gradients, sizes)), sizes)
        return [
            None if template is None else part.view(template.shape).to(template.dtype)  # (size,) -> the parameter's
            for template, part in zip(templates, combined, strict=True)
        ]

    def _aggregate(self, matrix: Tensor) -> Tensor:
        """(tasks, n), which is changed, -> (n,)."""
        norms = torch.linalg.vector_norm(matrix, dim=1)
        for task, norm in zip(self.tasks, norms.tolist(), strict=True):
            if not isfinite(norm):
                raise NonFiniteError(
                    f"the gradient of the shared parameters by {task!r} is not finite; no update was made with it"
                )
        frobenius_norm = torch.linalg.vector_norm(norms)
        if not frobenius_norm or len(matrix) == 1:
            return matrix[0]
        with torch.random.fork_rng([matrix.device] if matrix.is_cuda else []):
            torch.manual_seed(int(np.random.SeedSequence((self._seed, self._steps)).generate_state(1)[0]))
            combined: Tensor = self._aggregator(matrix.div_(frobenius_norm))
        return combined.mul_(frobenius_norm * self._scale)

    def settings(self) -> dict[str, Any]:
        """Name and options of the method, and the seed."""
        return self._settings

    def learned_state(self) -> dict[str, Any]:
        """The number of steps, and what the aggregator has learned."""
        learned = {name: value.clone() for name, value in self._aggregator.state_dict().items()}
        return {"steps": self._steps, "aggregator": learned}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        if learned["aggregator"]:
            with torch.random.fork_rng([]):
                self._aggregator(torch.zeros(len(self.tasks), 1))  # it creates its state in its first call
            self._aggregator.load_state_dict(learned["aggregator"])
        self._steps = learned["steps"]


def _gradient_matrix(gradients: Sequence[Gradients], sizes: list[int]) -> Tensor:
    """(tasks, n) float32; 0 where a task does not reach a parameter."""
    device = next(gradient.device for by_task in gradients for gradient in by_task if gradient is not None)
    matrix = torch.zeros(len(gradients), sum(sizes), device=device)
    for row, by_task in zip(matrix, gradients, strict=True):
        for part, gradient in zip(torch.split(row, sizes), by_task, strict=True):
            if gradient is not None:
                part.copy_(gradient.flatten())
    return matrix


def own_gradients(parameters: Parameters, gradients: Mapping[str, Gradients]) -> Gradients:
    """The gradients of each task's own parameters by its own loss, in the order of `parameters`."""
    own: Gradients = []
    start = len(parameters.shared)
    for task, group in parameters.tasks.items():
        own += gradients[task][start : start + len(group)]
        start += len(group)
    return own


@dataclass(frozen=True)
class _Method:
    """An aggregator of torchjd."""

    class_name: str  # in torchjd.aggregation
    averages: bool = False  # K equal gradients give one of them rather than their sum
    options: Mapping[str, Option] = field(default_factory=dict)  # with their defaults
    needs: tuple[str, ...] = ()  # modules to be installed besides torchjd


# Left out: Sum, Mean, Constant, Random (`equal`, `static` and `random` do that in one backward pass), PCD (one task
# comes before the others), Krum and TrimmedMean (made against forged gradients, they drop tasks), ExcessMTL (weights by
# lengths over time, which scaling the matrix hides).
_METHODS = {
    "aligned-mtl": _Method("AlignedMTL", averages=True, options={"scale_mode": "min"}),
    "cagrad": _Method("CAGrad", averages=True, options={"c": 0.4}, needs=("cvxpy", "clarabel")),
    "config": _Method("ConFIG"),
    "dualproj": _Method("DualProj", averages=True, needs=("scipy",)),
    "fairgrad": _Method("FairGrad", options={"alpha": 2.0}, needs=("scipy",)),
    "graddrop": _Method("GradDrop"),
    "gradvac": _Method("GradVac", options={"beta": 0.5}),
    "imtl-g": _Method("IMTLG", averages=True),
    "mgda": _Method("MGDA", averages=True),
    "nash-mtl": _Method("NashMTL", options={"update_weights_every": 1}, needs=("cvxpy", "ecos")),
    "pcgrad": _Method("PCGrad"),
    "upgrad": _Method("UPGrad", averages=True, needs=("scipy",)),
}
_IS_POSSIBLE: Mapping[str, Callable[[Any], bool]] = {
    "alpha": lambda value: 0 < value < inf,
    "beta": lambda value: 0 <= value <= 1,
    "c": lambda value: 0 <= value < inf,
    "scale_mode": lambda value: value in {"min", "median", "rmse"},
    "update_weights_every": lambda value: isinstance(value, int) and value >= 1,
}


def aggregator_names() -> tuple[str, ...]:
    """The names that make_aggregation knows."""
    return tuple(_METHODS)


def make_aggregation(name: str, tasks: Sequence[str], /, seed: int = 0, **options: Option) -> Aggregation:
    """A method of torchjd by the name that its paper gives it.

    aligned-mtl  Senushkin et al., CVPR 2023; scale_mode: "min", "median" or "rmse" of the singular values
    cagrad       Liu et al., NeurIPS 2021; c: 0 and above, 0.4; the answer is also divided by 1 + c
    config       ConFIG: Liu et al., ICLR 2025
    dualproj     as in Lopez-Paz & Ranzato, NeurIPS 2017
    fairgrad     Ban & Ji, ICML 2024; alpha: kind of fairness, above 0, 2
    graddrop     Chen et al., NeurIPS 2020
    gradvac      Wang et al., ICLR 2021; beta: of the moving averages, 0 to 1, 0.5
    imtl-g       Liu et al., ICLR 2021
    mgda         Désidéri 2012; Sener & Koltun, NeurIPS 2018
    nash-mtl     Navon et al., ICML 2022; update_weights_every: steps, 1; torchjd's max_norm is off
    pcgrad       Yu et al., NeurIPS 2020
    upgrad       Quinton & Rey 2024

    Raises ValueError where the name, a task or an option is not known or impossible, or where what it needs is not
    installed.
    """
    if name not in _METHODS:
        raise ValueError(f"aggregator {name!r}: expected one of {quoted(aggregator_names())}")
    method = _METHODS[name]
    all_options = _complete(name, options)
    check_installed(name, "torchjd", *method.needs)
    fixed: dict[str, Any] = {}
    if method.class_name in {"UPGrad", "DualProj"}:
        fixed["projector"] = project_onto_dual_cone
    if method.class_name == "NashMTL":
        fixed |= {"n_tasks": len(tasks), "max_norm": 0.0}

    from torchjd import aggregation

    aggregator: nn.Module = getattr(aggregation, method.class_name)(**all_options, **fixed)
    scale = len(tasks) if method.averages else 1
    return Aggregation(tasks, aggregator, name, all_options, scale / (1 + float(all_options.get("c", 0))), seed)


def _complete(name: str, options: Mapping[str, Option]) -> dict[str, Option]:
    """The options and the defaults of the others; refused here, for torchjd checks values late or not at all."""
    defaults = _METHODS[name].options
    for option, value in options.items():
        if option not in defaults:
            raise ValueError(f"{name}: unknown option {option!r}; it has {quoted(defaults) or 'none'}")
        if isinstance(defaults[option], str) != isinstance(value, str) or not _IS_POSSIBLE[option](value):
            raise ValueError(f"{name}: {option} {value!r} is impossible; the default is {defaults[option]!r}")
    return {**defaults, **options}


def project_onto_dual_cone(vectors: Tensor, gramian: Tensor) -> Tensor:
    """Project combinations of gradients to where no gradient is opposed; the fitting DualConeProjector of torchjd.

    For each row u of `vectors` (..., tasks), weights of gradients, the v >= u that minimizes v^T G v, G being
    `gramian` (tasks, tasks): with v = u + z and G = L L^T that is a non-negative least squares problem,
    min |L^T z + L^T u| over z >= 0. (Quinton & Rey 2024, proposition 1.) Solved in float64 by scipy.
    """
    from scipy.optimize import nnls

    values, basis = np.linalg.eigh(gramian.detach().cpu().numpy().astype(np.float64))
    root = np.sqrt(np.maximum(values, 0))[:, None] * basis.T  # L^T
    rows = vectors.detach().cpu().numpy().astype(np.float64).reshape(-1, len(values))  # (..., tasks) -> (n, tasks)
    projected = np.stack([row + nnls(root, -root @ row)[0] for row in rows])
    return torch.from_numpy(projected).to(vectors).reshape(vectors.shape)  # (n, tasks) -> (..., tasks)
