import struct

import numpy as np
import pytest

from stitching.io.colours.curves import ADOBE_RGB_CURVE, SRGB_CURVE, from_linear, is_curve, to_linear

X = np.linspace(0, 1, 101)


@pytest.mark.parametrize("curve", [SRGB_CURVE, ADOBE_RGB_CURVE])
def test_the_inverse_of_a_curve_leads_back(curve):
    np.testing.assert_allclose(from_linear(curve, to_linear(curve, X)), X, atol=1e-5)


def test_below_its_start_a_curve_is_constant():
    curve = b"para" + struct.pack(">4xHH4i", 2, 0, 65536, 65536, -32768, 6554)
    np.testing.assert_allclose(to_linear(curve, np.array([0, 0.5, 1])), [0.1, 0.1, 0.6], atol=1e-4)


@pytest.mark.parametrize("power", [-2.0, 3000.0])
def test_numbers_that_no_curve_has_give_values_in_range(power):
    curve = b"para" + struct.pack(">4xHH7i", 4, 0, int(power * 65536), 1 << 30, -9000, 5072, 2651, 0, 0)
    found = to_linear(curve, X)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_curve_that_is_cut_or_unknown_is_none():
    assert is_curve(SRGB_CURVE)
    for tag in (b"", b"curv", SRGB_CURVE[:-1], b"curv" + struct.pack(">4xI", 9) + bytes(16), b"para" + b"\xff" * 30):
        assert not is_curve(tag)
