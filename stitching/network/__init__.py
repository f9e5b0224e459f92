"""The networks: a shared backbone, PWM (pixel-wise warping) and SIGMo (stitched image generating). Needs torch."""

MULTIPLE = 8  # px; sides of a window are multiples of it, the networks' coarsest matching grid
