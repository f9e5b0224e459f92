"""SIGMo as a generator: with the weights that ship, and with a constant one."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import coffee

from stitching.blending.gain import COMPENSATORS, match_gain
from stitching.blending.registry import find_generator
from stitching.blending.sigmo import SigmoGenerator
from stitching.errors import InputError
from stitching.network.interface import SIGMO, Planes
from stitching.network.runtime.checked_file import SHIPPED
from stitching.network.runtime.network_files import load_runtime
from stitching.warping.warp import AlignedPair


def pair_of(h: int = 150, w: int = 205, hidden: tuple[slice, slice] | None = None) -> AlignedPair:
    """The reference sees the left two thirds, the target the right two thirds, darker."""
    scene = cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (w, h), interpolation=cv2.INTER_AREA)
    reference_valid, target_valid, behind = np.zeros((3, h, w), bool)
    reference_valid[:, : 2 * w // 3], target_valid[:, w // 3 :] = True, True
    if hidden is not None:
        behind[hidden] = True
    target = (scene * 0.8).astype(np.uint8)
    return AlignedPair(
        np.where(reference_valid[..., None], scene, 0), np.where(target_valid[..., None], target, 0),
        reference_valid, target_valid, reference_valid & target_valid & ~behind, behind,
    )  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """A runtime: the reference's share is a quarter, the gain two."""

    device: str = "cuda"

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        SIGMO.check(inputs)
        h, w = inputs["target_valid"].shape[2:]
        return {"weight": np.full((1, 1, h, w), 0.25, np.float32), "gain": np.full((1, 3, h, w), 2, np.float32)}


@pytest.fixture(scope="module")
def shipped() -> SigmoGenerator:
    return SigmoGenerator(load_runtime(SIGMO, "", "cpu"))


@pytest.mark.parametrize(("h", "w"), [(150, 205), (96, 128), (20, 300), (7, 9)])
def test_where_one_picture_alone_is_seen_it_is_shown(shipped: SigmoGenerator, h: int, w: int) -> None:
    pair = pair_of(h, w)
    blend = shipped(pair, "gain")
    assert blend.weight.shape == (h, w)
    assert blend.gain.shape == (h, w, 3)
    assert blend.weight.dtype == blend.gain.dtype == np.float32
    assert (blend.weight[pair.reference_valid & ~pair.target_valid] == 1).all()
    assert (blend.weight[pair.target_valid & ~pair.reference_valid] == 0).all()
    assert blend.weight.min() >= 0
    assert blend.weight.max() <= 1


def test_what_is_hidden_from_the_target_is_shown_by_the_reference(shipped: SigmoGenerator) -> None:
    hidden = slice(40, 90), slice(80, 120)
    blend = shipped(pair_of(hidden=hidden), "gain")
    assert (blend.weight[hidden] == 1).all()


def test_the_gain_is_between_a_quarter_and_four(shipped: SigmoGenerator) -> None:
    gain = shipped(pair_of(), "gain").gain
    assert np.isfinite(gain).all()
    assert gain.min() >= 0.25
    assert gain.max() <= 4


def test_the_compensator_says_whose_gain_it_is() -> None:
    """`gain`: SIGMo's; the others: as with the seam. The weight is SIGMo's in any case."""
    pair = pair_of()
    for compensator in COMPENSATORS:
        blend = SigmoGenerator(Constant())(pair, compensator)
        expected = (
            2 if compensator == "gain" else match_gain(pair, compensator, np.full(pair.trusted.shape, 0.25, np.float32))
        )
        assert (blend.gain == expected).all(), compensator
        assert (blend.weight == 0.25).all()
        assert blend.device == "cuda"
    assert (SigmoGenerator(Constant())(pair, "none").gain == 1).all()


def test_the_name_selects_the_weights_that_ship_or_others(shipped: SigmoGenerator) -> None:
    pair = pair_of()
    expected = shipped(pair, "gain").weight
    for name in ("network", f"network:{SHIPPED}"):
        assert np.array_equal(find_generator(name, "cpu")(pair, "gain").weight, expected)


def test_missing_weights_are_refused_before_anything_is_done() -> None:
    with pytest.raises(InputError, match="no weights at"):
        find_generator("network:no/such")
