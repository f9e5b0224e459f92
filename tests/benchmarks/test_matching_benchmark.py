"""The matching benchmark on small folders of photographs and of generated pairs."""

import cv2
import numpy as np
import pytest
import synthetic
from matching import each_table, measure, summary_table

from apps.evaluation.known_pairs import known_pairs
from stitching.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three times the same pair, and one without truth."""
    scene, folder = synthetic.two_planes(), tmp_path_factory.mktemp("pairs")
    for name in ("a", "b", "c", "unknown"):
        (folder / name).mkdir()
        cv2.imwrite(str(folder / name / "1.png"), scene.reference)
        cv2.imwrite(str(folder / name / "2.png"), scene.target)
        if name != "unknown":
            known = np.ones_like(scene.visible)
            np.savez(folder / name / "gt.npz", map=scene.map_xy, valid=known, visible=scene.visible)
    return folder


def test_only_pairs_with_truth_count_and_some_are_spread_evenly(folder):
    assert [pair.name for pair in known_pairs(folder)] == ["a", "b", "c"]
    assert [pair.name for pair in known_pairs(folder, 2)] == ["a", "c"]


def test_the_shipped_network_finds_most_places_of_an_easy_pair(folder):
    errors = measure(folder, [""], count=1)
    assert errors["", "aligned"]["a"].share_right > 0.9
    headings, values = summary_table(errors)
    assert values[:2] == ["shipped", "1"]
    assert values[headings.index("aligned")] == f"{errors['', 'aligned']['a'].share_right:.3f}"
    assert values[headings.index("aligned 4 px")] >= values[headings.index("aligned 2 px")] > "0.1"
    assert [row[0] for row in each_table(errors)] == ["pair", "a"]


def test_a_folder_without_truth_is_refused(folder, tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "unknown").symlink_to(folder / "unknown")
    with pytest.raises(InputError, match=r"gt\.npz"):
        list(known_pairs(tmp_path / "pairs"))
