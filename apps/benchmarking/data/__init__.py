"""Data sets of the benchmark: where they come from, prepared arrays on disk, batches."""
