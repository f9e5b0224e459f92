"""How visible the rims of two pictures are, in panoramas whose rims are known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.evaluation.measures.panorama import PanoramaMeasures, SourcePair, measure_panorama, prepare

Picture = NDArray[np.uint8]
FIRST, LAST = 400, 200  # the reference ends here, the target begins here, columns of the scene


@pytest.fixture(scope="module")
def pair(scene: Picture) -> SourcePair:
    return prepare(scene[:, :FIRST], scene[:, LAST:])


@pytest.fixture(scope="module")
def measure(pair: SourcePair, scene: Picture) -> Callable[[slice, float], PanoramaMeasures]:
    """Measures the scene, with the columns of a slice as bright as a factor says."""

    def measured(columns: slice, factor: float) -> PanoramaMeasures:
        panorama = scene.astype(np.float32)
        panorama[:, columns] *= factor
        return measure_panorama(pair, panorama.astype(np.uint8), np.full(scene.shape[:2], 255, np.uint8))

    return measured


def test_the_true_panorama_has_no_visible_rim(measure: Callable[[slice, float], PanoramaMeasures]) -> None:
    measured = measure(slice(0, 0), 1.0)
    assert measured.rim == pytest.approx(0, abs=0.5)
    assert measured.rim_share == 0


@pytest.mark.parametrize("columns", [slice(FIRST, None), slice(0, LAST)])
def test_a_step_at_the_end_of_a_picture_is_a_rim(
    measure: Callable[[slice, float], PanoramaMeasures], columns: slice
) -> None:
    """One of the two rims shows a step of 15 % of a mean brightness of about 100."""
    measured = measure(columns, 0.85)
    assert measured.rim is not None
    assert 3 < measured.rim < 15
    assert measured.rim_share is not None
    assert measured.rim_share > 0.3


def test_a_step_elsewhere_is_no_rim(measure: Callable[[slice, float], PanoramaMeasures]) -> None:
    measured = measure(slice(300, None), 0.85)
    assert measured.rim is not None
    assert measured.rim < 1.5
