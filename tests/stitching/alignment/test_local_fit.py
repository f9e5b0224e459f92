import numpy as np
import pytest
from homographies import REALISTIC, SIZE, grid_of, translated

from stitching.alignment.features import Matches
from stitching.alignment.local_fit import MIN_USED, fit_locally
from stitching.geometry.homographies import project

DIAGONAL = float(np.hypot(*SIZE))
STARTS = [translated(0, 0), translated(15, -9), translated(-10, 12, 1.05)]  # applied after the true homography


def matches_of(homography, noise=0.0, outliers=0.0):
    """Points all over the target, some of them matched with a wrong place nearby."""
    random = np.random.default_rng(0)
    target = grid_of(SIZE, 40).reshape(-1, 2)  # (h, w, 2) -> (n, 2)
    reference = project(homography, target) + noise * random.normal(size=target.shape)
    wrong = random.random(len(target)) < outliers
    reference[wrong] += random.uniform(-60, 60, (wrong.sum(), 2))
    return Matches(target, reference)


def fit(start, matches):
    weight = np.full(len(matches), 1 / len(matches))
    return fit_locally(start, matches, weight, 0.05 * DIAGONAL)


@pytest.mark.parametrize("name", REALISTIC)
def test_the_homography_is_found_among_wrong_matches(name):
    true = REALISTIC[name]
    found = fit(translated(6, -5) @ true, matches_of(true, noise=0.3, outliers=0.3))
    error = np.linalg.norm(project(found, grid_of(SIZE)) - project(true, grid_of(SIZE)), axis=-1)
    assert np.median(error) < 0.5


def test_from_wherever_it_starts_nearby_it_ends_at_the_same_place():
    """Also where no homography fits: the matches are of a hill, and noisy."""
    matches = matches_of(REALISTIC["leaning"], noise=3.0)
    height = 20 * np.exp(-((matches.target - 300) ** 2).sum(axis=1) / 100**2)
    hilly = Matches(matches.target, matches.reference + height[:, None] * (1, 0))
    ends = [project(fit(start @ REALISTIC["leaning"], hilly), grid_of(SIZE)) for start in STARTS]
    assert max(np.abs(end - ends[0]).max() for end in ends) < 0.5


def test_too_few_matches_change_nothing():
    matches = matches_of(np.eye(3)).select(np.arange(MIN_USED - 1))
    assert np.array_equal(fit(STARTS[1], matches), STARTS[1])


def test_matches_in_one_place_or_on_one_line_do_no_harm():
    points = grid_of(SIZE, 40)[0]
    for target in (np.repeat(points[:1], 30, axis=0), np.concatenate([points, points])):
        assert np.isfinite(fit(np.eye(3), Matches(target, target + 1))).all()
