"""The options of `parastitch mtl-bench`."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

from apps.benchmarking.experiment.choices import (
    GENERATED,
    NETWORKS,
    PAIR_NETWORKS,
    PUBLIC,
    SCALABLE_NETWORKS,
    SCENES,
    VIEWS,
    DataDefaults,
)
from apps.benchmarking.experiment.protocols import Metrics, find_protocol
from apps.benchmarking.experiment.recipe import PLAIN, Recipe
from apps.benchmarking.experiment.settings import DataSettings, RunSettings, parse_method
from stitching.errors import did_you_mean, require


@dataclass(frozen=True)
class BenchOptions:
    """What is trained, how long and how often; the fields are the options of the command line."""

    protocol: str = ""
    """Experiment of a paper, see docs/training/public-datasets.md: gives the other options, except --folder, their
    values; those that are given besides win."""
    methods: tuple[str, ...] = ("equal",)
    """Methods to compare: SPEC[/norms][/heads=FACTOR][/epochs=FACTOR]. SPEC: a strategy by its name in mtl.registry, or
    `priority` or `groups`, the variants of apps.benchmarking.ablations. /norms: each task has batch norms of its own
    (task-priority always has). /heads: multiplies the learning rate of the tasks' own parameters. /epochs: multiplies
    the epochs."""
    data: str = SCENES
    """Data set: scenes or views (generated; single pictures, pairs), digits (four overlaid ones), nyud, pascal-context,
    cityscapes or surreal."""
    folder: Path | None = None
    """Folder of a public data set, laid out as docs/training/public-datasets.md says."""
    tasks: tuple[str, ...] = ()
    """Tasks to learn, two or more; default: all that the data set has, of digits digit-1 to digit-4."""
    auxiliary: tuple[str, ...] = ()
    """Tasks to learn besides, which help the others: they are in no score and have no single-task network."""
    network: str | None = None
    """Architecture: small, digits, segnet, or with timm resnet18, hrnet18, vit-tiny; the suffix -imagenet, as in
    resnet18-imagenet, starts from pretrained weights that timm downloads. Default: small, of digits digits."""
    width: float = 1.0
    """Multiplies the channels of the networks small and digits: the capacity that the tasks share."""
    size: tuple[int, int] | None = None
    """Width and height of the pictures, px; multiples of 8 for the network small, of 4 for digits, of 16 for vit-tiny,
    else of 32. Default: 64 64, of views 48 48, of digits 12 12: the less, the more they overlap, 8 to 16."""
    train: int | None = None
    """Pictures to train on; default: 1000 of scenes and views, 4000 of digits, all of a public set."""
    validation: int = 200
    """Pictures to choose the learning rate on; in a public set they are taken from the training split."""
    test: int | None = None
    """Pictures to test on; default: 250 of scenes and views, 1000 of digits, all of a public set."""
    epochs: int = 20
    """Passes over the training pictures."""
    updates: int | None = None
    """Updates of the parameters after which every training ends, instead of --epochs. Methods that update several times
    on a batch then see fewer pictures."""
    batch_size: int = 16
    """Pictures in a training step."""
    rates: tuple[float, ...] = (1e-3,)
    """Highest learning rates to try; each method gets the one that is best on the validation pictures with the first
    seed."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Random seeds; each method is trained once with each."""
    baseline: str = ""
    """One of the methods; a table compares all others with it, seed by seed. They always are with equal."""
    small_single_tasks: bool = False
    """Also train single-task networks that are together about as large as one network for all tasks: those of all
    other rows are each of its size. Networks small and digits only."""
    curve_points: int = 10
    """Validations in the course of each training."""
    conflict_points: int = 20
    """How often in the course of a training of the method equal the conflict of the tasks' gradients is measured."""
    corrupt: str = ""
    """Task whose training labels are partly wrong; not of public data sets."""
    shares: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6)
    """With --corrupt: shares of the training pictures that get the label of another one; each method is trained with
    each share."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Arithmetic of the convolutions."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device to train on."""
    threads: int = 1
    """Threads of torch on a CPU, for each run."""
    jobs: int = 1
    """Runs at the same time; with more than one they slow each other down, so the times of the table are rough."""
    cache: Path | None = None
    """Folder that keeps rendered pictures for other benchmarks; default: OUTPUT/cache."""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared.

        Raises:
            InputError: names the option, what was given and what is possible.
        """
        for name, (minimum, maximum) in _LIMITS.items():
            value = getattr(self, name)
            possible = value is None or minimum <= value <= maximum
            require(possible, f"--{name.replace('_', '-')} {value}", f"{minimum} to {maximum}")
        for name in ("methods", "rates", "seeds", "shares"):
            values = getattr(self, name)
            require(bool(values), f"--{name}: nothing after it", "one or more")
            shown = [f"{value:g}" if isinstance(value, float) else f"{value}" for value in values]
            repeated = next((text for text in shown if shown.count(text) > 1), "")  # as the names of the runs have them
            digits = ", six digits count" if isinstance(values[0], float) else ""
            require(not repeated, f"--{name} {' '.join(map(str, values))}: {repeated} twice", f"each once{digits}")
        for method in self.methods:
            with_epochs = parse_method(method).epochs_factor != 1
            require(not with_epochs or self.updates is None, f"--methods {method}, --updates {self.updates}",
                    "/epochs or --updates, not both")  # fmt: skip
        named = not self.baseline or self.baseline in self.methods
        require(named, f"--baseline {self.baseline}", f"one of --methods {' '.join(self.methods)}")
        for rate in self.rates:
            require(0 < rate < inf, f"--rates {rate}", "finite numbers above 0")
        for seed in self.seeds:
            require(0 <= seed <= _HIGHEST_SEED, f"--seeds {seed}", f"0 to {_HIGHEST_SEED}")
        can_choose = len(self.rates) == 1 or self.validation > 1
        require(can_choose, f"--rates {' '.join(map(str, self.rates))} with --validation {self.validation}",
                "two pictures or more, better hundreds, to choose a rate on")  # fmt: skip
        several = not self.tasks or len(set(self.tasks)) == len(self.tasks) > 1
        require(several, f"--tasks {' '.join(self.tasks)}", "two or more, each once")
        once = len(set(self.auxiliary)) == len(self.auxiliary)
        require(once, f"--auxiliary {' '.join(self.auxiliary)}", "each once")
        both = [task for task in self.auxiliary if task in self.tasks]
        require(not both, f"--tasks and --auxiliary {' '.join(both)}", "a task in one of them")
        self._check_data()
        self._check_network()

    def _check_network(self) -> None:
        network, (w, h) = self.run_settings.network, self.data_settings.size
        one_of = f"one of {', '.join(NETWORKS)}{did_you_mean(network, NETWORKS)}"
        require(network in NETWORKS, f"--network {network}", one_of)
        takes_pairs = self.data != VIEWS or network in PAIR_NETWORKS
        require(takes_pairs, f"--network {network}", f"with --data {VIEWS} one of {', '.join(PAIR_NETWORKS)}")
        scalable = self.width == 1 or (0 < self.width <= _WIDEST and network in SCALABLE_NETWORKS)
        require(scalable, f"--width {self.width:g}, --network {network}",
                f"above 0, at most {_WIDEST}; 1 with others than {' and '.join(SCALABLE_NETWORKS)}")  # fmt: skip
        scalable = network in SCALABLE_NETWORKS or not self.small_single_tasks
        require(scalable, f"--small-single-tasks, --network {network}",
                f"--network {' or '.join(SCALABLE_NETWORKS)} with it")  # fmt: skip
        step, smallest = NETWORKS[network].multiple, NETWORKS[network].smallest_side
        fits = all(side % step == 0 and side >= smallest for side in (w, h))
        require(fits, f"--size {w} {h}", f"multiples of {step}, {smallest} or more, with --network {network}")

    def _check_data(self) -> None:
        if self.protocol:
            data = find_protocol(self.protocol).data
            require(self.data == data, f"--protocol {self.protocol}, --data {self.data}", f"--data {data} with it")
        generated = self.data in GENERATED
        known = *GENERATED, *PUBLIC
        require(self.data in known, f"--data {self.data}", f"one of {', '.join(known)}{did_you_mean(self.data, known)}")
        require(generated == (self.folder is None), f"--data {self.data}, --folder {self.folder}",
                "--folder with a public data set, and only there")  # fmt: skip
        require(generated or not self.corrupt, f"--corrupt {self.corrupt}", f"--data {' or '.join(GENERATED)} with it")
        possible = all(0 <= share <= 1 for share in self.shares)
        require(possible, f"--shares {' '.join(map(str, self.shares))}", "0 to 1")

    @property
    def data_settings(self) -> DataSettings:
        """Without wrong labels."""
        train, test, size = self.train, self.test, self.size or self._defaults.size
        if self.data in GENERATED:
            train, test = train or self._defaults.train, test or self._defaults.test
        folder = "" if self.folder is None else str(self.folder.resolve())
        return DataSettings(self.data, folder, size, train, self.validation, test)

    @property
    def _defaults(self) -> DataDefaults:
        return GENERATED.get(self.data, GENERATED[SCENES])

    @property
    def run_settings(self) -> RunSettings:
        """Of equal weights, the first rate and the first seed; tasks () for all."""
        tasks, network = self.tasks or self._defaults.tasks, self.network or self._defaults.network
        return RunSettings(
            self.data_settings, tasks, "equal", network, self.width, self.epochs, self.batch_size,
            self.rates[0], self.seeds[0], self.precision, self.device, self.threads, self.updates, self.curve_points,
            recipe=self._recipe,
        )  # fmt: skip

    @property
    def _recipe(self) -> Recipe:
        return find_protocol(self.protocol).recipe if self.protocol else PLAIN

    @property
    def metrics(self) -> Metrics:
        """By task, the metrics that are compared; of other tasks the main metric of their labels."""
        return find_protocol(self.protocol).metrics if self.protocol else {}


_MOST = 10**9
_WIDEST = 32  # 200 M parameters
_HIGHEST_SEED = 2**64 - 1  # of torch
_LIMITS = {
    "train": (2, _MOST), "validation": (1, _MOST), "test": (1, _MOST), "epochs": (1, _MOST), "updates": (1, _MOST),
    "batch_size": (2, _MOST), "curve_points": (0, _MOST), "conflict_points": (0, _MOST), "threads": (1, 1024),
    "jobs": (1, 1024),
}  # fmt: skip
