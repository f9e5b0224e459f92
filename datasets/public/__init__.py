"""Public multi-task data sets, in the folders that their archives unpack to; see docs/training/public-datasets.md."""
