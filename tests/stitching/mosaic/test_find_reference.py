"""Which picture the caller means by a reference."""

from dataclasses import replace

import pytest
from made_panoramas import make_panorama

from stitching.errors import InputError
from stitching.io.picture_source import LeftOut
from stitching.mosaic.layout import find_reference

ROW = make_panorama().sources  # trip/row_0.jpg to row_2.jpg; the caller gave them the other way round


@pytest.mark.parametrize("reference", ["trip/row_2.jpg", "row_2.jpg", "row_2", 0])
def test_a_picture_is_known_by_its_path_its_name_and_its_place(reference):
    assert ROW[find_reference(reference, ROW)].name == "trip/row_2.jpg"


def test_a_name_that_several_have_is_refused_but_not_its_path():
    twice = (*ROW, replace(ROW[0], name="walk/row_0.jpg", position=3))

    assert find_reference("walk/row_0.jpg", twice) == 3
    for name in ("row_0.jpg", "row_0"):
        with pytest.raises(InputError, match=r"trip/row_0\.jpg and walk/row_0\.jpg"):
            find_reference(name, twice)


def test_a_picture_that_cannot_be_used_is_told_from_one_that_is_not_there():
    with pytest.raises(InputError, match="is damaged"):
        find_reference("cat.jpg", ROW, (LeftOut("cat.jpg", "is damaged"),))
    with pytest.raises(InputError, match=r"expected one of the pictures: trip/row_2\.jpg"):
        find_reference("dog.jpg", ROW)
