"""All settings of one training run of the benchmark; two runs with equal settings are the same run."""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from apps.benchmarking.experiment.recipe import PLAIN, Recipe
from stitching.errors import InputError

PARTS = "train", "validation", "test"
_HIGHEST_FACTOR = 1e6


@dataclass(frozen=True)
class MethodSpec:
    """A strategy and how the network is set up for it.

    Attributes:
        spec: the strategy, as mtl.registry reads it.
        norms: each task has norms of its own in the trunk.
        head_rate_factor: multiplies the learning rate of the tasks' own parameters.
        epochs_factor: multiplies the epochs.
    """

    spec: str
    norms: bool = False
    head_rate_factor: float = 1.0
    epochs_factor: float = 1.0


def parse_method(text: str) -> MethodSpec:
    """Parse SPEC[/norms][/heads=F][/epochs=F]; InputError where it is anything else."""
    spec, *extras = text.split("/")
    found: dict[str, float] = {}
    for extra in extras:
        name, _, value = extra.partition("=")
        possible = extra == "norms" or (name in ("heads", "epochs") and _is_factor(value))
        if not possible or name in found:
            raise InputError(
                f"--methods {text}: {extra!r}; expected SPEC[/norms][/heads=FACTOR][/epochs=FACTOR], each once, FACTOR "
                f"above 0, up to {_HIGHEST_FACTOR:g}"
            )
        found[name] = float(value or 1)
    if not spec:
        raise InputError(f"--methods {text!r}: expected the name of a strategy first, e.g. equal/heads=2")
    return MethodSpec(spec, "norms" in found, found.get("heads", 1.0), found.get("epochs", 1.0))


def _is_factor(text: str) -> bool:
    try:
        return 0 < float(text) <= _HIGHEST_FACTOR
    except ValueError:
        return False


@dataclass(frozen=True)
class DataSettings:
    """What is trained and tested on.

    Attributes:
        name: one of GENERATED or a public set.
        folder: of a public set; "" for generated ones.
        size: (width, height), px.
        train, validation, test: number of items; None: all that there are; never None for generated ones.
        noisy: task whose training labels are partly wrong; "": none.
        share: of its training labels that are another item's.
    """

    name: str
    folder: str
    size: tuple[int, int]
    train: int | None
    validation: int
    test: int | None
    noisy: str = ""
    share: float = 0.0

    @property
    def counts(self) -> dict[str, int | None]:
        """By part of PARTS."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def file_name(self) -> str:
        """Of its folder; different for all sets of one benchmark."""
        counts = "-".join("all" if count is None else str(count) for count in self.counts.values())
        noise = f"_{self.noisy}-{self.share:g}" if self.noisy else ""
        return f"{self.name}_{self.size[0]}x{self.size[1]}_{counts}{noise}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; tuples become lists."""
        return asdict(self) | {"size": list(self.size)}


@dataclass(frozen=True)
class RunSettings:
    """All that a run's result depends on.

    Attributes:
        data: what is trained and tested on.
        tasks: what the network learns; one alone: a single-task network.
        method: see `parse_method`.
        network: name of the architecture.
        width: multiplies its channels.
        epochs, batch, rate: of the training; the rate is the highest. See `passes`.
        seed: of weights, order, flips and the strategy.
        precision: "bf16" or "fp32".
        device: "cpu" or "cuda".
        threads: of torch on the CPU.
        updates: the training ends after so many steps of the optimizer; None: after the epochs.
        curve_points: validations on the way, the last one at the end.
        conflict_points: measurements of the tasks' gradients on the way.
        recipe: how it is trained.
    """

    data: DataSettings
    tasks: tuple[str, ...]
    method: str
    network: str
    width: float
    epochs: int
    batch: int
    rate: float
    seed: int
    precision: str
    device: str
    threads: int
    updates: int | None = None
    curve_points: int = 0
    conflict_points: int = 0
    recipe: Recipe = PLAIN

    @property
    def passes(self) -> int:
        """Epochs of this method, where no number of updates is given."""
        return max(1, round(self.epochs * parse_method(self.method).epochs_factor))

    @property
    def name(self) -> str:
        """Of its file; different for all runs of one benchmark."""
        trained = quote(self.method, safe="+=,")
        if len(self.tasks) == 1:
            trained = f"single-{self.tasks[0]}" + (f"_width-{self.width:.4g}" if self.width != 1 else "")
        noise = f"_{self.data.noisy}-{self.data.share:g}" if self.data.noisy else ""
        return f"{trained}{noise}_rate-{self.rate:g}_seed-{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; tuples become lists. A plain recipe is left out, as it was before there were others."""
        stored = asdict(self) | {"data": self.data.as_dict(), "tasks": list(self.tasks)}
        return {name: value for name, value in stored.items() if name != "recipe" or self.recipe != PLAIN}
