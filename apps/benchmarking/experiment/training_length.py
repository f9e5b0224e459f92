"""How long a training is: so many epochs, or so many updates of the parameters."""

from dataclasses import fields

from apps.benchmarking.ablations.priority_variants import PrioritySwitches
from apps.benchmarking.experiment.settings import RunSettings, parse_method
from mtl.registry import StrategyOptions, parse_spec


def expected_steps(settings: RunSettings, steps_per_epoch: int) -> int:
    """Batches of the whole training; with a number of updates, as many as a method needs for them on the average."""
    if settings.updates is None:
        return settings.passes * steps_per_epoch
    *_, (name, options) = parse_spec(parse_method(settings.method).spec)
    return max(1, round(settings.updates / _updates_per_step(name, options, len(settings.tasks))))


def _updates_per_step(strategy: str, options: StrategyOptions, tasks: int) -> float:
    """As far as it is known beforehand, else 1; only task priority decides by it.

    Task priority updates K times in phase 1 and once in phase 2. Options that there are not, the strategy refuses.
    """
    if strategy == "same-steps":
        return tasks
    if strategy == "equal":
        updates = options.get("updates", 1)
        return updates if isinstance(updates, int) and updates > 0 else 1
    if strategy not in ("task-priority", "priority"):
        return 1
    switches = PrioritySwitches(**{f.name: options[f.name] for f in fields(PrioritySwitches) if f.name in options})
    return tasks - (tasks - 1) * switches.second_phase_share
