"""The data sets and networks to choose from, and what goes with each."""

from dataclasses import dataclass

SCENES = "scenes"
VIEWS = "views"
DIGITS = "digits"
PUBLIC = "nyud", "pascal-context", "cityscapes", "surreal"


@dataclass(frozen=True)
class DataDefaults:
    """What is taken where no option says otherwise.

    Attributes:
        train, test: number of items.
        size: (width, height), px.
        network: name of the architecture.
        tasks: to learn; empty: all.
    """

    train: int
    test: int
    size: tuple[int, int]
    network: str
    tasks: tuple[str, ...] = ()


GENERATED = {  # made in any number
    SCENES: DataDefaults(1000, 250, (64, 64), "small"),
    VIEWS: DataDefaults(1000, 250, (48, 48), "small"),
    DIGITS: DataDefaults(4000, 1000, (12, 12), "digits", ("digit-1", "digit-2", "digit-3", "digit-4")),
}


@dataclass(frozen=True)
class NetworkLimits:
    """What can be asked of a network.

    Attributes:
        multiple: the sides of its pictures are multiples of this, px.
        smallest_side: of its pictures, px.
        has_width: the number of its channels can be chosen.
        takes_pairs: it takes pairs of pictures, 6 channels.
    """

    multiple: int
    smallest_side: int = 32
    has_width: bool = False
    takes_pairs: bool = False


NETWORKS = {
    "small": NetworkLimits(8, has_width=True, takes_pairs=True),
    "digits": NetworkLimits(4, smallest_side=8, has_width=True),
    "segnet": NetworkLimits(32, takes_pairs=True),
    "resnet18": NetworkLimits(32),
    "resnet18-imagenet": NetworkLimits(32),
    "hrnet18": NetworkLimits(32),
    "hrnet18-imagenet": NetworkLimits(32),
    "vit-tiny": NetworkLimits(16),
    "vit-tiny-imagenet": NetworkLimits(16),
}
SCALABLE_NETWORKS = tuple(name for name, limits in NETWORKS.items() if limits.has_width)
PAIR_NETWORKS = tuple(name for name, limits in NETWORKS.items() if limits.takes_pairs)
