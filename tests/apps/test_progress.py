"""Progress bars: on a terminal, nothing elsewhere."""

import io
import sys

import pytest

from apps.progress import sample_progress, stage_progress


@pytest.mark.parametrize(
    ("bar", "calls", "text"),
    [
        (stage_progress, [("read", 0.5), ("write", 0.5)], "write"),
        (sample_progress, [(0, 9), (7, 9)], "7/9"),
    ],
)
def test_a_terminal_shows_the_progress(monkeypatch, bar, calls, text):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    for quiet in (False, True):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        with bar(quiet) as progress:
            for call in calls:
                progress(*call)
        assert (text in terminal.getvalue()) != quiet
