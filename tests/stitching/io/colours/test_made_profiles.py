from io import BytesIO

import numpy as np
import pytest
from PIL import ImageCms

from stitching.io.colours.made_profiles import coded_profile, made_profile
from stitching.io.colours.rgb_profile import matrix_profile

SPACES = ("sRGB", "Adobe RGB", "Display P3", "Rec. 2020")


@pytest.mark.parametrize("space", SPACES)
def test_little_cms_reads_the_profiles_that_are_made(space):
    profile = ImageCms.ImageCmsProfile(BytesIO(made_profile(space)))
    assert space in ImageCms.getProfileDescription(profile)


@pytest.mark.parametrize(
    ("space", "columns"),
    [
        ("sRGB", [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]),
        ("Adobe RGB", [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]),
        ("Display P3", [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]),
    ],
)
def test_colours_are_those_of_the_profiles_that_their_owners_publish(space, columns):
    """X, Y, Z of red, green and blue under D50, as in the profiles of HP, Adobe and Apple."""
    np.testing.assert_allclose(matrix_profile(made_profile(space)).matrix.T, columns, atol=4e-4)


def test_code_points_give_profiles():
    assert coded_profile(12, 13) == made_profile("Display P3")
    assert coded_profile(9, 1) == made_profile("Rec. 2020")
    assert coded_profile(1, 13) is None  # sRGB
    assert coded_profile(9, 16) is None  # of high dynamic range: no curve of 0..1
