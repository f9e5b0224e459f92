"""Multi-task optimizers: one strategy a file, usable with any PyTorch model (none lives here yet)."""
