"""Coarse alignment of a pair: matches, one homography or translation, the coarse warp and its canvas."""
