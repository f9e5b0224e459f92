"""Dense warps: the estimators, their parts, and what becomes of a warp on the canvas."""
