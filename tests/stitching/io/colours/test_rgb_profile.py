import struct
import tracemalloc

import numpy as np
import pytest
from colour_profiles import matrix_profile_with, rgb_table_profile
from picture_files import ICC
from PIL import ImageCms

from stitching.io.colours.made_profiles import made_profile
from stitching.io.colours.rgb_profile import matrix_profile, same_colours

SPACES = ("sRGB", "Adobe RGB", "Display P3", "Rec. 2020")


def sampled_curve(count):
    """The curve of sRGB in samples, as older profiles have it."""
    stored = np.linspace(0, 1, count)
    light = np.where(stored > 0.04045, ((stored + 0.055) / 1.055) ** 2.4, stored / 12.92)
    return b"curv" + struct.pack(">4xI", count) + np.round(light * 65535).astype(">u2").tobytes()


def power_curve(power):
    return b"curv" + struct.pack(">4xIH", 1, round(power * 256))


def test_variants_of_one_colour_space_are_the_same():
    of_little_cms = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sampled = matrix_profile_with(made_profile("sRGB"), sampled_curve(1024))
    for profile in (of_little_cms, sampled, made_profile("sRGB"), None):
        assert same_colours(profile, None)
        assert same_colours(of_little_cms, profile)
    adobe = matrix_profile_with(made_profile("Adobe RGB"), power_curve(2.2))
    assert same_colours(adobe, made_profile("Adobe RGB"))


def test_a_date_makes_no_difference_to_tables():
    profile = rgb_table_profile()
    assert same_colours(profile[:24] + b"\x07\xe9" + profile[26:], profile)
    assert not same_colours(profile, None)


@pytest.mark.parametrize("first", SPACES)
@pytest.mark.parametrize("second", SPACES)
def test_colour_spaces_differ(first, second):
    assert same_colours(made_profile(first), made_profile(second)) == (first == second)


@pytest.mark.parametrize("power", [1.0, 1.8, 2.2])
def test_other_curves_are_other_colours(power):
    assert not same_colours(matrix_profile_with(made_profile("sRGB"), power_curve(power)), None)


@pytest.mark.parametrize(
    "profile", [ICC, made_profile("Display P3")[:300], ICC[:128] + b"\xff" * 40, b"", b"no profile"]
)
def test_what_cannot_be_read_is_taken_for_srgb(profile):
    assert same_colours(profile, None)


def test_tables_have_no_matrix():
    assert matrix_profile(rgb_table_profile()) is None


def test_a_profile_of_very_many_tags_does_not_fill_the_memory():
    profile, count = made_profile("sRGB"), 20_000
    names = struct.pack(">I", count) + b"".join(struct.pack(">III", tag, 1, 300_000) for tag in range(count))
    many = profile[:128] + names + bytes(300_000)  # 6 GB, if all values were copied
    tracemalloc.start()
    assert same_colours(many, None)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
