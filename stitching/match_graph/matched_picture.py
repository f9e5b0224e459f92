"""A picture of a set with its features, and the verified alignment of two of them."""

import math
from dataclasses import dataclass

from stitching.alignment.coarse_alignment import Alignment, align_matches
from stitching.alignment.features import Features, match_features
from stitching.geometry.homographies import Motion
from stitching.io.picture import Picture, shrink, to_8_bit, to_grey

MIN_CONFIDENCE = 0.5  # of an alignment that is believed: n_inliers > 8 + 0.3 n, Brown & Lowe 2007 (eq. 13)
MIN_MATCHES = 12  # of features; unrelated pictures have fewer, and need not be looked at more closely


@dataclass(frozen=True, eq=False)
class MatchedPicture:
    """A small copy of a picture and its features.

    Attributes:
        copy: of the full-size picture, with its scale.
        features: of the copy; each kind is found when it is first asked for.
    """

    copy: Picture
    features: Features

    @classmethod
    def of(cls, picture: Picture, area: float) -> "MatchedPicture":
        """Take a copy of at most `area` px of a picture."""
        copy = shrink(picture, math.sqrt(area / math.prod(picture.size)))
        return cls(copy, Features(to_grey(to_8_bit(copy.pixels, copy.levels)), copy.valid))


@dataclass(frozen=True, eq=False)
class Attempt:
    """What came of matching two pictures.

    Attributes:
        n_matches: of features.
        alignment: in px of the full-size pictures; None without a plausible one.
    """

    n_matches: int
    alignment: Alignment | None

    @property
    def confidence(self) -> float:
        """Of the alignment; 0 without one."""
        return self.alignment.confidence if self.alignment else 0.0


def align_features(target: MatchedPicture, reference: MatchedPicture, motion: Motion) -> Attempt:
    """Align two pictures by their features."""
    matches = match_features(target.features, reference.features)
    if len(matches) < MIN_MATCHES:
        return Attempt(len(matches), None)
    found = align_matches(matches, target.copy.pixels.shape, reference.copy.pixels.shape, motion)
    return Attempt(len(matches), found and found.of_photographs(target.copy, reference.copy))
