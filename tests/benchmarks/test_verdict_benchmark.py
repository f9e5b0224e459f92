from itertools import permutations
from pathlib import Path

import verdict

from apps.pair_folders import PairFiles


def pairs(*names):
    return [PairFiles(name, Path(name) / "1.jpg", Path(name) / "2.jpg") for name in names]


def test_unrelated_cases_never_show_one_scene():
    """Whose pairs differ by what follows the first underscore, or by a number at the end of the name before it."""
    known = pairs("house_1_2", "house_3_4", "house2_1_2", "tree_1_2", "lake_5_6")
    cases = list(verdict.unrelated_cases(known, 1000))
    assert {case.scenes for case in cases} == set(permutations(("house", "tree", "lake"), 2))
    assert len({case.key for case in cases}) == len(cases) == 5 * 5 - 3 * 3 - 1 - 1


def test_a_row_counts_for_reporting_only_where_no_scene_was_for_choosing():
    row = {"scene": "house", "other_scene": "tree"}
    assert verdict.half_of(row, set()) == "reporting"
    assert verdict.half_of(row, {"house"}) == "one of each"
    assert verdict.half_of(row, {"house", "tree"}) == "choosing"


def test_refusals_are_those_of_the_alignment_and_of_the_verdict():
    measured = {
        "overlap": "0.5", "textured_windows": "300", "alike": "0.8", "consistent": "0.9", "epipolar": "0.9",
        "verified": "0.7", "agreement": "",
    }  # fmt: skip
    row = {"refusal": "", "method": "homography", "matches": "40", "confidence": "0.9"} | measured
    assert verdict.verdict_on(row) == "right"
    assert verdict.verdict_on(row | {"verified": "0.01"}) == "refused"
    assert verdict.verdict_on(row | {"refusal": "no overlap was found"}) == "refused"
