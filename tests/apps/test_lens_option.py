"""`parastitch stitch --lens`: pairs and sets whose lenses are corrected, their summaries and warps."""

import json

import cv2
import numpy as np
import pytest
from lens_scenes import SIZE, lens_named, textured_photograph

from apps.cli import main

BARREL = f"1 RADIAL {SIZE[0]} {SIZE[1]} 200 163.5 118 -0.25 0.05\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two photographs through a lens with barrel distortion, its calibration, and one of another lens."""
    folder = tmp_path_factory.mktemp("lens")
    model = lens_named("barrel")
    for name, pan in (("left", -0.18), ("right", 0.18)):
        cv2.imwrite(str(folder / f"{name}.png"), textured_photograph(model, pan))
    (folder / "barrel.txt").write_text(BARREL)
    (folder / "other.txt").write_text(BARREL.replace("-0.25 0.05", "-0.1 0"))
    (folder / "large.txt").write_text(BARREL.replace(f"{SIZE[0]} {SIZE[1]}", "900 900"))
    (folder / "words.yml").write_text("no calibration")
    return folder


@pytest.fixture
def stitch(inputs, tmp_path, monkeypatch, capfd):
    """Stitches the pair: exit code, summary as printed by --json, standard error."""
    monkeypatch.chdir(inputs)

    def run(*options):
        capfd.readouterr()
        code = main(["stitch", "left.png", "right.png", "-o", str(tmp_path / "out.png"), "--json", *map(str, options)])
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else None, err

    return run


def test_what_a_homography_leaves_of_far_things_vanishes_with_the_lens(stitch):
    _, bent, _ = stitch("--warp", "homography")
    assert bent["reference_lens"] is None
    _, straight, _ = stitch("--warp", "homography", "--lens", "barrel.txt")
    assert straight["parallax_median"] < 0.3
    assert bent["parallax_median"] > 5 * straight["parallax_median"]


def test_the_summary_names_the_lens_and_a_saved_warp_is_for_the_same(stitch, tmp_path):
    warp, aligned = tmp_path / "warp.npz", tmp_path / "aligned"
    code, summary, _ = stitch("--lens", "barrel.txt", "--save-warp", warp, "--save-aligned", aligned)
    assert code == 0
    assert summary["reference_lens"] == summary["target_lens"] == "barrel.txt"
    assert summary["reference_size"][0] > SIZE[0]
    first = cv2.imread(str(tmp_path / "out.png"))
    assert stitch("--lens", "barrel.txt", "--load-warp", warp)[0] == 0
    again = cv2.imread(str(tmp_path / "out.png"))
    assert again.shape == first.shape
    assert np.abs(again.astype(int) - first).mean() < 2
    for lens in ("other.txt", "none"):
        code, _, err = stitch("--lens", lens, "--load-warp", warp)
        assert code == 2
        assert "the same --lens" in err
    assert cv2.imread(str(aligned / "warp1.png")).shape[1] > SIZE[0]


def test_a_set_takes_the_lens_for_all_pictures(stitch):
    code, summary, _ = stitch("--lens", "barrel.txt", "--projection", "cylinder")
    assert code == 0
    assert [picture["lens"] for picture in summary["pictures"]] == ["barrel.txt"] * 2
    assert summary["pictures"][0]["size"][0] > SIZE[0]
    assert summary["residual"] < 1


@pytest.mark.parametrize("lens", ["large.txt", "words.yml", "missing.yml", "left.png"])
@pytest.mark.parametrize("more", [(), ("--projection", "cylinder")])
def test_files_that_do_not_fit_are_refused_in_one_line(stitch, lens, more):
    code, summary, err = stitch("--lens", lens, *more)
    assert (code, summary) == (2, None)
    assert err.count("\n") == 1
    assert lens in err


def test_no_output_is_the_calibration(stitch, inputs):
    code, _, err = stitch("--lens", "barrel.txt", "--save-warp", inputs / "barrel.txt")
    assert code == 2
    assert "--lens" in err
    assert (inputs / "barrel.txt").read_text() == BARREL
