"""Folders of picture pairs."""

from pathlib import Path

import pytest

from apps.pair_folders import find_pairs


def test_both_layouts_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("b/1.jpg", "b/1.png", "b/2.JPG", "a/1.tif", "a/2.tif", "a/gt.npz", "half/1.jpg", "x/y.txt")
    for name in (*names, "c/1.png", "c/2.png", "c/matches.npz"):
        (tmp_path / "named" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "named" / name).touch()
    first, second, third = find_pairs(tmp_path / "named")
    assert (first.name, first.truth) == ("a", tmp_path / "named" / "a" / "gt.npz")
    assert (second.reference.name, second.target.name, second.truth) == ("1.png", "2.JPG", None)
    assert third.truth == tmp_path / "named" / "c" / "matches.npz"
    assert "half: skipped" in capsys.readouterr().err
    assert find_pairs(tmp_path / "named", limit=1) == [first]
    for name in ("input1/000002.jpg", "input1/000001.jpg", "input2/000001.jpg", "input2/000002.jpg"):
        (tmp_path / "udis" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "udis" / name).touch()
    found = find_pairs(tmp_path / "udis")
    assert [pair.name for pair in found] == ["000001", "000002"]
    assert found[1].target == tmp_path / "udis" / "input2" / "000002.jpg"
