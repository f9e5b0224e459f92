"""Running trained networks, with ONNX Runtime or torch, and exporting them."""
