"""How long a training is: so many epochs, or so many updates of the parameters."""

from apps.benchmarking.settings import RunSettings, parse_method
from mtl.registry import StrategyOptions, parse_spec


def expected_steps(settings: RunSettings, steps_per_epoch: int) -> int:
    """Batches of the whole training; with a number of updates, as many as a method needs for them on the average."""
    if settings.updates is None:
        return settings.passes * steps_per_epoch
    *_, (name, options) = parse_spec(parse_method(settings.method).spec)
    return max(1, round(settings.updates / _updates_per_step(name, options, len(settings.tasks))))


def _updates_per_step(strategy: str, options: StrategyOptions, tasks: int) -> float:
    """As far as it is known beforehand, else 1; only task priority decides by it.

    Task priority updates K times in phase 1 and once in phase 2, whose share of the steps is the mean of its
    probability over the training.
    """
    if strategy == "same-steps":
        return tasks
    if strategy == "equal":
        return float(options.get("updates", 1))
    if strategy not in ("task-priority", "priority"):
        return 1
    second_phase = {"phases=first": 0.0, "phases=second": 1.0, "schedule=square": 1 / 3}
    shares = [second_phase[f"{k}={v}"] for k, v in options.items() if f"{k}={v}" in second_phase]
    return tasks - (tasks - 1) * (shares[0] if shares else 0.5)
