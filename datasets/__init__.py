"""Large-parallax training data with exact ground truth (no generator lives here yet)."""
