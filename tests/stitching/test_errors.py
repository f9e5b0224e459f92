"""Numbers in messages."""

import pytest

from stitching.errors import percent_below


@pytest.mark.parametrize(("share", "words"), [(0.0599, "5.9%"), (0.0, "0.0%"), (0.05, "5.0%"), (0.89999, "89.9%")])
def test_a_share_that_is_too_small_never_reads_as_enough(share, words):
    assert percent_below(share) == words
