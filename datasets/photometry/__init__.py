"""Photometry of cameras: of pictures that are stored, and of batches of windows while training."""
