"""The verdict on a stitch: right, doubtful (with reasons), or refused.

One number decides, the verified share of the textured overlap, with two limits. They were chosen on photographed pairs
and on their unrelated combinations: benchmarks/verdict.py measures how often they are wrong.
"""

from dataclasses import dataclass
from typing import Literal

from stitching.alignment.coarse_alignment import Alignment
from stitching.errors import InputError, percent_below
from stitching.verification.evidence import Evidence

MIN_SHARE = 0.06  # verified; unrelated pictures reached 0.02, related ones 0.078 and more
MIN_SHARE_OF_HOMOGRAPHY = 0.03  # the same after a homography alone, which leaves the parallax
DOUBTFUL_SHARE = 0.3  # verified; of ten pairs with less, three were wrong in a third of their known places or more
SMALL_OVERLAP_SHARE = 0.15  # of the target
MIN_AGREEMENT = 0.1  # after a loaded warp; a homography that leaves much parallax still reaches 0.2
DOUBTFUL_AGREEMENT = 0.7  # after a loaded warp: with less it is shifted, or much has moved


@dataclass(frozen=True)
class Verdict:
    """What is thought of a stitch that is not refused.

    Attributes:
        outcome: "doubtful" where there are reasons for doubt.
        evidence: what it rests on.
        reasons: one line each.
    """

    outcome: Literal["right", "doubtful"]
    evidence: Evidence
    reasons: tuple[str, ...]


def judge_stitch(alignment: Alignment, evidence: Evidence, *, dense: bool = True, homography: bool = False) -> Verdict:
    """The verdict on a warp that was estimated from the pictures.

    Args:
        alignment: what it began from.
        evidence: of the pictures after it.
        dense: whether a dense warp was estimated.
        homography: whether the homography placed the target; with `dense`, instead of a dense warp that was given up.

    Raises:
        InputError: they show different things, or the warp is wrong nearly everywhere.
    """
    # After a dense warp that was wrong nearly everywhere, the homography must be right where there is texture.
    least = (DOUBTFUL_SHARE if homography else MIN_SHARE) if dense else MIN_SHARE_OF_HOMOGRAPHY
    if evidence.tells_enough and evidence.verified < least:
        raise InputError(
            f"the pictures do not fit together: {len(alignment.matches)} places match (confidence"
            f" {alignment.confidence:.2f}), but after the warp only {percent_below(evidence.verified)} of the textured"
            f" overlap is alike in both and fits two cameras, expected {least:.0%} or more; they show different"
            " things or were taken too far apart: try pictures that overlap more, from places closer together, and"
            " mask what has moved"
        )
    return _verdict(evidence, _doubts_of_alignment(alignment) + _doubts_of_share(evidence))


def judge_loaded_warp(evidence: Evidence) -> Verdict:
    """The verdict on a warp from an earlier stitch.

    Raises:
        InputError: the pictures agree too little after it.
    """
    agreement = evidence.agreement
    if agreement is None:
        return _verdict(evidence, ["the overlap shows too little to tell whether the loaded warp fits"])
    if agreement < MIN_AGREEMENT:
        raise InputError(
            f"the loaded warp does not fit these pictures: they are alike on {percent_below(agreement)} of their"
            f" textured overlap, expected {MIN_AGREEMENT:.0%} or more; load a warp made with the same cameras in the"
            " same places"
        )
    if agreement < DOUBTFUL_AGREEMENT:
        return _verdict(
            evidence,
            [f"after the loaded warp the pictures are alike on only {percent_below(agreement)} of the overlap"],
        )
    return _verdict(evidence, [])


def _verdict(evidence: Evidence, doubts: list[str]) -> Verdict:
    reasons = [f"{doubt}; check the panorama" for doubt in doubts]
    if evidence.overlap < SMALL_OVERLAP_SHARE:
        share = f"{evidence.overlap:.0%}"
        reasons.append(f"the pictures share only {share} of the target; more overlap gives a better warp")
    return Verdict("doubtful" if reasons else "right", evidence, tuple(reasons))


def _doubts_of_alignment(alignment: Alignment) -> list[str]:
    if alignment.method == "translation":
        return ["too few features match: the pictures were aligned by a translation alone"]
    return []


def _doubts_of_share(evidence: Evidence) -> list[str]:
    if not evidence.tells_enough:
        return ["the overlap shows too little texture to tell whether the warp is right"]
    if evidence.verified < DOUBTFUL_SHARE:
        return [
            f"after the warp only {percent_below(evidence.verified)} of the textured overlap is alike in both, matched"
            f" both ways and in line with two cameras (usual: more than {DOUBTFUL_SHARE:.0%})"
        ]
    return []
