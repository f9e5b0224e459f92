import itertools

import numpy as np
from picture_files import photo
from PIL import ImageCms

from stitching.io.colours.common_profile import most_common_profile, with_profile
from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Picture

P3, ADOBE = made_profile("Display P3"), made_profile("Adobe RGB")
SRGB_OF_LITTLE_CMS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_picture_whose_colours_mean_the_same_stays_as_it_is():
    picture = Picture(photo(), metadata=Metadata(icc=SRGB_OF_LITTLE_CMS))
    assert with_profile(picture, None, in_place=False) is picture


def test_a_converted_picture_has_the_new_profile_and_the_rest_of_its_metadata():
    picture = Picture(photo(), metadata=Metadata(b"exif", P3, b"xmp"))
    found = with_profile(picture, ADOBE, in_place=False)
    assert found.metadata == Metadata(b"exif", ADOBE, b"xmp")
    assert (found.pixels != picture.pixels).any()
    np.testing.assert_array_equal(picture.pixels, photo())
    in_place = with_profile(picture, ADOBE, in_place=True)
    assert in_place.pixels is picture.pixels
    np.testing.assert_array_equal(in_place.pixels, found.pixels)


def test_the_common_profile_is_that_of_most_pictures_in_any_order():
    for profiles in itertools.permutations([P3, None, ADOBE, P3]):
        assert most_common_profile(profiles) == P3
    for profiles in itertools.permutations([P3, P3, None, SRGB_OF_LITTLE_CMS, None]):
        assert most_common_profile(profiles) is None
    assert len({most_common_profile(profiles) for profiles in itertools.permutations([P3, ADOBE])}) == 1
