"""Places that both pictures of a pair are known to show: the ground truth of photographs and renderings."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, require
from stitching.geometry.homographies import Matrix
from stitching.geometry.pixel_maps import Mask, Points, Size, pixel_grid
from stitching.io.files import check_readable
from stitching.io.npz_file import ArrayForm, read_arrays

_MAX_BYTES = 1 << 30  # the map of 100 Mpx
_FORMS = {
    "xy1": ArrayForm("iuf", (-1, 2)), "xy2": ArrayForm("iuf", (-1, 2)), "overlap": ArrayForm("iuf", ()),
    "map": ArrayForm("f", (-1, -1, 2)), "valid": ArrayForm("b", (-1, -1)), "visible": ArrayForm("b", (-1, -1)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrueMap:
    """Where the reference has what the target shows.

    Attributes:
        map_xy: (h, w, 2), target px -> reference px.
        visible: (h, w), the map is known, and the reference shows the pixel.
    """

    map_xy: NDArray[np.floating]
    visible: Mask

    @property
    def target_size(self) -> Size:
        """(w, h), px."""
        return self.visible.shape[1], self.visible.shape[0]


@dataclass(frozen=True, eq=False)
class TruePlaces:
    """Points of a scene in both pictures.

    Attributes:
        reference, target: (n, 2) px of each.
        overlap: share of the target that the reference shows; None = not known.
        whole: the map that they are all visible pixels of; None = they are single places.
    """

    reference: Points
    target: Points
    overlap: float | None = None
    whole: TrueMap | None = None

    @classmethod
    def of_map(cls, whole: TrueMap, overlap: float | None = None) -> "TruePlaces":
        """The visible pixels of a target."""
        visible = whole.visible
        target = pixel_grid(*visible.shape)[visible].astype(np.float64)
        return cls(whole.map_xy[visible].astype(np.float64), target, overlap, whole)

    def spread(self, count: int) -> "TruePlaces":
        """At most `count` of them, at even steps."""
        chosen = np.linspace(0, len(self.target) - 1, min(count, len(self.target))).astype(np.intp)
        return TruePlaces(self.reference[chosen], self.target[chosen], self.overlap)

    def main_homography(self, tolerance: float) -> Matrix | None:
        """The homography target px -> reference px that most places follow (USAC_MAGSAC); None where there is none.

        tolerance: px of the reference.
        """
        if len(self.target) < 4:
            return None
        found, _ = cv2.findHomography(self.target, self.reference, cv2.USAC_MAGSAC, tolerance, maxIters=5000)
        return None if found is None or not np.isfinite(found).all() else np.asarray(found, np.float64)


def read_places(path: Path) -> TruePlaces:
    """Read a truth of `apps.pair_folders.TRUTHS`; docs/evaluate.md names their arrays.

    Raises InputError where the file cannot be read, or lacks an array, or holds no place or an impossible one.
    """
    check_readable(path, "the arrays of docs/evaluate.md")
    try:
        arrays = read_arrays(path, _FORMS, _MAX_BYTES, optional=_FORMS)
        if "xy1" in arrays:
            overlap = float(arrays["overlap"]) if "overlap" in arrays else None
            places = TruePlaces(arrays["xy1"].astype(np.float64), arrays["xy2"].astype(np.float64), overlap)
        else:
            visible = arrays["visible"] & arrays["valid"]
            overlap = float(visible.sum() / max(arrays["valid"].sum(), 1))
            places = TruePlaces.of_map(TrueMap(arrays["map"], visible), overlap)
    except KeyError as error:
        raise InputError(f"{path}: {error} is missing; expected the arrays of docs/evaluate.md") from error
    except (ValueError, IndexError) as error:  # of arrays whose sizes differ, too
        raise InputError(f"{path}: {error}; expected the arrays of docs/evaluate.md") from error
    n = len(places.reference)
    shapes = {places.reference.shape, places.target.shape}
    require(n > 0 and shapes == {(n, 2)}, f"{path}: {shapes}", "as many places (n, 2) in both pictures, at least one")
    finite = np.isfinite(places.reference).all() and np.isfinite(places.target).all()
    require(bool(finite), f"{path}: places that are not finite", "numbers")
    require(overlap is None or 0 <= overlap <= 1, f"{path}: overlap {overlap}", "0 to 1")
    return places
