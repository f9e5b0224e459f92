"""End-point errors of backward maps whose errors are known."""

from pathlib import Path

import numpy as np
import pytest

from apps.evaluation.measures.photographed_warp import STANDARD_WIDTH, measure_warp
from apps.evaluation.true_places import TrueMap, TruePlaces, read_places
from stitching.errors import InputError
from stitching.geometry.canvas import Surface
from stitching.geometry.pixel_maps import Field, Mask, pixel_grid
from stitching.io.warp_file import WarpField

H, W = 60, 80  # px


def warp_field(map_xy: Field, origin: tuple[int, int] = (0, 0), scale: float = 1, focal: float = 0) -> WarpField:
    """A warp between pictures of W x H px; `map_xy` on the canvas."""
    size = round(map_xy.shape[1] / scale), round(map_xy.shape[0] / scale)
    trusted = np.ones(map_xy.shape[:2], bool)
    return WarpField(map_xy, trusted, scale, pixel_grid(H, W), 1, origin, focal, (W, H), (W, H), size)


def same_places(rows: slice = slice(None), columns: slice = slice(None)) -> TruePlaces:
    """Pixels that are the same in both pictures."""
    visible: Mask = np.zeros((H, W), bool)
    visible[rows, columns] = True
    return TruePlaces.of_map(TrueMap(pixel_grid(H, W), visible))


def test_end_point_error_of_a_known_shift_is_exact() -> None:
    measured = measure_warp(
        same_places(slice(10, 40), slice(10, 60)), warp_field(pixel_grid(H, W) + np.float32([3, -4]))
    )
    assert (measured.epe, measured.epe_median, measured.epe_over_3) == (5, 5, 1)
    assert measured.error == pytest.approx(5 * STANDARD_WIDTH / W)


@pytest.mark.parametrize(("limit", "field"), [(1, "within_1"), (3, "within_3"), (5, "within_5")])
def test_shares_count_px_of_the_standard_width(limit: float, field: str) -> None:
    """The left half is off by a little less than the limit, the right half by a little more."""
    shift = np.where(np.arange(W) < W // 2, 0.97, 1.03) * limit * W / STANDARD_WIDTH
    moved = pixel_grid(H, W)
    moved[..., 1] += shift
    assert getattr(measure_warp(same_places(), warp_field(moved)), field) == 0.5


def test_origin_and_scale_of_a_map_are_undone() -> None:
    """A canvas that starts at (-8, -4) and a map at half its size: still no error."""
    canvas_to_target = pixel_grid(80, 100) + np.float32([-8, -4])
    half = (canvas_to_target[::2, ::2] + canvas_to_target[1::2, 1::2]) / 2
    measured = measure_warp(same_places(slice(2, 50), slice(2, 70)), warp_field(half, (-8, -4), 0.5))
    assert measured.epe == 0


def test_a_cylinder_is_unrolled() -> None:
    """The warp of equal pictures on a cylinder, where columns far from the middle are px off."""
    focal = 40.0
    surface = Surface(focal, ((W - 1) / 2, (H - 1) / 2))
    on_cylinder = surface.to_reference(pixel_grid(H, W).astype(np.float64)).astype(np.float32)
    places = same_places(slice(10, 50), slice(10, 70))
    assert measure_warp(places, warp_field(on_cylinder, focal=focal)).epe == pytest.approx(0, abs=0.1)
    assert (measure_warp(places, warp_field(on_cylinder)).epe or 0) > 1


def test_holes_of_a_map_count_as_the_worst_error() -> None:
    torn = pixel_grid(H, W)
    torn[:, 40:] = np.nan
    measured = measure_warp(same_places(), warp_field(torn))
    assert measured.epe == pytest.approx(25, abs=0.01)
    assert (measured.epe_over_3, measured.within_5, measured.error) == (0.5, 0.5, 25)


def test_both_kinds_of_truth_are_read(tmp_path: Path) -> None:
    known = np.zeros((H, W), bool)
    known[5:10, 20:30] = True
    np.savez(tmp_path / "gt.npz", map=pixel_grid(H, W) + 7, valid=known, visible=np.ones((H, W), bool))
    places = read_places(tmp_path / "gt.npz")
    np.testing.assert_array_equal(places.reference, places.target + 7)
    assert (len(places.target), *places.target.min(0), *places.target.max(0)) == (50, 20, 5, 29, 9)
    np.savez(tmp_path / "matches.npz", xy1=places.reference, xy2=places.target)
    np.testing.assert_array_equal(read_places(tmp_path / "matches.npz").reference, places.reference)


@pytest.mark.parametrize("arrays", [{"xy1": np.zeros((3, 2))}, {"xy1": np.zeros((3, 2)), "xy2": np.zeros((2, 2))}, {}])
def test_a_truth_without_its_arrays_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "matches.npz", **arrays)
    with pytest.raises(InputError, match=r"matches\.npz"):
        read_places(tmp_path / "matches.npz")
