from dataclasses import replace

import numpy as np
import pytest

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.errors import InputError
from stitching.verification.evidence import Evidence
from stitching.verification.verdict import judge_loaded_warp, judge_stitch

ALIGNMENT = Alignment(np.eye(3), Matches(np.zeros((40, 2)), np.zeros((40, 2))), "homography", 1, 0.9)
EVIDENCE = Evidence(
    overlap=0.6, textured_windows=400, alike=0.8, consistent=0.9, epipolar=0.95, verified=0.7, agreement=0.97
)


def with_evidence(**changes):
    return replace(EVIDENCE, **changes)


def test_a_stitch_that_is_mostly_verified_is_right():
    verdict = judge_stitch(ALIGNMENT, EVIDENCE)
    assert verdict.outcome == "right"
    assert verdict.reasons == ()


def test_a_stitch_that_is_verified_in_part_is_doubtful_and_says_why():
    verdict = judge_stitch(ALIGNMENT, with_evidence(verified=0.15))
    assert verdict.outcome == "doubtful"
    assert len(verdict.reasons) == 1
    assert "15.0%" in verdict.reasons[0]
    assert "check the panorama" in verdict.reasons[0]


def test_a_stitch_that_is_hardly_verified_is_refused_with_what_to_try():
    with pytest.raises(InputError, match=r"40 places match.* only 1\.2% .*expected 6% or more; .* try ") as caught:
        judge_stitch(ALIGNMENT, with_evidence(verified=0.012))
    assert "\n" not in str(caught.value)


def test_a_homography_is_allowed_to_leave_parallax():
    little = with_evidence(verified=0.05)
    assert judge_stitch(ALIGNMENT, little, dense=False, homography=True).outcome == "doubtful"
    with pytest.raises(InputError):
        judge_stitch(ALIGNMENT, little)


def test_a_homography_that_stands_in_for_a_failed_dense_warp_must_fit():
    assert judge_stitch(ALIGNMENT, with_evidence(verified=0.5), homography=True).outcome == "right"
    with pytest.raises(InputError, match="expected 30%"):
        judge_stitch(ALIGNMENT, with_evidence(verified=0.2), homography=True)


def test_where_there_is_no_texture_nothing_is_refused_but_doubted():
    verdict = judge_stitch(ALIGNMENT, with_evidence(textured_windows=2, verified=0, agreement=None))
    assert verdict.outcome == "doubtful"
    assert "too little texture" in verdict.reasons[0]


def test_a_translation_and_a_small_overlap_are_reasons_for_doubt():
    shifted = replace(ALIGNMENT, method="translation")
    verdict = judge_stitch(shifted, with_evidence(overlap=0.08))
    assert verdict.outcome == "doubtful"
    assert "translation" in verdict.reasons[0]
    assert "8% of the target" in verdict.reasons[1]


@pytest.mark.parametrize(("agreement", "outcome"), [(0.9, "right"), (0.4, "doubtful"), (None, "doubtful")])
def test_a_loaded_warp_is_judged_by_agreement(agreement, outcome):
    assert judge_loaded_warp(with_evidence(agreement=agreement, verified=0)).outcome == outcome


def test_a_loaded_warp_of_other_pictures_is_refused():
    with pytest.raises(InputError, match=r"alike on 5.0% .*expected 10% or more; load a warp"):
        judge_loaded_warp(with_evidence(agreement=0.05))
