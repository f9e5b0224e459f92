"""Coarse alignment: features, one homography, translations, the coarse warp and its canvas."""
