"""Multi-task optimizers for any PyTorch model: docs/training/multi-task.md, examples/multi_task.py.

strategies/ holds methods that decide how the tasks' gradients move the parameters, weightings/ methods that only weigh
the losses and leave the update to a strategy; both implement `Strategy` and get a name in `registry.py`. Importing this
package imports torch and numpy alone; what single strategies need besides is imported where they use it.
"""

from mtl.connection_strength import find_layers
from mtl.metrics import delta_m
from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy, needs_instances, needs_task_norms, strategy_names
from mtl.strategy import StepResult, Strategy
from mtl.task_norm import convert_to_task_norms, use_task

__all__ = [
    "NonFiniteError", "ParameterUpdater", "Parameters", "StepResult", "Strategy", "TrainingContext",
    "convert_to_task_norms", "delta_m", "find_layers", "make_strategy", "needs_instances", "needs_task_norms",
    "strategy_names", "use_task",
]  # fmt: skip
