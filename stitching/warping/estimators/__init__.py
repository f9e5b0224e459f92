"""Warp estimators, one file each: how the target is warped to the reference; `registry` is the table of names."""
