"""A coarse place nearer to where the pictures before show the same, from which a dense warp finds its way."""

from dataclasses import replace

import numpy as np

from stitching.adjustment.picture_view import PictureView
from stitching.alignment.coarse_alignment import MAX_RESIDUAL, align_matches
from stitching.alignment.features import Matches
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Points

GOOD_FIT = 0.004  # of the diagonal: mean residual with which a view needs no help
MIN_GAIN = 0.8  # of the mean residual, that is left at most


def nearer_view(view: PictureView, before: Points, own: Points) -> PictureView:
    """The view of a picture, moved by the homography that brings its matches nearest to where the mosaic shows them.

    The joint adjustment places far things right; with parallax what the pictures share lies elsewhere.

    Args:
        view: by the joint adjustment.
        before: (n, 2) canvas px, where the pictures placed before show points.
        own: (n, 2) px of the picture, the same points.

    Returns:
        The view as it was where the matches fit it well, or no homography fits them much better.
    """
    diagonal, there = float(np.hypot(*view.size)), view(before)
    known = np.isfinite(there).all(axis=1)
    there, own = there[known], own[known]
    if not len(own) or (residual := _mean_residual(there - own, diagonal)) < GOOD_FIT * diagonal:
        return view
    shape = view.size[::-1]
    found = align_matches(Matches(there, own), shape, shape)
    if found is None or _mean_residual(project(found.homography, there) - own, diagonal) > MIN_GAIN * residual:
        return view
    return replace(view, to_picture=found.homography @ view.to_picture)


def _mean_residual(error: Points, diagonal: float) -> float:
    """Of errors (n, 2) px; those that are too long count as `MAX_RESIDUAL`."""
    length = np.nan_to_num(np.linalg.norm(error, axis=1), nan=np.inf)
    return float(np.minimum(length, MAX_RESIDUAL * diagonal).mean())
