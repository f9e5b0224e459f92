import threading

import cv2
import pytest

from stitching.at_once import at_once


@pytest.fixture(params=[1, 2])
def threads(request):
    before = cv2.getNumThreads()
    cv2.setNumThreads(request.param)
    yield request.param
    cv2.setNumThreads(before)


def test_both_results_come_in_their_order(threads):
    assert at_once(lambda: 1, lambda: "two") == (1, "two")


def test_each_has_a_thread_where_there_are_two(threads):
    first, second = at_once(threading.get_ident, threading.get_ident)
    assert (first != second) == (threads == 2)


@pytest.mark.parametrize("fails", [0, 1])
def test_an_error_of_either_is_raised(threads, fails):
    def failing():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        at_once(*([failing, int] if fails == 0 else [int, failing]))
