"""Task-conditional normalisation: each task has statistics, scale and shift of its own in every shared norm."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.LayerNorm)


class TaskNorm(nn.Module):
    """Copies of one norm, one for each task; the one of `task` is used (Jeong & Yoon 2024, section 3.1).

    Call: as the norm that was copied.
    """

    def __init__(self, norm: nn.Module, tasks: Sequence[str]) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({task: deepcopy(norm) for task in tasks})
        self.task: str | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x normalised as the task does it that was chosen with `use_task`. Raises RuntimeError where none was."""
        if self.task is None:
            raise RuntimeError("a network with task norms runs for one task: call it within mtl.task_norm.use_task")
        normalised: Tensor = self.norms[self.task](x)
        return normalised


def convert_to_task_norms(model: nn.Module, tasks: Sequence[str]) -> nn.Module:
    """Give each task norms of its own: every batch or layer norm in `model` becomes a TaskNorm, in place.

    model: what the tasks share; any CNN or transformer. The copies begin as the norm was, trained or not.
    Returns the model; a new one where it is itself a norm. Raises ValueError where it holds no norm.
    """
    if isinstance(model, NORMS):
        return TaskNorm(model, tasks)
    children = [(parent, name, child) for parent in model.modules() for name, child in parent.named_children()]
    norms = [(parent, name, child) for parent, name, child in children if isinstance(child, NORMS)]
    if not norms:
        raise ValueError("the model has no batch or layer norm; task norms need some in what the tasks share")
    for parent, name, norm in norms:
        setattr(parent, name, TaskNorm(norm, tasks))
    return model


@contextmanager
def use_task(model: nn.Module, task: str) -> Iterator[None]:
    """Run the network as `task` normalises it. Raises ValueError where it has no norms of that task."""
    norms = [module for module in model.modules() if isinstance(module, TaskNorm)]
    previous = [norm.task for norm in norms]
    for norm in norms:
        if task not in norm.norms:
            raise ValueError(f"task {task!r}: the network has norms for {', '.join(map(repr, norm.norms))}")
        norm.task = task
    try:
        yield
    finally:
        for norm, previous_task in zip(norms, previous, strict=True):
            norm.task = previous_task
