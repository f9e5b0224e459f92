"""The trunk for overlaid digits: convolutions on small pictures, and few features for which the tasks compete."""

from torch import Tensor, nn

from apps.benchmarking.networks.small_trunk import conv_norm, scaled

WIDTHS = 16, 32, 32  # channels at the full size, 1/2 and 1/4
FEATURES = 32  # of the whole picture: all that the heads see, so that each is one task's or another's
GRID = 3  # cells in each direction from which they are made


class DigitsTrunk(nn.Module):
    """24 000 parameters; images (b, channels, h, w), sides multiples of 4 -> features (b, self.features, 1, 1).

    Convolutions alone would serve all tasks alike, as a digit looks the same in every corner. So the last one spans
    the picture, as the shared fully connected layer of networks for MultiMNIST does (Sener & Koltun 2018).

    width: multiplies the channels of every layer, FEATURES too: the capacity for which the tasks compete.
    """

    def __init__(self, width: float = 1.0, channels: int = 3) -> None:
        super().__init__()
        fine, middle, coarse = (scaled(channels, width) for channels in WIDTHS)
        self.features = scaled(FEATURES, width)
        self.layers = nn.Sequential(
            conv_norm(channels, fine), nn.ReLU(), conv_norm(fine, middle, 2), nn.ReLU(), conv_norm(middle, coarse, 2),
            nn.ReLU(), nn.AdaptiveAvgPool2d(GRID),
            nn.Conv2d(coarse, self.features, GRID, bias=False), nn.BatchNorm2d(self.features), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        features: Tensor = self.layers(images)
        return features
