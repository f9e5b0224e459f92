"""Public multi-task data sets, read from the folders that their archives unpack to; see docs/public-datasets.md."""
