"""The networks: a shared backbone, PWM (pixel-wise warping) and SIGMo (stitched image generating). Needs torch."""
