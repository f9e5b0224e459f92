"""Strategies by name, as a command line or a configuration gives them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature

from mtl.aggregation import aggregator_names, make_aggregation
from mtl.connection_strength import Layer
from mtl.dynamic_weights import DynamicWeights
from mtl.equal_weights import EqualWeights
from mtl.gradient_norms import EqualGradientNorms
from mtl.instance_weights import Form, InstanceWeights
from mtl.optimization import listed
from mtl.strategy import Strategy, check_tasks
from mtl.task_groups import TaskGroups
from mtl.task_priority import TaskPriority
from mtl.uncertainty import UncertaintyWeights
from mtl.weighting import StaticWeights

Value = int | float | bool | str
Options = dict[str, Value]


@dataclass(frozen=True, eq=False)
class Training:
    """What strategies may need to know about the training; each takes what it needs.

    Attributes:
        layers: shared layers with a norm for each task, as `connection_strength.find_layers` gives them.
        steps: batches of the whole training.
        epoch: batches in an epoch; 1 where there are no epochs.
        instances: size of the training set; None: endless.
        forms: what kind of loss each task has; missing: "l1".
        seed: of all random decisions.
    """

    layers: Sequence[Layer] = ()
    steps: int = 1
    epoch: int = 1
    instances: int | None = None
    forms: Mapping[str, Form] = field(default_factory=dict)
    seed: int = 0


def make_strategy(spec: str, tasks: Sequence[str], training: Training) -> Strategy:
    """The strategy that a text describes.

    Args:
        spec: `NAME`, `NAME:OPTION=VALUE,OPTION=VALUE`, or several joined by `+`: all but the last one weigh losses,
            from left to right, the last one updates; where that weighs losses too, their sum is updated. Names: see
            strategy_names; options: the keyword arguments of the classes, for `static` the weight of each task.
        tasks: in order.
        training: what the strategies need to know.

    Raises ValueError where a name or option is unknown or not possible, or the training lacks what is needed.
    """
    check_tasks(tasks)
    *outer, last = (_parse(part) for part in spec.split("+"))
    if last[0] in _WEIGHTINGS:
        outer, last = [*outer, last], ("equal", {})
    strategy = _updating(*last, tasks, training)
    for name, options in reversed(outer):
        if name not in _WEIGHTINGS:
            raise ValueError(f"strategy {spec!r}: {name!r} cannot come before +; expected {listed(_WEIGHTINGS)}")
        strategy = _WEIGHTINGS[name](strategy, training, options)
    return strategy


def strategy_names() -> tuple[str, ...]:
    """All names that make_strategy knows."""
    return *_WEIGHTINGS, *_UPDATES, *aggregator_names()


def needs_task_norms(spec: str) -> bool:
    """Whether the network must have norms for each task."""
    return _mentions(spec, "task-priority")


def needs_instances(spec: str) -> bool:
    """Whether each loss must be one for each instance, and the training set finite."""
    return _mentions(spec, "instances")


def _mentions(spec: str, name: str) -> bool:
    return any(_parse(part)[0] == name for part in spec.split("+"))


def _parse(part: str) -> tuple[str, Options]:
    name, _, rest = part.partition(":")
    options: Options = {}
    for pair in filter(None, rest.split(",")):
        option, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"strategy {part!r}: expected NAME:OPTION=VALUE,OPTION=VALUE")
        options[option.strip()] = _value(value.strip())
    return name.strip(), options


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _called(name: str, make: Callable[..., Strategy], *known: object, **options: object) -> Strategy:
    """`make` called; options that it does not have, that are known already, or of another type are refused."""
    try:
        signature(make).bind(*known, **options)
        return make(*known, **options)
    except TypeError as error:  # a word where a number belongs, too
        raise ValueError(f"strategy {name!r}: {error}") from error


def _static(inner: Strategy, training: Training, weights: Options) -> Strategy:
    numbers = {task: value for task, value in weights.items() if isinstance(value, int | float)}
    if len(numbers) < len(weights):
        raise ValueError(f"strategy 'static': weights {weights}; expected numbers, static:TASK=WEIGHT,...")
    return StaticWeights(inner, numbers)


def _uncertainty(inner: Strategy, training: Training, options: Options) -> Strategy:
    return _called("uncertainty", UncertaintyWeights, inner, **options)


def _dynamic(inner: Strategy, training: Training, options: Options) -> Strategy:
    return _called("dynamic", DynamicWeights, inner, training.epoch, **options)


def _instances(inner: Strategy, training: Training, options: Options) -> Strategy:
    if training.instances is None:
        raise ValueError("strategy 'instances' needs a training set of known size; here it is endless")
    forms = {task: training.forms.get(task, "l1") for task in inner.tasks}
    return _called("instances", InstanceWeights, inner, training.instances, forms, **options)


_WEIGHTINGS: Mapping[str, Callable[[Strategy, Training, Options], Strategy]] = {
    "static": _static, "uncertainty": _uncertainty, "dynamic": _dynamic, "instances": _instances,
}  # fmt: skip
_UPDATES = ("equal", "same-steps", "gradient-norms", "task-priority", "task-groups")


def _updating(name: str, options: Options, tasks: Sequence[str], training: Training) -> Strategy:
    if name == "equal":
        return _called(name, EqualWeights, tasks, **options)
    if name == "same-steps":  # as many updates as sequential methods have
        return _called(name, EqualWeights, tasks, len(tasks), **options)
    if name == "gradient-norms":
        return _called(name, EqualGradientNorms, tasks, **options)
    if name == "task-priority":
        known = tasks, training.layers, training.steps, training.epoch, training.seed
        return _called(name, TaskPriority, *known, **options)
    if name == "task-groups":
        return _called(name, TaskGroups, tasks, **{"seed": training.seed, **options})
    if name in aggregator_names():
        return _called(name, make_aggregation, name, tasks, **{"seed": training.seed, **options})
    raise ValueError(f"strategy {name!r}: expected one of {listed(strategy_names())}")
