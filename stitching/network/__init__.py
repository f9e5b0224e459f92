"""The networks: a shared backbone, PWM (pixel-wise warping) and SIGMo (stitched image generating).

All needs torch but `interface` and, in `runtime`, what runs ONNX files.
"""
