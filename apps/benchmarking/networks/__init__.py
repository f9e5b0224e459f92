"""Networks of the benchmark: a shared trunk and a head for each task."""
