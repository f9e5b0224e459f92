"""Strategies by name, as a command line or a configuration gives them.

A new strategy gets a line in `_STRATEGIES`, a new weighting of the losses one in `_WEIGHTINGS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from mtl.connection_strength import Layer
from mtl.optimization import quoted
from mtl.strategies.aggregation import aggregator_names, make_aggregation
from mtl.strategies.db_mtl import DualBalancing
from mtl.strategies.equal_weights import EqualWeights
from mtl.strategies.famo import Famo
from mtl.strategies.gradient_norms import EqualGradientNorms
from mtl.strategies.scalarization import GeometricMean, RandomWeights
from mtl.strategies.smooth_tchebycheff import SmoothTchebycheff
from mtl.strategies.task_groups import TaskGroups
from mtl.strategies.task_priority import TaskPriority
from mtl.strategy import Strategy, check_tasks
from mtl.weightings.dynamic_weights import DynamicWeights
from mtl.weightings.instance_weights import InstanceWeights, LossForm
from mtl.weightings.static_weights import StaticWeights
from mtl.weightings.uncertainty_weights import UncertaintyWeights

StrategyOptions = dict[str, Any]  # by name: an int, a float or a word
NamedOptions = tuple[str, StrategyOptions]  # name of a strategy or weighting


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What strategies may need to know about the training; each takes what it needs.

    Attributes:
        layers: shared layers with a norm for each task, as `connection_strength.find_layers` gives them.
        total_steps: batches of the whole training.
        steps_per_epoch: batches in an epoch; 1 where there are no epochs.
        dataset_size: instances in the training set; None: endless.
        loss_forms: what kind of loss each task has; missing: "l1".
        seed: of all random decisions.
    """

    layers: Sequence[Layer] = ()
    total_steps: int = 1
    steps_per_epoch: int = 1
    dataset_size: int | None = None
    loss_forms: Mapping[str, LossForm] = field(default_factory=dict)
    seed: int = 0


StrategyMaker = Callable[[Sequence[str], TrainingContext, StrategyOptions], Strategy]
_NO_OTHERS: Mapping[str, StrategyMaker] = MappingProxyType({})


def make_strategy(
    spec: str,
    tasks: Sequence[str],
    context: TrainingContext = TrainingContext(),
    others: Mapping[str, StrategyMaker] = _NO_OTHERS,
) -> Strategy:
    """Make the strategy that a text describes.

    Args:
        spec: `NAME`, `NAME:OPTION=VALUE,OPTION=VALUE`, or several joined by `+`: all but the last one weigh losses,
            from left to right, the last one updates; where that weighs losses too, their sum is updated. Names: see
            strategy_names; options: the keyword arguments of the classes, for `static` the weight of each task.
        tasks: in order.
        context: what some strategies need to know.
        others: strategies besides, by name; each is made from the tasks, the context and the options.

    Raises ValueError where a name or option is unknown or not possible, or the context lacks what is needed.
    """
    check_tasks(tasks)
    check_names(spec, others)
    *outer, (name, options) = parse_spec(spec)
    if name in _WEIGHTINGS:
        outer, name, options = [*outer, (name, options)], "equal", {}
    strategy = _make(name, partial({**_STRATEGIES, **others}[name], tasks, context, options))
    for name, options in reversed(outer):
        strategy = _make(name, partial(_WEIGHTINGS[name], strategy, context, options))
    return strategy


def check_names(spec: str, others: Mapping[str, StrategyMaker] = _NO_OTHERS) -> None:
    """Raise ValueError where `spec`, as `make_strategy` takes it, names what there is not, or in a wrong order."""
    *outer, last = (name for name, _ in parse_spec(spec))
    known = *strategy_names(), *others
    if last not in known:
        raise ValueError(f"strategy {last!r}: expected one of {quoted(known)}")
    for name in outer:
        if name not in _WEIGHTINGS:
            raise ValueError(f"strategy {spec!r}: {name!r} cannot come before +; expected {quoted(_WEIGHTINGS)}")


def strategy_names() -> tuple[str, ...]:
    """All names that make_strategy knows."""
    return *_WEIGHTINGS, *_STRATEGIES


def needs_task_norms(spec: str) -> bool:
    """Whether the network must have norms for each task."""
    return _mentions(spec, "task-priority")


def needs_instances(spec: str) -> bool:
    """Whether each loss must be one for each instance, and the training set finite."""
    return _mentions(spec, "instances")


def _mentions(spec: str, name: str) -> bool:
    return any(part_name == name for part_name, _ in parse_spec(spec))


def parse_spec(spec: str) -> list[NamedOptions]:
    """The names and options of the parts that + joins. Raises ValueError where one is written otherwise."""
    return [_parse(part) for part in spec.split("+")]


def _parse(part: str) -> NamedOptions:
    name, _, rest = part.partition(":")
    options: StrategyOptions = {}
    for pair in filter(None, rest.split(",")):
        option, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"strategy {part!r}: expected NAME:OPTION=VALUE,OPTION=VALUE")
        if option.strip() in options:
            raise ValueError(f"strategy {part!r}: {option.strip()} is given twice")
        options[option.strip()] = _parse_value(value.strip())
    return name.strip(), options


def _parse_value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _make(name: str, make: Callable[[], Strategy]) -> Strategy:
    """`make()`; an option that it does not have, or a word where a number belongs, becomes a ValueError."""
    try:
        return make()
    except TypeError as error:
        _, _, problem = str(error).rpartition("() ")  # without the name of a class
        raise ValueError(f"strategy {name!r}: {problem}") from error


def _instances(inner: Strategy, context: TrainingContext, options: StrategyOptions) -> Strategy:
    if context.dataset_size is None:
        raise ValueError("strategy 'instances' needs a training set of known size; here it is endless")
    loss_forms = {task: context.loss_forms.get(task, "l1") for task in inner.tasks}
    return InstanceWeights(inner, context.dataset_size, loss_forms, **options)


_WEIGHTINGS: Mapping[str, Callable[[Strategy, TrainingContext, StrategyOptions], Strategy]] = {
    "static": lambda inner, context, weights: StaticWeights(inner, weights),
    "uncertainty": lambda inner, context, options: UncertaintyWeights(inner, **options),
    "dynamic": lambda inner, context, options: DynamicWeights(inner, context.steps_per_epoch, **options),
    "instances": _instances,
}


def _task_priority(tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    return TaskPriority(
        tasks, context.layers, context.total_steps, context.steps_per_epoch, **{"seed": context.seed, **options}
    )


def _aggregation(name: str, tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    return make_aggregation(name, tasks, **{"seed": context.seed, **options})


_STRATEGIES: dict[str, StrategyMaker] = {
    "equal": lambda tasks, context, options: EqualWeights(tasks, **options),
    "same-steps": lambda tasks, context, options: EqualWeights(tasks, updates=len(tasks), **options),
    "random": lambda tasks, context, options: RandomWeights(tasks, **{"seed": context.seed, **options}),
    "geometric-mean": lambda tasks, context, options: GeometricMean(tasks, **options),
    "stch": lambda tasks, context, options: SmoothTchebycheff(tasks, context.steps_per_epoch, **options),
    "famo": lambda tasks, context, options: Famo(tasks, **options),
    "db-mtl": lambda tasks, context, options: DualBalancing(tasks, **options),
    "gradient-norms": lambda tasks, context, options: EqualGradientNorms(tasks, **options),
    "task-priority": _task_priority,
    "task-groups": lambda tasks, context, options: TaskGroups(tasks, **{"seed": context.seed, **options}),
    **{name: partial(_aggregation, name) for name in aggregator_names()},
}
