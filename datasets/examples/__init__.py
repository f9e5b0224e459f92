"""Training examples: a pair on a common window, a classical warp to start from, the truth; stored, and as batches."""
