"""Tables of means over generated pairs."""

from apps.evaluation.output.truth_tables import truth_tables
from apps.evaluation.scoring import Row

ROWS: list[Row] = [
    {"sample": str(number), "warp": "matches:runs/flow/best.safetensors", "homography error": off, "ov": error,
     "over_3": error / 10, "line": 1.0}
    for number, (off, error) in enumerate([(1.0, 2.0), (20.0, 4.0)])
]  # fmt: skip


def test_short_tables_show_all_pairs_and_the_wrong_shares_by_difficulty() -> None:
    means, by_difficulty = truth_tables(ROWS).values()
    assert means.rows == [["warp", "pairs", "OV", "> 3 px"], ["matches:flow/best.safetensors", "2", "3.00", "0.300"]]
    assert by_difficulty.rows[0] == ["warp", "0 to 3 (1)", "15 or more (1)"]
    assert by_difficulty.rows[1][1:] == ["0.200", "0.400"]


def test_long_tables_group_all_means_by_the_error_of_the_homography() -> None:
    found = truth_tables([*ROWS, {"sample": "3", "warp": "homography", "homography error": None}], long=True)
    everything, easy, hard = found.values()
    assert everything.rows[0] == ["warp", "pairs", "OV", "> 3 px", "line"]
    assert [row[1:3] for row in (*everything.rows[1:], easy.rows[1], hard.rows[1])] == [
        ["2", "3.00"], ["1", "-"], ["1", "2.00"], ["1", "4.00"],
    ]  # fmt: skip


def test_blends_are_told_apart() -> None:
    rows: list[Row] = [row | {"blend": blend, "psnr": 30.0} for row in ROWS for blend in ("seam", "network")]
    assert [row[:3] for row in truth_tables(rows)["Means over all pairs"].rows[1:]] == [
        ["matches:flow/best.safetensors", "seam", "2"],
        ["matches:flow/best.safetensors", "network", "2"],
    ]
