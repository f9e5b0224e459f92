"""Dense warps: one file an estimator, the steps that they share, and the placement of the target by a warp."""
