"""Rendering pairs: cameras, ray casting, shading, ground truth."""
