"""Strategies that the benchmark knows besides those of mtl.registry: the variants of this folder, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from apps.benchmarking.ablations.group_variants import GroupSwitches, GroupVariant
from apps.benchmarking.ablations.priority_variants import PrioritySwitches, PriorityVariant
from mtl import registry
from mtl.registry import StrategyMaker, StrategyOptions, TrainingContext, parse_spec
from mtl.strategy import Strategy


def needs_task_norms(spec: str) -> bool:
    """As mtl.registry.needs_task_norms, with the variants."""
    return registry.needs_task_norms(spec) or any(name == "priority" for name, _ in parse_spec(spec))


def _priority(tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    return PriorityVariant(tasks, context, PrioritySwitches(**options))


def _groups(tasks: Sequence[str], context: TrainingContext, options: StrategyOptions) -> Strategy:
    switches = {field.name: options[field.name] for field in fields(GroupSwitches) if field.name in options}
    others = {name: value for name, value in options.items() if name not in switches}
    return GroupVariant(tasks, GroupSwitches(**switches), **{"seed": context.seed, **others})


# Their options are the fields of PrioritySwitches and of GroupSwitches; `groups` has those of `task-groups`, too.
VARIANTS: Mapping[str, StrategyMaker] = {"priority": _priority, "groups": _groups}
