"""Losses of the training, with ground truth and without."""
