"""Tables of means over generated pairs."""

from apps.evaluation.scoring import Row
from apps.evaluation.truth_tables import truth_tables


def test_means_are_grouped_by_the_error_of_the_homography() -> None:
    rows: list[Row] = [
        {"warp": "matches:runs/flow/best.safetensors", "homography error": off, "ov": error}
        for off, error in ((1.0, 2.0), (20.0, 4.0), (None, None))
    ]
    found = truth_tables(rows)
    assert found["all pairs"][0] == ["warp", "blend", "pairs", "OV"]
    assert found["all pairs"][1] == ["matches:flow/best.safetensors", "-", "3", "3.00"]
    assert found["homography off by 0 to 3 px"][1][2:] == ["1", "2.00"]
    assert found["homography off by more than 15 px"][1][2:] == ["1", "4.00"]
    assert "homography off by 3 to 8 px" not in found
