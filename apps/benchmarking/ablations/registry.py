"""Strategies of the benchmark by name: those of mtl.registry, and the variants of this folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from apps.benchmarking.ablations.group_variants import GroupSwitches, GroupVariant
from apps.benchmarking.ablations.priority_variants import PrioritySwitches, PriorityVariant
from mtl import registry
from mtl.registry import StrategyOptions, TrainingContext
from mtl.strategy import Strategy


def make_strategy(spec: str, tasks: Sequence[str], context: TrainingContext) -> Strategy:
    """As mtl.registry.make_strategy; `priority` and `groups` are the last part's names of variants, too.

    Their options are the fields of PrioritySwitches and of GroupSwitches; `groups` has those of `task-groups`, too.
    """
    *weightings, (name, options) = registry.parse_spec(spec)
    if name not in _VARIANTS:
        return registry.make_strategy(spec, tasks, context)
    check_names(spec)
    try:
        strategy = _VARIANTS[name](tasks, context, options)
    except TypeError as error:  # an option that there is not, or a word where a number belongs
        raise ValueError(f"strategy {name!r}: {error}") from error
    return registry.weigh_losses(weightings, strategy, context)


def check_names(spec: str) -> None:
    """As mtl.registry.check_names, with the variants."""
    *weightings, last = spec.split("+")
    is_variant = registry.parse_spec(last)[0][0] in _VARIANTS
    registry.check_names("+".join([*weightings, "equal"]) if is_variant else spec)


def needs_task_norms(spec: str) -> bool:
    """As mtl.registry.needs_task_norms, with the variants."""
    return registry.needs_task_norms(spec) or any(name == "priority" for name, _ in registry.parse_spec(spec))


def _priority(tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    return PriorityVariant(tasks, context, PrioritySwitches(**options))


def _groups(tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    switches = {field.name: options[field.name] for field in fields(GroupSwitches) if field.name in options}
    others = {name: value for name, value in options.items() if name not in switches}
    return GroupVariant(tasks, GroupSwitches(**switches), **{"seed": context.seed, **others})


_VARIANTS: Mapping[str, Callable[[Sequence[str], TrainingContext, StrategyOptions], Strategy]] = {
    "priority": _priority,
    "groups": _groups,
}
